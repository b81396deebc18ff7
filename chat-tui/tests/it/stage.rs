//! A client without a network or a terminal: the test plays the server and the user, and looks at the screen.

use chat_core::{
    client::{Event as LiveEvent, Link},
    model::{
        Change, ClientId, Conversation, ConversationId, ConversationKind, Entry, History, Message,
        MessageId, Mine, Notify, Presence, Profile, Role, Row, Seq, Status, Timestamp, Unread,
        UserId,
    },
    protocol::Hello,
};
use chat_tui::{
    app::{
        App, Start,
        keymap::{Code, Key},
    },
    config::Preferences,
    effect::Effect,
    event::{Event, Gesture},
    kept::Kept,
    ui::{LayoutCache, Theme, view},
};
use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend};
use uuid::Uuid;

/// 2026-11-22 14:30:00 UTC, a Sunday.
pub(crate) const NOW: i64 = 1_795_357_800_000;

pub(crate) const ME: u128 = 1;
pub(crate) const ANA: u128 = 2;
pub(crate) const BO: u128 = 3;

pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) effects: Vec<Effect>,
    /// The disk, on which nothing is, answers at once.
    pub(crate) disk_answers: bool,
    pub(crate) theme: Theme,
    terminal: Terminal<TestBackend>,
    cache: LayoutCache,
}

impl Stage {
    /// At the sign-in form.
    pub(crate) fn signed_out(width: u16, height: u16) -> Self {
        Self::start(width, height, false)
    }

    pub(crate) fn start(width: u16, height: u16, resume: bool) -> Self {
        Self::with_kept(width, height, resume, Kept::default())
    }

    /// With what an earlier run left on disk.
    pub(crate) fn with_kept(width: u16, height: u16, resume: bool, kept: Kept) -> Self {
        let (app, effects) = App::new(Start {
            server: "http://127.0.0.1:8080".to_owned(),
            username: String::new(),
            resume,
            preferences: Preferences::default(),
            kept,
            rebindings: Vec::new(),
            zone: TimeZone::UTC,
            seed: Uuid::from_u128(0x4000_8000_0000_0000_0000),
            now: at(0),
        });
        Self {
            app,
            effects,
            disk_answers: true,
            theme: Theme::colorful(),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            cache: LayoutCache::default(),
        }
    }

    /// Signed in as Maya, connected, with these conversations.
    pub(crate) fn with(width: u16, height: u16, rows: Vec<Row>) -> Self {
        let mut stage = Self::signed_out(width, height);
        stage.event(Event::SignedIn(Ok(profile(ME, "Maya"))));
        stage.live(LiveEvent::Link(online()));
        stage.live(LiveEvent::Rows {
            rows,
            gone: Vec::new(),
            snapshot: true,
        });
        for (id, name) in [(ANA, "Ana Lindqvist"), (BO, "Bo")] {
            stage.event(Event::Person(user(id), Ok(profile(id, name))));
        }
        stage.effects.clear();
        stage
    }

    pub(crate) fn event(&mut self, event: Event) {
        let effects = self.app.update(event);
        let answered = effects.iter().filter(|_| self.disk_answers);
        let answers: Vec<Event> = answered.filter_map(answer_of_disk).collect();
        self.effects.extend(effects);
        for answer in answers {
            self.event(answer);
        }
    }

    pub(crate) fn live(&mut self, event: LiveEvent) {
        self.event(Event::Live(event));
    }

    pub(crate) fn key(&mut self, code: Code) {
        self.press(Key::plain(code));
    }

    pub(crate) fn ctrl(&mut self, letter: char) {
        self.press(Key::ctrl(Code::Char(letter)));
    }

    pub(crate) fn press(&mut self, key: Key) {
        self.event(Event::Key(key));
    }

    pub(crate) fn write(&mut self, text: &str) {
        for letter in text.chars() {
            self.key(Code::Char(letter));
        }
    }

    pub(crate) fn entries(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.live(LiveEvent::Entry(Box::new(entry)));
        }
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
        self.event(Event::Resized);
    }

    /// Draws until nothing changes any more, and gives the screen as text.
    pub(crate) fn screen(&mut self) -> String {
        for _ in 0..3 {
            let (app, theme, cache) = (&self.app, self.theme, &mut self.cache);
            let mut seen = None;
            self.terminal
                .draw(|frame| seen = Some(view(app, theme, cache, frame)))
                .unwrap();
            self.event(Event::Seen(seen.unwrap()));
        }
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let mut text = String::new();
        for (n, row) in buffer.content.chunks(width.max(1)).enumerate() {
            if n > 0 {
                text.push('\n');
            }
            let mut skip = 0;
            let mut line = String::new();
            for cell in row {
                assert!(is_harmless(cell.symbol()), "{:?}", cell.symbol());
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                line.push_str(cell.symbol());
                skip = chat_tui::app::text::width(cell.symbol()).saturating_sub(1);
            }
            text.push_str(line.trim_end());
        }
        text
    }

    /// The rows of the screen that show this text.
    pub(crate) fn rows_with(&mut self, text: &str) -> Vec<usize> {
        let screen = self.screen();
        let rows = screen.lines().enumerate();
        rows.filter(|(_, row)| row.contains(text))
            .map(|(n, _)| n)
            .collect()
    }

    /// Uses the mouse on the first place of the screen that shows this text.
    pub(crate) fn point(&mut self, gesture: Gesture, text: &str) {
        let screen = self.screen();
        let mut rows = screen.lines().enumerate();
        let found = rows.find_map(|(y, row)| Some((y, row, row.find(text)?)));
        let (y, row, at) = found.unwrap_or_else(|| panic!("{text} is on no row of {screen}"));
        let x = chat_tui::app::text::width(&row[..at]);
        let (x, y) = (u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
        if let Some(spot) = self.cache.spot(x, y) {
            self.event(Event::Pointer(gesture, spot));
        }
    }

    pub(crate) fn click(&mut self, text: &str) {
        self.point(Gesture::Press, text);
    }

    /// What was asked of the world since the last time.
    pub(crate) fn asked(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The message that was put into the outbox last.
    pub(crate) fn sent(&self) -> (ConversationId, chat_core::model::Draft) {
        let sent = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Send(conversation, draft)
            | Effect::Resend {
                conversation,
                draft,
                ..
            } => Some((*conversation, draft.clone())),
            _ => None,
        });
        sent.unwrap()
    }
}

fn answer_of_disk(effect: &Effect) -> Option<Event> {
    match effect {
        Effect::Recall(id) => Some(Event::Recalled(*id, Vec::new())),
        Effect::Send(conversation, draft)
        | Effect::Resend {
            conversation,
            draft,
            ..
        } => Some(Event::Queued(*conversation, draft.client_id, Ok(()))),
        _ => None,
    }
}

/// Whether a terminal can be given this: nothing in it acts, reorders or piles up.
fn is_harmless(symbol: &str) -> bool {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    symbol.len() <= 64 && !symbol.contains(harmful)
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn conversation(n: u128) -> ConversationId {
    ConversationId::from_uuid(Uuid::from_u128(1_000 + n))
}

/// So many minutes from now.
pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NOW + minutes * 60_000)
}

pub(crate) fn profile(n: u128, name: &str) -> Profile {
    Profile {
        id: user(n),
        username: name.split(' ').next().unwrap().to_lowercase(),
        display_name: name.to_owned(),
        presence: None,
    }
}

pub(crate) fn is_online(n: u128) -> LiveEvent {
    LiveEvent::Presence(Presence {
        user_id: user(n),
        status: Status::Online,
        last_seen_at: None,
    })
}

pub(crate) fn online() -> Link {
    let hello: Hello = serde_json::from_value(serde_json::json!({
        "session_id": Uuid::nil(), "availability": "online", "user_id": Uuid::from_u128(ME), "node_id": Uuid::nil(), "epoch": Uuid::nil(),
        "server_version": "0.1.0", "token_expires_in_ms": 900_000, "ping_interval_ms": 20_000,
        "idle_timeout_ms": 45_000, "max_body_chars": 8_000, "max_frame_bytes": 65_536, "typing_repeat_ms": 4_000,
        "typing_expiry_ms": 8_000, "max_watched_users": 200, "max_joined_conversations": 500, "max_replay": 1_000,
        "sends_per_second": 10, "send_burst": 30, "frames_per_second": 50, "frame_burst": 100,
        "requests_per_second": 20, "request_burst": 100, "logins_per_quarter_hour": 5, "max_sockets_per_user": 20,
    }))
    .unwrap();
    Link::Online(Box::new(hello))
}

pub(crate) fn message(place: u128, seq: Seq, sender: u128, body: &str, when: Timestamp) -> Message {
    Message {
        id: MessageId::from_uuid(Uuid::from_u128(place * 1_000_000 + u128::from(seq))),
        conversation_id: conversation(place),
        seq,
        sender_id: user(sender),
        client_id: ClientId::from_uuid(Uuid::from_u128(u128::from(seq) << 70)),
        body: body.to_owned(),
        reply_to: None,
        mentions: Vec::new(),
        reactions: Vec::new(),
        created_at: when,
        edited_at: None,
        deleted_at: None,
        mentions_everyone: false,
        pinned_at: None,
        changed_seq: seq,
    }
}

pub(crate) fn entry(place: u128, seq: Seq, sender: u128, body: &str, minutes: i64) -> Entry {
    let message = message(place, seq, sender, body, at(minutes));
    of(message)
}

/// The entry of a message.
pub(crate) fn of(message: Message) -> Entry {
    Entry {
        conversation_id: message.conversation_id,
        seq: message.seq,
        at: message.created_at,
        change: Change::NewMessage { message },
    }
}

pub(crate) fn change(place: u128, seq: Seq, minutes: i64, change: Change) -> Entry {
    Entry {
        conversation_id: conversation(place),
        seq,
        at: at(minutes),
        change,
    }
}

/// A direct conversation with somebody, of which so many entries are unread.
pub(crate) fn direct(peer: u128, name: &str, head: Seq, unread: u64, minutes: i64) -> Row {
    let mut row = group(peer, "", head, unread, minutes);
    row.conversation.kind = ConversationKind::Direct;
    row.conversation.title = None;
    row.conversation.peer = Some(profile(peer, name));
    row.conversation.member_count = 2;
    row
}

pub(crate) fn group(place: u128, title: &str, head: Seq, unread: u64, minutes: i64) -> Row {
    let last = format!("message {head}");
    Row {
        conversation: Conversation {
            id: conversation(place),
            kind: ConversationKind::Group,
            title: Some(title.to_owned()),
            topic: None,
            history: History::Shared,
            peer: None,
            member_count: 3,
            head_seq: head,
            last_message: (head > 0).then(|| message(place, head, ANA, &last, at(minutes))),
            last_activity_at: at(minutes),
        },
        me: Mine {
            role: Role::Member,
            read_seq: head - unread,
            rev: 1,
            pinned: false,
            muted: false,
            archived: false,
            notify: Notify::All,
            history_from: 1,
        },
        unread: Unread::from_count(unread, 0),
    }
}
