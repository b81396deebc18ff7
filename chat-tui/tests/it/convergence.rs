//! A timeline is what the server holds, however pages and entries come in between each other.

use std::collections::VecDeque;

use chat_core::{
    Chat, NewGroup,
    model::{ClientId, ConversationId, Draft, Emoji, Entry, Seq, Title, UserId},
    store::Around,
};
use chat_tui::app::timeline::{Line, Timeline};
use proptest::prelude::*;
use uuid::Uuid;

use crate::stage::{ANA, ME, entry, user};

const EMOJI: [&str; 3] = ["👍", "❤️", "🎉"];
/// So many entries come on a page.
const PAGE: usize = 5;

/// Something that happens at the server, at a message counted from the first one, or to the client.
#[derive(Clone, Debug)]
enum Step {
    Say,
    Edit(usize),
    Delete(usize),
    React(usize, usize, bool),
    Unreact(usize, usize, bool),
    Pin(usize, bool),
    AskOlder,
    AskNewer,
    AskAround(usize),
    TakePage,
    TakeEntry,
    GoLive,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..30_usize;
    prop_oneof![
        3 => Just(Step::Say),
        2 => at.clone().prop_map(Step::Edit),
        1 => at.clone().prop_map(Step::Delete),
        4 => (at.clone(), 0..3_usize, any::<bool>()).prop_map(|(n, e, me)| Step::React(n, e, me)),
        2 => (at.clone(), 0..3_usize, any::<bool>()).prop_map(|(n, e, me)| Step::Unreact(n, e, me)),
        1 => (at.clone(), any::<bool>()).prop_map(|(n, on)| Step::Pin(n, on)),
        3 => Just(Step::AskOlder),
        2 => Just(Step::AskNewer),
        2 => at.prop_map(Step::AskAround),
        6 => Just(Step::TakePage),
        6 => Just(Step::TakeEntry),
        1 => Just(Step::GoLive),
    ]
}

enum Page {
    Older(Vec<Entry>),
    Newer(Vec<Entry>),
    Around(Vec<Entry>),
}

/// The server, and a client that hears of it late.
struct World {
    chat: Chat,
    id: ConversationId,
    head: Seq,
    timeline: Timeline,
    live: VecDeque<Entry>,
    pages: VecDeque<Page>,
}

impl World {
    async fn new() -> Self {
        let chat = Chat::builder().start().await.unwrap();
        let title = Title::try_from("Boats".to_owned()).unwrap();
        let group = NewGroup::new(title, vec![user(ANA)]);
        let row = chat.create_group(user(ME), group).await.unwrap();
        let mut world = Self {
            chat,
            id: row.conversation.id,
            head: row.conversation.head_seq,
            timeline: Timeline::default(),
            live: VecDeque::new(),
            pages: VecDeque::new(),
        };
        for _ in 0..20 {
            world.step(&Step::Say).await;
        }
        // The client follows from a little before the head.
        world.live.drain(..world.live.len() - 3);
        world
    }

    async fn step(&mut self, step: &Step) {
        let (id, chat) = (self.id, self.chat.clone());
        let (me, ana) = (user(ME), user(ANA));
        match step {
            Step::Say => {
                let draft = Draft {
                    client_id: ClientId::from_uuid(Uuid::from_u128(self.head.into())),
                    body: format!("said {}", self.head),
                    reply_to: None,
                };
                drop(chat.send(ana, id, draft).await.unwrap());
            }
            Step::Edit(n) => {
                let body = format!("changed {}", self.head);
                let message = self.message(*n).await;
                drop(chat.edit(ana, id, message, body).await);
            }
            Step::Delete(n) => {
                drop(chat.delete_message(ana, id, self.message(*n).await).await);
            }
            Step::React(n, e, mine) => {
                let who = if *mine { me } else { ana };
                drop(chat.react(who, id, self.message(*n).await, emoji(*e)).await);
            }
            Step::Unreact(n, e, mine) => {
                let who = if *mine { me } else { ana };
                drop(
                    chat.unreact(who, id, self.message(*n).await, emoji(*e))
                        .await,
                );
            }
            Step::Pin(n, on) => drop(chat.pin(me, id, self.message(*n).await, *on).await),
            client => self.client_step(client).await,
        }
        let news = self.events(self.head, 10).await;
        self.head += news.len() as Seq;
        self.live.extend(news);
    }

    async fn client_step(&mut self, step: &Step) {
        let (first, last) = (self.timeline.first_seq(), self.timeline.last_seq());
        match step {
            Step::AskOlder => {
                let before = first.unwrap_or(1) - 1;
                let after = before.saturating_sub(PAGE as Seq);
                let limit = usize::try_from(before - after).unwrap();
                let page = Page::Older(self.events(after, limit).await);
                self.pages.push_back(page);
            }
            Step::AskNewer => {
                let page = Page::Newer(self.events(last.unwrap_or(0), PAGE).await);
                self.pages.push_back(page);
            }
            Step::AskAround(n) => {
                let after = (*n as Seq).min(self.head - 1);
                let page = Page::Around(self.events(after, PAGE).await);
                self.pages.push_back(page);
            }
            Step::TakePage => match self.pages.pop_front() {
                Some(Page::Older(page)) => drop(self.timeline.prepend(&page)),
                Some(Page::Newer(page)) => drop(self.timeline.append(&page)),
                Some(Page::Around(page)) => self.timeline.go_to(&page),
                None => {}
            },
            Step::TakeEntry => {
                if let Some(entry) = self.live.pop_front() {
                    self.timeline.apply(&entry, Some(user(ME)));
                }
            }
            _ => self.timeline.go_live(),
        }
    }

    async fn events(&self, after: Seq, limit: usize) -> Vec<Entry> {
        if limit == 0 {
            return Vec::new();
        }
        let events = self.chat.events(user(ME), self.id, after, limit).await;
        events.unwrap().items
    }

    async fn message(&self, n: usize) -> chat_core::model::MessageId {
        let reader: UserId = user(ME);
        let all = self.chat.messages(reader, self.id, Around::After(0), 200);
        let all = all.await.unwrap();
        all[n % all.len()].id
    }

    /// What is shown is what a client sees that comes now, without a hole.
    async fn is_as_if_fresh(&self) -> Result<(), TestCaseError> {
        let shown = self.timeline.lines();
        let Some(first) = shown.front() else {
            return Ok(());
        };
        let fresh = self.events(first.seq - 1, shown.len()).await;
        for (line, entry) in shown.iter().zip(&fresh) {
            let fresh = Line::new(entry);
            prop_assert_eq!(line.seq, fresh.seq);
            prop_assert_eq!(line.said(), fresh.said());
            prop_assert_eq!(line.is_shown(), fresh.is_shown());
        }
        prop_assert_eq!(shown.len(), fresh.len());
        Ok(())
    }
}

fn emoji(n: usize) -> Emoji {
    Emoji::try_from(EMOJI[n].to_owned()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_shown_is_what_is_there_once_everything_has_come(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.step(step).await;
            }
            while !world.live.is_empty() {
                world.client_step(&Step::TakeEntry).await;
            }
            world.is_as_if_fresh().await?;
            while !world.pages.is_empty() {
                world.client_step(&Step::TakePage).await;
                world.is_as_if_fresh().await?;
            }
            world.client_step(&Step::GoLive).await;
            world.is_as_if_fresh().await?;
            world.chat.shutdown().await;
            Ok::<(), TestCaseError>(())
        })?;
    }
}

#[test]
fn whoever_goes_far_back_holds_no_more_than_a_few_thousand_entries_and_comes_back_without_a_hole() {
    const HEAD: Seq = 12_000;
    let said = |seq| entry(ANA, seq, ANA, "words", 0);
    let page = |first: Seq, last: Seq| (first..=last).map(said).collect::<Vec<_>>();
    let mut timeline = Timeline::default();
    for entry in page(HEAD - 49, HEAD) {
        timeline.apply(&entry, None);
    }
    while let Some(first) = timeline.first_seq().filter(|first| *first > 1) {
        let from = first.saturating_sub(50).max(1);
        assert_eq!(timeline.prepend(&page(from, first - 1)), 50);
        assert!(timeline.len() <= 5_000);
    }
    assert!(timeline.is_aside() && !timeline.has_skipped());
    assert_eq!(timeline.live_seq(), Some(HEAD));
    timeline.apply(&said(HEAD + 1), None);
    while timeline.is_aside() {
        let last = timeline.last_seq().unwrap();
        let until = (last + 50).min(HEAD + 1);
        assert!(timeline.append(&page(last + 1, until)) > 0);
        assert!(timeline.lines().len() <= 6_001);
        let seqs: Vec<Seq> = timeline.lines().iter().map(|line| line.seq).collect();
        assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    }
    assert_eq!(timeline.last_seq(), Some(HEAD + 1));
}
