//! Following conversations: a cursor on the log of each, of which only so many are open at a time as the server allows.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use chat_core::{
    client::{Client, ClientError, Event, Link, Live, LiveEvents},
    model::{Change, ConversationId, Entry, Row, Seq},
};

use super::{
    super::{Exit, Failure, output::notice, place::Place},
    PAGE,
    printer::Printer,
};

/// As many are open until the server has said how many may be.
const MOST_OPEN: usize = 50;
/// A question that was not answered is asked again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The conversations that are followed.
///
/// The list tells of each how far its log reaches. One that reaches beyond the cursor is opened there, and may be closed again
/// when the cursor has come to its end: so a list of any length is followed.
#[derive(Debug)]
pub(super) struct Follow {
    client: Client,
    live: Live,
    /// Those that were named; `None` for all.
    chosen: Option<HashSet<ConversationId>>,
    logs: HashMap<ConversationId, Log>,
    /// Those that are open, the longest silent first.
    open: VecDeque<ConversationId>,
    /// Those for which there was no room.
    waiting: VecDeque<ConversationId>,
    most_open: usize,
    lost: bool,
    /// The next list says where to begin.
    anew: bool,
}

#[derive(Debug)]
struct Log {
    place: Place,
    cursor: Seq,
    head: Seq,
}

impl Follow {
    pub(super) fn new(client: Client, live: Live, chosen: Option<&[Row]>) -> Self {
        let ids = |rows: &[Row]| rows.iter().map(|row| row.conversation.id).collect();
        Self {
            client,
            live,
            chosen: chosen.map(ids),
            logs: HashMap::new(),
            open: VecDeque::new(),
            waiting: VecDeque::new(),
            most_open: MOST_OPEN,
            lost: false,
            anew: false,
        }
    }

    /// Follows a conversation after this place.
    pub(super) fn begin(&mut self, row: &Row, after: Seq) {
        let log = Log {
            place: Place::of(row),
            cursor: after,
            head: row.conversation.head_seq,
        };
        self.logs.insert(row.conversation.id, log);
        // Those that were named are open from the start: what is said in them comes at once.
        if self.chosen.is_some() || after < row.conversation.head_seq {
            self.open(row.conversation.id);
        }
    }

    pub(super) async fn run(
        &mut self,
        mut events: LiveEvents,
        printer: &mut Printer<'_>,
    ) -> Result<(), Failure> {
        while let Some(event) = events.next().await {
            match event {
                Event::Entry(entry) => self.entry(&entry, printer).await?,
                Event::Rows { rows, gone, .. } => self.rows(&rows, &gone, printer).await?,
                Event::Closed {
                    conversation_id,
                    problem,
                } => self.closed(conversation_id, &problem.detail)?,
                Event::Restored => self.restored(),
                Event::Link(link) => self.link(link)?,
                _ => {}
            }
        }
        let message = "the connection ended unexpectedly";
        Err(Failure::new(Exit::Failed, message))
    }

    async fn entry(&mut self, entry: &Entry, printer: &mut Printer<'_>) -> Result<(), Failure> {
        let id = entry.conversation_id;
        let Some(log) = self.logs.get_mut(&id) else {
            return Ok(());
        };
        if entry.seq <= log.cursor {
            return Ok(());
        }
        log.cursor = entry.seq;
        log.head = log.head.max(entry.seq);
        printer.print(entry, &log.place).await?;
        self.open.retain(|open| *open != id);
        self.open.push_back(id);
        self.open_those_who_wait();
        Ok(())
    }

    async fn rows(
        &mut self,
        rows: &[Row],
        gone: &[ConversationId],
        printer: &mut Printer<'_>,
    ) -> Result<(), Failure> {
        for id in gone {
            self.forget(*id);
        }
        for row in rows {
            let (id, head) = (row.conversation.id, row.conversation.head_seq);
            if self
                .chosen
                .as_ref()
                .is_some_and(|chosen| !chosen.contains(&id))
            {
                continue;
            }
            printer.people.learn_peer(row);
            if let Some(log) = self.logs.get_mut(&id) {
                log.place = Place::of(row);
                log.head = log.head.max(head);
                if log.cursor < log.head {
                    self.open(id);
                }
            } else if self.anew {
                self.begin(row, head);
            } else if let Some(after) = self.beginning(row).await? {
                self.begin(row, after);
            }
        }
        self.anew = false;
        self.any_left()
    }

    /// Where a conversation begins for me that was not in the list before: where I was added. `None` if it is gone already.
    async fn beginning(&self, row: &Row) -> Result<Option<Seq>, Failure> {
        let head = row.conversation.head_seq;
        let first = row.me.history_from.saturating_sub(1);
        let after = first.max(head.saturating_sub(PAGE as Seq));
        let entries = loop {
            match self.client.events(row.conversation.id, after, PAGE).await {
                Ok(events) => break events.items,
                Err(ClientError::SignedOut) => return Err(ClientError::SignedOut.into()),
                Err(error) if error.retryable() => tokio::time::sleep(ASK_AGAIN).await,
                Err(_) => return Ok(None),
            }
        };
        let me = self.client.user_id();
        let mut newest_first = entries.iter().rev();
        let added = newest_first.find(|entry| {
            matches!(entry.change, Change::MemberJoined { user_id, .. } if Some(user_id) == me)
        });
        Ok(Some(added.map_or(after, |entry| entry.seq - 1)))
    }

    fn open(&mut self, id: ConversationId) {
        if self.open.contains(&id) {
            return;
        }
        if self.open.len() >= self.most_open && !self.close_one() {
            if !self.waiting.contains(&id) {
                self.waiting.push_back(id);
            }
            return;
        }
        if let Some(log) = self.logs.get(&id) {
            self.open.push_back(id);
            self.live.open(id, log.cursor);
        }
    }

    fn open_those_who_wait(&mut self) {
        for _ in 0..self.waiting.len() {
            if let Some(id) = self.waiting.pop_front() {
                self.open(id);
            }
        }
    }

    /// Makes room, if there is one of which nothing is missing: whatever comes in it next, the list tells.
    fn close_one(&mut self) -> bool {
        let whole = |id: &ConversationId| {
            let log = self.logs.get(id);
            log.is_none_or(|log| log.cursor >= log.head)
        };
        let Some(id) = self
            .open
            .iter()
            .position(whole)
            .and_then(|at| self.open.remove(at))
        else {
            return false;
        };
        self.live.leave(id);
        true
    }

    fn closed(&mut self, id: ConversationId, why: &str) -> Result<(), Failure> {
        if let Some(log) = self.logs.get(&id) {
            notice(&format!(
                "{} cannot be followed any more: {why}",
                log.place.name()
            ));
        }
        self.forget(id);
        self.any_left()
    }

    fn forget(&mut self, id: ConversationId) {
        self.logs.remove(&id);
        self.open.retain(|open| *open != id);
        self.waiting.retain(|waiting| *waiting != id);
    }

    fn any_left(&self) -> Result<(), Failure> {
        if self.chosen.is_some() && self.logs.is_empty() && !self.anew {
            let message =
                "there is nothing left to follow: you are in none of these conversations any more";
            return Err(Failure::new(Exit::NoConversation, message));
        }
        Ok(())
    }

    fn restored(&mut self) {
        notice("the server was restored from a backup: what is said from now on follows");
        self.logs.clear();
        self.open.clear();
        self.waiting.clear();
        self.anew = true;
    }

    fn link(&mut self, link: Link) -> Result<(), Failure> {
        match link {
            Link::Online(hello) => {
                self.most_open = hello.limits.max_joined_conversations.max(1);
                if std::mem::take(&mut self.lost) {
                    notice("connected again: what was missed follows");
                }
                self.open_those_who_wait();
            }
            Link::Waiting { reason, .. } if !self.lost => {
                self.lost = true;
                notice(&format!(
                    "not connected: {reason}; it is tried until it works"
                ));
            }
            Link::SignedOut { .. } => return Err(ClientError::SignedOut.into()),
            _ => {}
        }
        Ok(())
    }
}
