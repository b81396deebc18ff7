//! Random histories, the same in every run, checked against the definitions and the reference store.

use super::{
    at, ban, calling, calling_everyone, create, create_discreet,
    definitions::{same_conversation, same_list},
    delete, edit, lift, mark_delivered, mark_read, mark_read_privately, mark_unread, pin, put,
    react, remove, send_as, unreact, update, update_mine, write,
};
use crate::{
    model::{ClientId, ConversationId, History, MessageId, MineChanges, Notify, Role, Seq, UserId},
    store::{Act, MemoryStore, MessageLog, Store, Write},
};

const PEOPLE: usize = 5;
const GROUPS: usize = 3;
const STEPS: usize = 160;

/// What is said, so that there is something to be found.
pub(super) const BODIES: [&str; 6] = ["tea", "coffee", "tea and cake", "teatime", "Café", ""];
const EMOJI: [&str; 2] = ["👍", "🎉"];

/// Batches of everything by everybody: results, logs, members, rows and what is found equal those of the reference store,
/// and unread, mentions, reactions and pins equal their definitions, as the log tells them.
pub async fn random_histories_keep_every_promise(store: impl Store) {
    for seed in 1..=4 {
        let reference = MemoryStore::default();
        let mut script = Script::new(seed);
        for step in 0..=STEPS {
            let batch = match step {
                0 => script.beginning(),
                _ => script.batch(),
            };
            let expected = reference.commit(&batch).await.unwrap();
            let results = store.commit(&batch).await.unwrap();
            assert_eq!(results, expected, "seed {seed}: {batch:#?}");
            if step == 0 || step % (STEPS / 2) != 0 {
                continue;
            }
            for user in script.people {
                same_list(&store, &reference, user).await;
            }
            for conversation in script.conversations {
                same_conversation(&store, &reference, conversation, &script.people).await;
            }
        }
    }
}

/// Makes up what people do, from a seed.
struct Script {
    random: Random,
    people: [UserId; PEOPLE],
    conversations: [ConversationId; GROUPS],
    /// What was sent, to be repeated, replied to and changed.
    sent: Vec<Sent>,
    /// To be taken back.
    reactions: Vec<Write>,
    clock: i64,
}

#[derive(Clone, Copy)]
struct Sent {
    conversation: ConversationId,
    author: UserId,
    client_id: ClientId,
    id: MessageId,
    body: &'static str,
}

impl Script {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            people: [(); PEOPLE].map(|()| UserId::new()),
            conversations: [(); GROUPS].map(|()| ConversationId::new()),
            sent: Vec::new(),
            reactions: Vec::new(),
            clock: 0,
        }
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.random.below(things.len())]
    }

    fn person(&mut self) -> UserId {
        self.people[self.random.below(PEOPLE)]
    }

    fn conversation(&mut self) -> ConversationId {
        self.conversations[self.random.below(GROUPS)]
    }

    /// Who can do much, mostly: the first one has founded everything.
    fn founder(&mut self) -> UserId {
        let somebody = self.person();
        self.one_of(&[self.people[0], self.people[0], somebody])
    }

    fn beginning(&mut self) -> Vec<Write> {
        let [founder, others @ ..] = self.people;
        let [shared, also_shared, discreet] = self.conversations;
        vec![
            create(shared, founder, &others),
            create(also_shared, founder, &others[..2]),
            create_discreet(discreet, founder, &others[1..]),
        ]
    }

    fn batch(&mut self) -> Vec<Write> {
        let writes = 1 + self.random.below(6);
        (0..writes).map(|_| self.write()).collect()
    }

    fn write(&mut self) -> Write {
        let mut write = match self.random.below(10) {
            0 => self.membership(),
            1 => self.update(),
            2 | 3 => self.cursor(),
            4..=6 => self.change(),
            _ => self.send(),
        };
        // Clocks are not in step.
        self.clock += 1;
        write.at = at(self.clock - i64::try_from(self.random.below(5)).unwrap());
        write
    }

    fn membership(&mut self) -> Write {
        let (id, author, user) = (self.conversation(), self.founder(), self.person());
        let roles = [Role::Member, Role::Admin, Role::Owner];
        match self.random.below(10) {
            0..=2 => put(id, author, user, None),
            3 | 4 => {
                let role = self.one_of(&roles);
                put(id, author, user, Some(role))
            }
            5 => remove(id, author, user),
            6 | 7 => ban(id, author, user),
            _ => lift(id, author, user),
        }
    }

    fn update(&mut self) -> Write {
        let (id, author) = (self.conversation(), self.founder());
        match self.random.below(24) {
            0 => write(id, author, Act::DeleteConversation),
            1 => create(id, author, &[]),
            2..=11 => {
                let title = self.one_of(&[None, Some("Tea"), Some("Coffee")]);
                let topic = self.one_of(&[None, Some(None), Some(Some("Cups"))]);
                let (shared, from_join) = (Some(History::Shared), Some(History::FromJoin));
                let history = self.one_of(&[None, shared, from_join]);
                update(id, author, title, topic, history)
            }
            _ => {
                let changes = MineChanges {
                    pinned: self.one_of(&[None, Some(true), Some(false)]),
                    muted: self.one_of(&[None, Some(true)]),
                    archived: self.one_of(&[None, Some(false)]),
                    notify: self.one_of(&[None, Some(Notify::All), Some(Notify::Nothing)]),
                };
                update_mine(id, author, changes)
            }
        }
    }

    fn cursor(&mut self) -> Write {
        let (id, author) = (self.conversation(), self.person());
        let seq = self.random.below(200) as Seq;
        match self.random.below(6) {
            0..=2 => mark_read(id, author, seq),
            3 => mark_read_privately(id, author, seq),
            4 => mark_unread(id, author, seq),
            _ => mark_delivered(id, author, seq),
        }
    }

    fn change(&mut self) -> Write {
        let Some(sent) = self.earlier() else {
            return self.send();
        };
        let (id, message) = (sent.conversation, sent.id);
        let somebody = self.founder();
        let author = self.one_of(&[sent.author, sent.author, somebody]);
        let emoji = self.one_of(&EMOJI);
        match self.random.below(12) {
            0..=2 => {
                let body = self.one_of(&BODIES);
                self.calling(edit(id, author, message, body))
            }
            3 => delete(id, author, message),
            4..=7 => {
                let write = react(id, somebody, message, emoji);
                let back = unreact(id, somebody, message, emoji);
                self.reactions.extend([back.clone(), back]);
                write
            }
            8 | 9 => {
                let back = self.reactions.pop();
                back.unwrap_or_else(|| unreact(id, somebody, message, emoji))
            }
            _ => {
                let pinned = self.one_of(&[true, true, false]);
                pin(id, somebody, message, pinned)
            }
        }
    }

    fn send(&mut self) -> Write {
        if self.random.below(8) == 0
            && let Some(sent) = self.earlier()
        {
            let other = self.one_of(&BODIES);
            let body = self.one_of(&[sent.body, sent.body, other]);
            return send_as(sent.conversation, sent.author, sent.client_id, body, None);
        }
        let (conversation, author) = (self.conversation(), self.person());
        let reply_to = match self.random.below(4) {
            0 => self.earlier().map(|sent| sent.id),
            _ => None,
        };
        let client_id = ClientId::new();
        let body = self.one_of(&BODIES);
        let write = send_as(conversation, author, client_id, body, reply_to);
        if let Act::Send { id, .. } = write.act {
            self.sent.push(Sent {
                conversation,
                author,
                client_id,
                id,
                body,
            });
        }
        self.calling(write)
    }

    fn calling(&mut self, write: Write) -> Write {
        match self.random.below(6) {
            0 => calling_everyone(write),
            1..=3 => {
                let called = self.random.below(PEOPLE);
                calling(write, &self.people[called..])
            }
            _ => write,
        }
    }

    fn earlier(&mut self) -> Option<Sent> {
        // Mostly lately: some of what was said long ago is hidden, deleted, or was never accepted.
        let lately = self.sent.len().min(self.one_of(&[3, 5, 8, usize::MAX]));
        let lately = &self.sent[self.sent.len() - lately..];
        (!lately.is_empty()).then(|| lately[self.random.below(lately.len())])
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
