//! A day on which nothing breaks: what is promised of time can be held to then.

use std::time::Duration;

use tokio::time::sleep;

use super::{ALONE, CONVERGED, LARGE, Run, check::Promise, people::Size, variable};

/// Of whatever is sent, 99 of a hundred are acknowledged by then, and told to everybody who listens as long after that. It is a
/// fraction of this on a machine that has nothing else to do than to run all of the servers and all of the people.
const PROMPT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_calm_day_answers_are_prompt_and_all_is_told_at_once() {
    let _alone = ALONE.lock().await;
    let size = Size {
        pace: 2 * LARGE.pace,
        ..LARGE
    };
    let mut run = Run::begin("calm", size, &[]).await;
    let seconds = variable("CHAT_HISTORY_SECONDS").unwrap_or(12);
    sleep(Duration::from_secs(seconds)).await;
    let (end, everybody) = run.rest(CONVERGED).await;
    let figures = run.judge(end, &everybody).await;
    let (acknowledged, told) = (figures.acknowledged_after(99), figures.told_after(99));
    if acknowledged > PROMPT || told > PROMPT {
        let what = format_args!(
            "of a hundred, 99 are acknowledged after {acknowledged:?} and told {told:?} after that"
        );
        run.verdict.broken(Promise::Budget, what);
    }
    run.check_usage();
    run.expect_nothing();
    assert!(
        figures.faults == 0 && figures.deliveries > figures.acknowledged,
        "{figures}"
    );
}
