//! Random histories, the same in every run, checked against the definitions and the reference store.

use super::{at, create, mark_read, put, remove, rename, send_as};
use crate::{
    model::{ClientId, ConversationId, MessageId, Role, Seq, Unread, UserId},
    store::{Act, ConversationStore, MemoryStore, MessageLog, RowPlace, Store, StoredRow, Write},
};

const PEOPLE: usize = 4;
const GROUPS: usize = 3;
const STEPS: usize = 120;

/// Batches of everything by everybody: results, logs, members and rows equal those of the reference store, `row_heads`
/// equals `rows`, and unread equals its definition.
pub async fn random_histories_keep_every_promise(store: impl Store) {
    for seed in 1..=4 {
        let reference = MemoryStore::default();
        let mut history = History::new(seed);
        for _ in 0..STEPS {
            let batch = history.batch();
            let expected = reference.commit(&batch).await.unwrap();
            let results = store.commit(&batch).await.unwrap();
            assert_eq!(results, expected, "seed {seed}: {batch:#?}");
        }
        for user in history.people {
            same_list(&store, &reference, user).await;
        }
        for conversation in history.conversations {
            same_log(&store, &reference, conversation).await;
        }
    }
}

async fn same_list(store: &impl Store, reference: &MemoryStore, user: UserId) {
    let rows = all_rows(store, user).await;
    let mut expected = reference.rows(user, None, 100).await.unwrap();
    // How much `rev` rises is the store's affair.
    let mut comparable = rows.clone();
    for row in expected.iter_mut().chain(&mut comparable) {
        row.row.me.rev = 0;
    }
    assert_eq!(comparable, expected);

    let mut heads = store.row_heads(user).await.unwrap();
    heads.sort_unstable();
    let of_rows = rows.iter().map(|row| {
        (
            row.row.conversation.id,
            row.row.conversation.head_seq,
            row.row.me.rev,
        )
    });
    let mut of_rows: Vec<_> = of_rows.collect();
    of_rows.sort_unstable();
    assert_eq!(heads, of_rows);

    for row in rows {
        let (conversation, me) = (row.row.conversation, row.row.me);
        let log = store
            .entries_after(conversation.id, me.read_seq, 10_000)
            .await
            .unwrap();
        let messages = log.iter().filter_map(|entry| entry.message());
        let unread = messages.filter(|it| it.sender_id != user && it.deleted_at.is_none());
        let unread = Unread::from_count(unread.count() as u64, 0);
        assert_eq!(row.row.unread, unread, "unread equals its definition");
    }
}

async fn all_rows(store: &impl Store, user: UserId) -> Vec<StoredRow> {
    let mut rows: Vec<StoredRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| RowPlace {
            pinned: row.row.me.pinned,
            last_activity_at: row.row.conversation.last_activity_at,
            id: row.row.conversation.id,
        });
        let page = store.rows(user, after, 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn same_log(store: &impl Store, reference: &MemoryStore, conversation: ConversationId) {
    let log = store.entries_after(conversation, 0, 10_000).await.unwrap();
    let expected = reference
        .entries_after(conversation, 0, 10_000)
        .await
        .unwrap();
    assert_eq!(log, expected);
    let head = store.head(conversation).await.unwrap();
    assert_eq!(head, reference.head(conversation).await.unwrap());
    let members = store.members(conversation, None, 100).await.unwrap();
    let expected = reference.members(conversation, None, 100).await.unwrap();
    assert_eq!(members, expected);
}

/// Makes up what people do, from a seed.
struct History {
    random: Random,
    people: [UserId; PEOPLE],
    conversations: [ConversationId; GROUPS],
    /// What was sent, to be repeated and replied to.
    sent: Vec<(ConversationId, UserId, ClientId, MessageId)>,
    clock: i64,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            people: [(); PEOPLE].map(|()| UserId::new()),
            conversations: [(); GROUPS].map(|()| ConversationId::new()),
            sent: Vec::new(),
            clock: 0,
        }
    }

    fn person(&mut self) -> UserId {
        self.people[self.random.below(PEOPLE)]
    }

    fn conversation(&mut self) -> ConversationId {
        self.conversations[self.random.below(GROUPS)]
    }

    fn batch(&mut self) -> Vec<Write> {
        let writes = 1 + self.random.below(6);
        (0..writes).map(|_| self.write()).collect()
    }

    fn write(&mut self) -> Write {
        let (conversation, author) = (self.conversation(), self.person());
        let user = self.person();
        let mut write = match self.random.below(20) {
            0 => create(conversation, author, &[user]),
            1..=3 => {
                let roles = [
                    None,
                    Some(Role::Member),
                    Some(Role::Admin),
                    Some(Role::Owner),
                ];
                put(conversation, author, user, roles[self.random.below(4)])
            }
            4 => remove(conversation, author, user),
            5 => {
                let titles = ["Tea", "Coffee"];
                rename(conversation, author, titles[self.random.below(2)])
            }
            6 => self
                .retry()
                .unwrap_or_else(|| rename(conversation, author, "Tea")),
            7..=9 => mark_read(conversation, author, self.random.below(40) as Seq),
            _ => self.send(conversation, author),
        };
        // Clocks are not in step.
        self.clock += 1;
        write.at = at(self.clock - i64::try_from(self.random.below(5)).unwrap());
        write
    }

    fn send(&mut self, conversation: ConversationId, author: UserId) -> Write {
        let reply_to = match self.random.below(4) {
            0 => self.earlier().map(|(_, _, _, message)| message),
            _ => None,
        };
        let client_id = ClientId::new();
        let write = send_as(conversation, author, client_id, "hi", reply_to);
        if let Act::Send { id, .. } = write.act {
            self.sent.push((conversation, author, client_id, id));
        }
        write
    }

    fn retry(&mut self) -> Option<Write> {
        let (conversation, author, client_id, _) = self.earlier()?;
        let bodies = ["hi", "hi", "other"];
        let body = bodies[self.random.below(3)];
        Some(send_as(conversation, author, client_id, body, None))
    }

    fn earlier(&mut self) -> Option<(ConversationId, UserId, ClientId, MessageId)> {
        let count = self.sent.len();
        (count > 0).then(|| self.sent[self.random.below(count)])
    }
}

/// `SplitMix64`: small, and good enough to vary a test.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).unwrap()
    }
}
