//! Two ways to do a thing, measured in turns, so that what the machine does meanwhile meets both.

use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, measurement::WallTime};
use tokio::runtime::Runtime;

/// Measures both, and prints how many times as long as theirs ours took: the median over criterion's samples, whose own
/// report is of ours.
pub(crate) fn in_turns<A, B>(
    benchmarks: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    (name, reference): (&str, &str),
    ours: impl Fn() -> A + Clone + Send + 'static,
    theirs: impl Fn() -> B + Clone + Send + 'static,
) where
    A: Future<Output = ()> + Send,
    B: Future<Output = ()> + Send,
{
    let mut samples = Vec::new();
    benchmarks.bench_function(name, |bencher| {
        bencher.iter_custom(|turns| {
            let (ours, theirs) = (ours.clone(), theirs.clone());
            let measured = runtime.spawn(async move {
                let mut sum = (Duration::ZERO, Duration::ZERO);
                for _ in 0..turns {
                    sum.0 += time(ours()).await;
                    sum.1 += time(theirs()).await;
                }
                sum
            });
            let (ours, theirs) = runtime.block_on(measured).unwrap();
            samples.push(ours.as_secs_f64() / theirs.as_secs_f64());
            ours
        });
    });
    samples.sort_by(f64::total_cmp);
    // There is none when criterion was asked for other benchmarks.
    if let Some(ratio) = samples.get(samples.len() / 2) {
        println!(
            "{name}: {ratio:.2} × {reference} (the inverse is {:.1})\n",
            ratio.recip()
        );
    }
}

async fn time(act: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    act.await;
    start.elapsed()
}
