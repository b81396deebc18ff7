//! Who belonged to a conversation from where to where, read from its log.

use std::collections::BTreeMap;

use chat_core::model::{Seq, UserId};

use super::check::Log;

#[derive(Debug, Default)]
pub struct Stays(BTreeMap<UserId, Vec<Stay>>);

/// Each entry from `from` to `until` may be seen, and what happens to messages before `from` only as something hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub joined: Seq,
    pub from: Seq,
    /// The place of the entry that says that they left.
    pub until: Option<Seq>,
}

impl Stay {
    pub fn holds(&self, seq: Seq) -> bool {
        seq >= self.from && self.until.is_none_or(|until| seq <= until)
    }
}

impl Stays {
    pub fn of(log: &Log) -> Self {
        let mut stays: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in log.entries.iter().map(|it| &it.seen) {
            let Some(user) = entry.member else { continue };
            let of_user = stays.entry(user).or_default();
            match entry.kind.as_str() {
                "member_joined" => of_user.push(Stay {
                    joined: entry.seq,
                    from: if log.from_join { entry.seq } else { 1 },
                    until: None,
                }),
                "member_left" => {
                    if let Some(stay) = of_user.last_mut() {
                        stay.until = Some(entry.seq);
                    }
                }
                _ => {}
            }
        }
        Self(stays)
    }

    /// Whether nobody ever joined: then it belongs to two people, for ever.
    pub fn is_direct(&self) -> bool {
        self.0.is_empty()
    }

    pub fn of_user(&self, user: UserId) -> &[Stay] {
        self.0.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Whether what this user can see begins here.
    pub fn begins_at(&self, user: UserId, seq: Seq) -> bool {
        self.of_user(user).iter().any(|stay| stay.from == seq)
    }
}
