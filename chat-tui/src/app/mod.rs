//! What is true: the state of the client, changed by events and by nothing else.

pub mod about;
pub mod address;
pub mod ask;
pub mod chat;
mod clock;
pub mod composer;
pub mod conversations;
mod dialog;
mod drafting;
mod fault;
mod group;
mod holding;
pub mod inbox;
mod input;
pub mod keymap;
pub mod link;
mod live;
pub mod mention;
pub mod menu;
mod message;
mod nearest;
pub mod new_conversation;
mod notification;
mod opening;
mod outcome;
pub mod own;
pub mod panels;
pub mod people;
mod pointer;
pub mod reactions;
mod remembering;
pub mod search;
mod sending;
mod session;
mod settle;
pub mod sign_in;
pub mod slash;
pub mod switcher;
pub mod text;
pub mod timeline;
mod undo;
pub mod wrap;

use std::collections::{HashMap, HashSet, VecDeque};

use chat_core::model::{ClientId, ConversationId, Timestamp, UserId};
use jiff::tz::TimeZone;
use uuid::Uuid;

pub use self::dialog::Dialog;
pub(crate) use self::fault::problem_words;
use self::{
    chat::Chat,
    conversations::ConversationList,
    keymap::{Action, Context, Keymap, Rebinding},
    link::LinkState,
    mention::Completion,
    own::Own,
    panels::Readers,
    people::People,
    sending::Submitted,
    sign_in::{Resuming, SignIn},
    text::Plain,
};
use crate::{
    config::Preferences,
    effect::Effect,
    event::{Event, Seen},
    kept::Kept,
};

/// How many entries are asked for at a time.
pub const PAGE: u64 = 50;
/// How many conversations are followed at a time; the one left longest ago makes room.
const FOLLOWED: usize = 8;
/// Until the server says otherwise.
const MAX_BODY_CHARS: usize = 8_000;
/// The most people whose presence is watched, until the server says otherwise.
const MAX_WATCHED: usize = 200;

/// Answers to questions of the switcher are told from those to other dialogs, which count from 1.
const FIRST_TICKET: u64 = 1 << 32;

/// What is on the screen.
#[derive(Debug)]
pub enum Screen {
    /// Going on with an earlier sign-in.
    Resuming(Resuming),
    /// The sign-in form.
    SignIn(SignIn),
    /// The conversations.
    Main,
}

/// Which part of the main screen the keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The conversation list.
    #[default]
    List,
    /// The draft.
    Composer,
    /// The messages, one of them selected.
    Messages,
}

/// A line for the user, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub text: Plain,
    /// It is about something that did not work.
    pub is_error: bool,
}

/// What the client starts with.
#[derive(Debug)]
pub struct Start {
    /// The address of the server.
    pub server: String,
    /// The user name of an earlier sign-in, or nothing.
    pub username: String,
    /// There is an earlier sign-in to go on with.
    pub resume: bool,
    /// How this client is to be.
    pub preferences: Preferences,
    /// What an earlier run left on disk.
    pub kept: Kept,
    /// What the user bound keys to.
    pub rebindings: Vec<Rebinding>,
    /// The time zone of the user.
    pub zone: TimeZone,
    /// Something that no other run of the client has: names of messages are made from it.
    pub seed: Uuid,
    /// The present.
    pub now: Timestamp,
}

/// The state of the client.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all combinations occur"
)]
pub struct App {
    /// What is on the screen.
    pub screen: Screen,
    /// The present, as far as it matters.
    pub now: Timestamp,
    /// The time zone of the user.
    pub zone: TimeZone,
    /// The address of the server.
    pub server: Plain,
    /// Who I am.
    pub me: Option<UserId>,
    /// The state of the connection.
    pub link: LinkState,
    /// Everybody who was met.
    pub people: People,
    /// The conversation list.
    pub list: ConversationList,
    /// The conversation on the screen.
    pub open: Option<ConversationId>,
    /// Where the keys go.
    pub pane: Pane,
    /// What stands above.
    pub dialog: Option<Dialog>,
    /// The names that are offered for what is being written.
    pub completion: Option<Completion>,
    /// What concerns me.
    pub own: Own,
    /// Which key does what.
    pub keymap: Keymap,
    /// Whom I have blocked.
    pub blocked: HashSet<UserId>,
    /// A line for the user.
    pub notice: Option<Notice>,
    /// The longest message that the server takes, in characters.
    pub max_body_chars: usize,
    /// The list was scrolled to this place by the mouse.
    pub list_top: Option<usize>,
    /// What the last drawing showed.
    pub seen: Seen,
    /// Something visible may have changed since this was last set to false.
    pub changed: bool,
    chats: HashMap<ConversationId, Chat>,
    recent: VecDeque<ConversationId>,
    killed: String,
    tickets: u64,
    focused: bool,
    quit_asked: bool,
    beneath: Vec<Dialog>,
    watched: Vec<UserId>,
    max_watched: usize,
    list_changed: bool,
    /// What I moved myself: it goes where it belongs as soon as the server says so.
    moving: HashSet<ConversationId>,
    /// The list is the server's, and not only what was kept of it.
    fresh: bool,
    /// Going on with the earlier sign-in, while what was kept is on the screen.
    resuming: Option<Resuming>,
    submitted: Option<Submitted>,
    /// What was typed while a message was on its way into the outbox.
    held: VecDeque<Event>,
    server_address: String,
    /// The user name of an earlier sign-in, or nothing.
    username: String,
    seed: u128,
}

impl App {
    /// The state at the start, and what to do first.
    #[must_use]
    pub fn new(start: Start) -> (Self, Vec<Effect>) {
        let knows_me = start.resume && start.kept.me.is_some();
        let (screen, effects) = if knows_me {
            (Screen::Main, vec![Effect::Resume])
        } else if start.resume {
            (Screen::Resuming(Resuming::new()), vec![Effect::Resume])
        } else {
            let form = SignIn::new(&start.server, &start.username, None);
            (Screen::SignIn(form), Vec::new())
        };
        let me = start.kept.me.clone().filter(|_| knows_me);
        let mut app = Self {
            screen,
            now: start.now,
            zone: start.zone,
            server: Plain::line(&start.server),
            me: None,
            link: LinkState::Connecting,
            people: People::default(),
            list: ConversationList::default(),
            open: None,
            pane: Pane::List,
            dialog: None,
            completion: None,
            own: Own::new(start.preferences, start.now),
            keymap: Keymap::new(start.preferences.keys, start.rebindings),
            blocked: HashSet::new(),
            notice: None,
            max_body_chars: MAX_BODY_CHARS,
            list_top: None,
            seen: Seen::default(),
            changed: true,
            chats: HashMap::new(),
            recent: VecDeque::new(),
            killed: String::new(),
            tickets: FIRST_TICKET,
            focused: true,
            quit_asked: false,
            beneath: Vec::new(),
            watched: Vec::new(),
            max_watched: MAX_WATCHED,
            list_changed: false,
            moving: HashSet::new(),
            fresh: false,
            resuming: me.is_some().then(Resuming::new),
            submitted: None,
            held: VecDeque::new(),
            server_address: start.server,
            username: start.username,
            seed: start.seed.as_u128(),
        };
        if let Some(me) = me {
            app.me = Some(me.id);
            app.people.learn(&me);
            app.remember(start.kept);
        }
        (app, effects)
    }

    /// The conversation on the screen.
    #[must_use]
    pub fn chat(&self) -> Option<&Chat> {
        self.open.and_then(|id| self.chats.get(&id))
    }

    fn chat_mut(&mut self) -> Option<&mut Chat> {
        self.open.and_then(|id| self.chats.get_mut(&id))
    }

    /// A conversation that was opened at some time.
    #[must_use]
    pub fn chat_of(&self, id: ConversationId) -> Option<&Chat> {
        self.chats.get(&id)
    }

    /// How much of a conversation is unread, leaving out what stands before the user's eyes.
    #[must_use]
    pub fn unread(&self, item: &conversations::Item) -> (u64, bool) {
        let marked = self.chats.get(&item.id).map_or(0, |chat| chat.marked);
        if marked >= item.head_seq {
            (0, false)
        } else {
            (item.unread.count, item.unread.capped)
        }
    }

    /// Where the keys go now, the nearest first.
    #[must_use]
    pub fn contexts(&self) -> &'static [Context] {
        match (&self.screen, &self.dialog, self.pane) {
            (_, Some(dialog), _) => dialog.contexts(),
            (Screen::SignIn(_) | Screen::Resuming(_), ..) => {
                &[Context::SignIn, Context::Everywhere]
            }
            (_, _, Pane::List) => &[Context::List, Context::Main, Context::Everywhere],
            (_, _, Pane::Composer) if self.completion.is_some() => &[
                Context::Completion,
                Context::Composer,
                Context::Main,
                Context::Everywhere,
            ],
            (_, _, Pane::Composer) => &[Context::Composer, Context::Main, Context::Everywhere],
            (_, _, Pane::Messages) => &[Context::Messages, Context::Main, Context::Everywhere],
        }
    }

    /// The one way in which anything changes. What is to be done about it outside of the state is returned.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.changed |= self.apply(event, &mut effects);
        self.settle(&mut effects);
        effects
    }

    /// Takes in one event; whether anything visible may have changed by it.
    fn apply(&mut self, event: Event, effects: &mut Vec<Effect>) -> bool {
        let Some(event) = self.hold_back(event) else {
            return false;
        };
        match event {
            Event::Tick(now) => return self.tick(now, effects),
            Event::Key(key) => self.key(key, effects),
            Event::Pointer(gesture, spot) => self.point(gesture, spot, effects),
            Event::Paste(text) => self.paste(&text, effects),
            Event::Focus(focused) => {
                self.focused = focused;
                self.changed |= self.move_if_idle();
                if focused && !self.link.is_online() && matches!(self.screen, Screen::Main) {
                    self.connect_now(effects);
                }
                return false;
            }
            Event::Resized => {}
            Event::Seen(seen) => {
                self.seen = seen;
                return self.take_in_seen(&seen);
            }
            Event::Edited(id, text) => self.edited(id, text, effects),
            Event::Live(event) => return self.live(event, effects),
            Event::SignedIn(outcome) => self.signed_in(outcome, effects),
            Event::Remembered(kept) => {
                let again = self.remember(*kept);
                effects.extend(again);
            }
            Event::Recalled(id, entries) => self.recalled(id, &entries, effects),
            Event::Queued(conversation, client_id, outcome) => {
                self.queued(conversation, client_id, outcome, effects);
            }
            Event::SignedOut(outcome) => match outcome {
                Ok(()) => {
                    self.chats.clear();
                    effects.push(Effect::Forget);
                    self.ask_to_sign_in(Some(Plain::line("you are signed out")));
                }
                Err(error) => {
                    self.tell_error(&format!("not signed out: {}", fault::words(&error)));
                }
            },
            Event::Page(id, page, entries) => self.stretch(id, page, entries, effects),
            Event::Done(deed, outcome) => self.done(&deed, outcome, effects),
            Event::Message(message) => self.found_message(message, effects),
            Event::Readers(readers) => self.take_readers(readers),
            Event::Pins(id, pins) => self.take_pins(id, pins, effects),
            Event::Bans(id, banned) => self.take_banned(id, banned),
            Event::Blocks(blocked) => self.take_blocks(blocked),
            Event::Settings(settings) => match settings {
                Ok(settings) => self.take_settings(settings),
                Err(error) => {
                    let text = format!("your settings did not come: {}", fault::words(&error));
                    self.tell_error(&text);
                }
            },
            Event::SignIns(places) => self.take_sign_ins(places),
            Event::Searched(ticket, found, source) => {
                self.searched(ticket, found, source, effects);
            }
            Event::Members(id, members) => {
                // Without the members the conversation is whole; only who has read is not shown.
                let (Ok(members), Some(chat)) = (members, self.chats.get_mut(&id)) else {
                    return false;
                };
                chat.set_members(&members);
                for member in &members {
                    self.people.learn(&member.user);
                }
                self.list_changed |= self.open == Some(id);
            }
            Event::Person(id, profile) => {
                let Ok(profile) = profile else {
                    self.people.forget_asking(id);
                    return false;
                };
                self.people.learn(&profile);
            }
            Event::Found(ticket, found) => {
                let me = self.me;
                if let Some(Dialog::NewConversation(dialog)) = &mut self.dialog {
                    dialog.answer(ticket, found, me);
                } else {
                    self.found_for_switcher(ticket, found);
                }
            }
            Event::Whois(username, errand, answer) => {
                self.take_whois(&username, errand, answer, effects);
            }
            Event::Opened(outcome) => self.opened(outcome),
            Event::Started(row) => self.started(row, effects),
            Event::NotSuspended => self.tell("there is no shell to go back to"),
        }
        true
    }

    /// What the drawing found out about the scroll position becomes the scroll position.
    fn take_in_seen(&mut self, seen: &Seen) -> bool {
        if let Some(Dialog::Help(line) | Dialog::Readers(Readers { line, .. })) = &mut self.dialog {
            *line = (*line).min(seen.dialog_rest);
        }
        let Some(chat) = self.open.and_then(|id| self.chats.get_mut(&id)) else {
            return false;
        };
        if seen.conversation != Some(chat.id) {
            return false;
        }
        chat.reveal = false;
        if seen.at_end && chat.selected.is_none() {
            chat.scroll = chat::Scroll::Latest;
        } else if let Some((anchor, below)) = seen.top
            && (chat.scroll != chat::Scroll::Latest || !seen.at_end)
        {
            chat.scroll = chat::Scroll::At(anchor, -below);
        }
        false
    }

    fn tell(&mut self, text: &str) {
        self.notice = Some(Notice {
            text: Plain::line(text),
            is_error: false,
        });
    }

    fn tell_error(&mut self, text: &str) {
        self.notice = Some(Notice {
            text: Plain::line(text),
            is_error: true,
        });
    }

    /// Says something in which `{}` is the key that brings text back.
    fn tell_with_yank(&mut self, text: &str) {
        let key = self.keymap.name_of(Context::Composer, Action::Yank);
        self.tell(&text.replace("{}", &key));
    }

    /// A name for a message that no other message has.
    fn next_client_id(&mut self) -> ClientId {
        let id = ClientId::from_uuid(Uuid::from_u128(self.seed));
        // Only the low bits count, so that version and variant of the seed stay what they are.
        let low = (self.seed + 1) & 0x3FFF_FFFF_FFFF_FFFF;
        self.seed = (self.seed & !0x3FFF_FFFF_FFFF_FFFF) | low;
        id
    }
}
