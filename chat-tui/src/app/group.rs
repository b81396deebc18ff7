//! What can be done with a conversation as a whole, and with its members.

use chat_core::model::{
    ConversationId, ConversationKind, History, MineChanges, Notify, Role, UserId,
};

use super::{
    App, Dialog,
    ask::{Prompt, Question, Wanted},
    chat::{Belonging, role_name},
    conversations::Item,
    keymap::{Action, Context},
    menu::{Menu, Subject},
    new_conversation::NewConversation,
    panels::{Loading, Members, Pins},
};
use crate::{deed::Deed, effect::Effect};

/// What makes itself heard, in words.
const fn notify_words(notify: Notify) -> &'static str {
    match notify {
        Notify::All => "every message",
        Notify::Mentions => "mentions",
        Notify::Nothing => "nothing",
    }
}

impl App {
    /// The conversation that the user means: the selected one in the list, else the open one.
    pub(super) fn meant(&self) -> Option<&Item> {
        let id = match self.pane {
            super::Pane::List => self.list.selected(),
            _ => self.open,
        };
        self.list.get(id.or(self.open)?)
    }

    pub(super) fn open_conversation_menu(&mut self) {
        let Some(item) = self.meant() else {
            return self.tell("open a conversation first");
        };
        let menu = Menu::new(
            Subject::Conversation(item.id),
            item.name.as_str(),
            self.conversation_items(item),
        );
        self.dialog = Some(Dialog::Menu(menu));
    }

    pub(super) fn conversation_items(&self, item: &Item) -> Vec<(Action, String)> {
        let either = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
        let (unread, _) = self.unread(item);
        let group = item.kind == ConversationKind::Group;
        let admin = group && item.role >= Role::Admin;
        let owner = group && item.role >= Role::Owner;
        let blocked = item.peer.is_some_and(|peer| self.blocked.contains(&peer));
        let to_others = item.peer != self.me;
        let history = match item.history {
            History::Shared => "newcomers see all (change to: from joining on)",
            History::FromJoin => "newcomers see what follows (change to: all)",
        };
        let notify = format!("notify me of: {}", notify_words(item.notify));
        let offered = [
            (
                true,
                Action::KeepOnTop,
                either(item.pinned, "no longer on top", "keep on top of the list"),
            ),
            (
                true,
                Action::Mute,
                either(item.muted, "no longer mute", "mute"),
            ),
            (
                true,
                Action::Archive,
                either(item.archived, "bring back from the archive", "archive"),
            ),
            (true, Action::Notify, notify.as_str()),
            (
                true,
                Action::ToggleRead,
                either(unread > 0, "mark read", "mark unread"),
            ),
            (true, Action::Pins, "pinned messages"),
            (group, Action::Members, "members"),
            (admin, Action::Rename, "rename"),
            (admin, Action::Topic, "topic"),
            (owner, Action::History, history),
            (!group, Action::Profile, "about this person"),
            (
                !group && to_others,
                Action::Block,
                either(blocked, "no longer block", "block"),
            ),
            (group, Action::Leave, "leave"),
            (owner, Action::DeleteGroup, "delete for everyone"),
        ];
        let offered = offered.into_iter().filter(|(may, ..)| *may);
        offered
            .map(|(_, action, text)| (action, text.to_owned()))
            .collect()
    }

    /// Does with a conversation what was chosen in its menu.
    pub(super) fn act_on_conversation(
        &mut self,
        id: ConversationId,
        action: Action,
        effects: &mut Vec<Effect>,
    ) {
        let Some(item) = self.list.get(id) else {
            return self.tell_error("that conversation is no longer in your list");
        };
        let none = MineChanges::default();
        let mine = |changes| Effect::Do(Deed::Mine(id, changes));
        if matches!(action, Action::KeepOnTop | Action::Archive) {
            self.moving.insert(id);
        }
        match action {
            Action::KeepOnTop => effects.push(mine(MineChanges {
                pinned: Some(!item.pinned),
                ..none
            })),
            Action::Mute => effects.push(mine(MineChanges {
                muted: Some(!item.muted),
                ..none
            })),
            Action::Archive => effects.push(mine(MineChanges {
                archived: Some(!item.archived),
                ..none
            })),
            Action::Notify => {
                let next = match item.notify {
                    Notify::All => Notify::Mentions,
                    Notify::Mentions => Notify::Nothing,
                    Notify::Nothing => Notify::All,
                };
                effects.push(mine(MineChanges {
                    notify: Some(next),
                    ..none
                }));
            }
            Action::ToggleRead => self.toggle_read(id, effects),
            Action::Pins => {
                self.make_open(id, effects);
                self.open_pins(effects);
            }
            Action::Members => {
                self.make_open(id, effects);
                self.open_members(effects);
            }
            Action::Rename => {
                let prompt = Prompt::new(Wanted::Title(id), item.name.as_str());
                self.dialog = Some(Dialog::Prompt(prompt));
            }
            Action::Topic => {
                let so_far = item.topic.as_ref().map_or("", |topic| topic.as_str());
                let prompt = Prompt::new(Wanted::Topic(id), so_far);
                self.dialog = Some(Dialog::Prompt(prompt));
            }
            Action::History => {
                let other = match item.history {
                    History::Shared => History::FromJoin,
                    History::FromJoin => History::Shared,
                };
                effects.push(Effect::Do(Deed::History(id, other)));
            }
            Action::Profile => {
                if let Some(peer) = item.peer {
                    self.open_profile(peer, effects);
                }
            }
            Action::Block => {
                if let Some(peer) = item.peer {
                    self.toggle_block_of(peer, effects);
                }
            }
            Action::Leave => self.ask_to_leave(id),
            Action::DeleteGroup => {
                let text = format!("Delete “{}” for everyone? It cannot be undone.", item.name);
                let question = Question::before(Deed::DeleteGroup(id), &text);
                self.dialog = Some(Dialog::Ask(question));
            }
            _ => {}
        }
    }

    fn make_open(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        if self.open != Some(id) {
            self.open_conversation(id, effects);
        }
    }

    fn toggle_read(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let Some(item) = self.list.get(id) else {
            return;
        };
        let (unread, _) = self.unread(item);
        if unread > 0 {
            effects.push(Effect::MarkRead(id, item.head_seq));
            if let Some(chat) = self.chats.get_mut(&id) {
                chat.marked = item.head_seq;
                chat.kept_unread = false;
            }
            return;
        }
        let me = self.me;
        let from_row = item.last_message.filter(|(_, sender)| Some(*sender) != me);
        let in_chat = self.chats.get(&id).and_then(|chat| {
            let mut lines = chat.timeline.lines().iter().rev();
            let other = |said: &super::timeline::Said| Some(said.sender) != me && !said.deleted;
            lines
                .find(|line| line.said().is_some_and(other))
                .map(|line| line.seq)
        });
        let Some(newest) = from_row.map(|(seq, _)| seq).or(in_chat) else {
            return self.tell("nothing here was said by others: nothing can be unread");
        };
        if let Some(chat) = self.chats.get_mut(&id) {
            chat.keep_unread(newest - 1);
        }
        effects.push(Effect::MarkUnread(id, newest - 1));
    }

    fn ask_to_leave(&mut self, id: ConversationId) {
        let (Some(me), Some(item)) = (self.me, self.list.get(id)) else {
            return;
        };
        let text = format!("Leave “{}”?", item.name);
        let question = Question::before(Deed::Remove(id, me), &text);
        self.show_above(Dialog::Ask(question));
    }

    pub(super) fn open_pins(&mut self, effects: &mut Vec<Effect>) {
        let Some(conversation) = self.open else {
            return self.tell("open a conversation first");
        };
        self.dialog = Some(Dialog::Pins(Pins {
            conversation,
            pins: Loading::Waiting,
            selected: 0,
        }));
        effects.push(Effect::Pins(conversation));
    }

    pub(super) fn open_members(&mut self, effects: &mut Vec<Effect>) {
        let item = self.open.and_then(|id| self.list.get(id));
        let Some(item) = item.filter(|item| item.kind == ConversationKind::Group) else {
            return self.tell("open a group first: only groups have members");
        };
        let (conversation, role) = (item.id, item.role);
        self.dialog = Some(Dialog::Members(Members {
            conversation,
            banned: Vec::new(),
            selected: 0,
        }));
        effects.push(Effect::Members(conversation));
        if role >= Role::Admin {
            effects.push(Effect::Bans(conversation));
        }
    }

    /// The members of a group in the order in which they are shown: those with more to say first, then by name.
    #[must_use]
    pub fn members_in_order(&self, conversation: ConversationId) -> Vec<Belonging> {
        let Some(chat) = self.chats.get(&conversation) else {
            return Vec::new();
        };
        let mut members = chat.members.clone();
        members.sort_by_cached_key(|member| {
            let name = self.people.name(member.id).to_lowercase();
            (std::cmp::Reverse(member.role), name, member.id)
        });
        members
    }

    /// What a key does in the list of members; the present ones come before the banned.
    pub(super) fn act_in_members(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(Dialog::Members(panel)) = &self.dialog else {
            return;
        };
        let conversation = panel.conversation;
        let members = self.members_in_order(conversation);
        let member = members.get(panel.selected).copied();
        let at = panel.selected.checked_sub(members.len());
        let banned = at.and_then(|at| panel.banned.get(at)).copied();
        let group = self.list.get(conversation);
        let role = group.map_or(Role::Member, |item| item.role);
        match action {
            Action::Add if role >= Role::Admin => {
                let dialog = NewConversation::adding_to(conversation);
                self.show_above(Dialog::NewConversation(dialog));
            }
            Action::Profile => {
                if let Some(person) = member.map(|member| member.id).or(banned) {
                    self.open_profile(person, effects);
                }
            }
            Action::Add => self.tell_error("only admins and owners add people"),
            Action::Leave => self.ask_to_leave(conversation),
            Action::Enter => {
                let person = member.map(|member| member.id).or(banned);
                if let Some(person) = person.filter(|id| Some(*id) != self.me) {
                    effects.push(Effect::Direct(person));
                }
            }
            Action::Ban if banned.is_some() => {
                let lift = banned.map(|user| Effect::Do(Deed::LiftBan(conversation, user)));
                effects.extend(lift);
            }
            Action::ChangeRole | Action::Remove | Action::Ban => {
                let Some(member) = member else { return };
                self.act_on_member(conversation, member, role, action);
            }
            _ => {}
        }
    }

    fn act_on_member(
        &mut self,
        conversation: ConversationId,
        member: Belonging,
        role: Role,
        action: Action,
    ) {
        let name = self.people.name(member.id).to_owned();
        let over = match member.role {
            Role::Member => Role::Admin,
            Role::Admin | Role::Owner => Role::Owner,
        };
        match action {
            Action::ChangeRole if role < Role::Owner => {
                self.tell_error("only owners give roles");
            }
            Action::ChangeRole => self.open_roles(conversation, member, &name),
            _ if Some(member.id) == self.me => {
                let key = self.keymap.name_of(Context::Members, Action::Leave);
                self.tell(&format!("to go yourself, press {key}"));
            }
            _ if role < over => {
                let text = format!("only {}s can remove {name}", bare(over));
                self.tell_error(&text);
            }
            Action::Remove => {
                let deed = Deed::Remove(conversation, member.id);
                let question = Question::before(deed, &format!("Remove {name}?"));
                self.show_above(Dialog::Ask(question));
            }
            _ => {
                let deed = Deed::Ban(conversation, member.id);
                let text = format!("Ban {name}? They cannot be added again until it is lifted.");
                self.show_above(Dialog::Ask(Question::before(deed, &text)));
            }
        }
    }

    fn open_roles(&mut self, conversation: ConversationId, member: Belonging, name: &str) {
        let roles = [Role::Member, Role::Admin, Role::Owner];
        let others = roles.into_iter().filter(|role| *role != member.role);
        let items = others.map(|role| (Action::Role(role), role_name(role).to_owned()));
        let subject = Subject::Role(conversation, member.id);
        let menu = Menu::new(subject, &format!("Make {name}"), items.collect());
        self.show_above(Dialog::Menu(menu));
    }

    pub(super) fn take_bans(&mut self, conversation: ConversationId, users: Vec<UserId>) {
        if let Some(Dialog::Members(panel)) = &mut self.dialog
            && panel.conversation == conversation
        {
            panel.banned = users;
        }
    }
}

const fn bare(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}
