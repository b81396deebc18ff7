//! The numbers of the engine, read when they are asked for.

use std::fmt;

use chat_core::{Chat, Histogram, Stats};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

#[derive(Debug)]
pub(super) struct EngineCollector {
    chat: Chat,
}

impl EngineCollector {
    pub(super) fn new(chat: Chat) -> Self {
        Self { chat }
    }
}

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.chat.stats();
        for (name, help, value) in gauges(&stats).into_iter().chain(gauges_of_nodes(&stats)) {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&value)?;
        }
        for (name, help, value) in counters(&stats)
            .into_iter()
            .chain(counters_of_nodes(&stats))
        {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, u64, u64>(&value, None)?;
        }
        let mut writes = encoder.encode_descriptor(
            "chat_writes",
            "Writes, by what came of them: committed, refused by the rules, or too late to be tried.",
            None,
            MetricType::Counter,
        )?;
        for (outcome, value) in [
            ("committed", stats.writes_committed),
            ("refused", stats.writes_refused),
            ("late", stats.writes_late),
        ] {
            writes
                .encode_family(&[("outcome", outcome)])?
                .encode_counter::<NoLabelSet, u64, u64>(&value, None)?;
        }
        for (name, help, histogram) in [
            (
                "chat_commit_writes",
                "Writes in a transaction.",
                &stats.commit_writes,
            ),
            (
                "chat_commit_duration_seconds",
                "Time that a transaction of writes took.",
                &stats.commit_seconds,
            ),
        ] {
            let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(histogram.counts.iter().copied()).collect();
            encoder
                .encode_descriptor(name, help, None, MetricType::Histogram)?
                .encode_histogram::<NoLabelSet>(
                    histogram.sum,
                    Histogram::count(histogram),
                    &buckets,
                    None,
                )?;
        }
        Ok(())
    }
}

/// A name, what it is, and how much it is now.
type Number = (&'static str, &'static str, u64);

/// What there is now.
fn gauges(stats: &Stats) -> Vec<Number> {
    vec![
        ("chat_sessions", "Sessions that are open.", stats.sessions),
        (
            "chat_users_connected",
            "Users who are connected, those included whose connection broke moments ago.",
            stats.users,
        ),
        (
            "chat_rooms",
            "Conversations of which the newest entries are in memory.",
            stats.rooms,
        ),
        (
            "chat_attachments",
            "Conversations that sessions follow, the sum over all sessions.",
            stats.attachments,
        ),
    ]
}

/// What there is now between the nodes.
fn gauges_of_nodes(stats: &Stats) -> Vec<Number> {
    vec![
        (
            "chat_nodes",
            "Other nodes on the same database that are heard, or were a moment ago.",
            stats.nodes,
        ),
        (
            "chat_bus_connected",
            "Whether there is a connection to NATS.",
            u64::from(stats.bus.connected),
        ),
        (
            "chat_bus_in_doubt",
            "Whether what other nodes say is read from the database, because NATS seems not to carry it.",
            u64::from(stats.in_doubt),
        ),
        (
            "chat_bus_topics",
            "Conversations and users that this node listens for.",
            stats.bus.topics,
        ),
    ]
}

/// What has happened.
fn counters(stats: &Stats) -> Vec<Number> {
    vec![
        (
            "chat_delivered_batches",
            "Batches that were handed out to sessions.",
            stats.batches,
        ),
        (
            "chat_delivered_frames",
            "Frames that were handed out to sessions.",
            stats.frames,
        ),
        (
            "chat_delivered_bytes",
            "Bytes of the frames that were handed out to sessions.",
            stats.bytes,
        ),
        (
            "chat_late_reads",
            "Reads of the store for sessions that had fallen behind what is in memory.",
            stats.late_reads,
        ),
        (
            "chat_repairs",
            "Times that a conversation was compared with the store because something might have been missed.",
            stats.repairs,
        ),
        ("chat_commits", "Transactions of writes.", stats.commits),
        (
            "chat_commit_failures",
            "Transactions of writes that failed, or of which it is not known.",
            stats.commit_failures,
        ),
    ]
}

/// What has happened between the nodes.
fn counters_of_nodes(stats: &Stats) -> Vec<Number> {
    vec![
        (
            "chat_bus_published",
            "Notices for other nodes that were sent on their way.",
            stats.bus.published,
        ),
        (
            "chat_bus_received",
            "Notices of nodes that came in, this node's own included.",
            stats.bus.received,
        ),
        (
            "chat_bus_dropped",
            "Notices that were dropped because NATS did not take them in time.",
            stats.bus.dropped,
        ),
        (
            "chat_bus_malformed",
            "What came from NATS and was no notice of a node.",
            stats.bus.malformed,
        ),
        (
            "chat_bus_doubts",
            "Times that NATS was found not to carry what nodes say.",
            stats.doubts,
        ),
        (
            "chat_bus_entries",
            "Entries that other nodes told of.",
            stats.entries_heard,
        ),
        (
            "chat_bus_entries_unneeded",
            "Entries that other nodes told of and that concerned nobody here.",
            stats.entries_unneeded,
        ),
    ]
}
