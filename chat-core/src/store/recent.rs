//! The newest messages of a group, from which the unread of all its members is told at once.

use std::collections::HashMap;

use crate::model::{Seq, Unread, UserId};

/// How many are looked at: enough for the cap even if half of them are one's own.
pub(super) const MOST: usize = 2_002;

/// The newest messages that are not deleted, by place and sender.
#[derive(Debug)]
pub(super) struct Recent {
    /// Ascending.
    seqs: Vec<Seq>,
    /// Each ascending.
    by_sender: HashMap<UserId, Vec<Seq>>,
    /// Whether there are no older ones after the cursors that are asked for.
    whole: bool,
}

impl Recent {
    /// From at most [`MOST`] messages, newest first; fewer mean that these are all.
    pub(super) fn new(newest_first: impl IntoIterator<Item = (Seq, UserId)>) -> Self {
        let mut messages: Vec<_> = newest_first.into_iter().collect();
        messages.reverse();
        let mut by_sender: HashMap<UserId, Vec<Seq>> = HashMap::new();
        for (seq, sender) in &messages {
            by_sender.entry(*sender).or_default().push(*seq);
        }
        Self {
            whole: messages.len() < MOST,
            seqs: messages.into_iter().map(|(seq, _)| seq).collect(),
            by_sender,
        }
    }

    /// What a member has not read; `None` where that cannot be told from these.
    pub(super) fn unread(&self, user: UserId, read_seq: Seq) -> Option<Unread> {
        let own = self
            .by_sender
            .get(&user)
            .map_or(0, |seqs| after(seqs, read_seq));
        let found = after(&self.seqs, read_seq) - own;
        #[cfg(any(test, feature = "bugs"))]
        let found = crate::bug::double_unread(found);
        let reaches_back =
            self.whole || self.seqs.first().is_some_and(|oldest| *oldest <= read_seq);
        (reaches_back || found > Unread::CAP).then(|| Unread::from_count(found, 0))
    }
}

fn after(ascending: &[Seq], seq: Seq) -> u64 {
    (ascending.len() - ascending.partition_point(|it| *it <= seq)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_is_told_only_where_the_messages_reach() {
        let (me, other) = (UserId::new(), UserId::new());
        let newest_first = |from: Seq, senders: [UserId; 2]| {
            let seqs = (from..from + MOST as Seq).rev();
            Recent::new(seqs.map(move |seq| (seq, senders[usize::from(seq % 2 == 0)])))
        };
        let all = Recent::new([(9, other), (7, me), (4, other), (2, other)]);
        assert_eq!(all.unread(me, 0), Some(Unread::from_count(3, 0)));
        assert_eq!(all.unread(me, 4), Some(Unread::from_count(1, 0)));
        assert_eq!(all.unread(other, 2), Some(Unread::from_count(1, 0)));
        assert_eq!(all.unread(other, 9), Some(Unread::default()));

        let many = newest_first(50, [me, other]);
        assert_eq!(many.unread(me, 10), Some(Unread::from_count(1_001, 0)));
        let own = newest_first(50, [me, me]);
        assert_eq!(own.unread(me, 10), None, "there may be some before these");
        assert_eq!(own.unread(me, 50), Some(Unread::default()));
    }
}
