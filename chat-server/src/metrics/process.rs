//! What the process takes of its machine, as Linux tells it.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

/// The names are those that every exporter for Prometheus uses.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(taken) = Taken::read(&stat) {
            encoder
                .encode_descriptor(
                    "process_cpu_seconds",
                    "Processor time, of the user and the system.",
                    None,
                    MetricType::Counter,
                )?
                .encode_counter::<NoLabelSet, f64, f64>(&taken.cpu_seconds, None)?;
            encoder
                .encode_descriptor(
                    "process_resident_memory_bytes",
                    "Memory that is resident.",
                    None,
                    MetricType::Gauge,
                )?
                .encode_gauge(&taken.resident_bytes)?;
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        for (name, help, value) in [
            ("process_open_fds", "Open file descriptors.", open_files()),
            (
                "process_max_fds",
                "The most file descriptors that may be open.",
                most_open_files(&limits),
            ),
        ] {
            if let Some(value) = value {
                encoder
                    .encode_descriptor(name, help, None, MetricType::Gauge)?
                    .encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

struct Taken {
    cpu_seconds: f64,
    resident_bytes: u64,
}

impl Taken {
    /// The numbers behind the name, which may hold anything: user and system time, and resident pages.
    fn read(stat: &str) -> Option<Self> {
        let (_, behind) = stat.rsplit_once(") ")?;
        let numbers: Vec<&str> = behind.split_whitespace().collect();
        let number = |at: usize| numbers.get(at)?.parse::<u32>().ok();
        let ticks = f64::from(number(11)?) + f64::from(number(12)?);
        let ticks_per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let page_bytes = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            cpu_seconds: ticks / f64::from(ticks_per_second),
            resident_bytes: u64::from(number(21)?) * page_bytes,
        })
    }
}

fn open_files() -> Option<u64> {
    let files = fs::read_dir("/proc/self/fd").ok()?;
    u64::try_from(files.count()).ok()
}

fn most_open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found_behind_whatever_name() {
        let stat =
            "7 (a) b) (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 9999 1000000 300 184";
        let taken = Taken::read(stat).unwrap();
        assert!(taken.cpu_seconds > 0.0);
        assert_eq!(taken.resident_bytes % 300, 0);
        assert!(Taken::read("nonsense").is_none());
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_open_files(limits), Some(1_024));
        assert!(open_files().unwrap() > 2);
    }
}
