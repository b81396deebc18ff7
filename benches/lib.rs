//! What the benchmarks beside this file measure alike; README.md says how to run them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time that this process has used, with all its threads.
#[must_use]
pub fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

/// The memory of this process that is in use now, as the system counts it; 0 where it cannot be read.
#[must_use]
pub fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() * 1_024
}
