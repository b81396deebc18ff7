//! The text format of Prometheus, which every scraper and every tool reads.

use std::{collections::HashSet, fmt};

use prometheus_client::{encoding::text, registry::Registry};

pub(super) fn render(registry: &Registry) -> Result<String, fmt::Error> {
    let mut open_metrics = String::new();
    text::encode(&mut open_metrics, registry)?;
    Ok(classic(&open_metrics))
}

/// From the `OpenMetrics` that the library writes: there, a counter is described without the `_total` of its samples.
fn classic(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut classic = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut parts = line.splitn(4, ' ');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(keyword), Some(name), Some(rest)) if counters.contains(name) => {
                classic.extend(["# ", keyword, " ", name, "_total ", rest]);
            }
            _ => classic.push_str(line),
        }
        classic.push('\n');
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_described_under_the_name_of_its_samples() {
        let open_metrics = "# HELP x_y What it is: # all.\n# TYPE x_y counter\nx_y_total{a=\"# b\"} 1\n\
            # HELP z Z.\n# TYPE z gauge\nz 2\n# EOF\n";
        let expected = "# HELP x_y_total What it is: # all.\n# TYPE x_y_total counter\nx_y_total{a=\"# b\"} 1\n\
            # HELP z Z.\n# TYPE z gauge\nz 2\n";
        assert_eq!(classic(open_metrics), expected);
    }
}
