//! What concerns me: how I am seen, what I let others know, where I am signed in.

use chat_core::{
    model::{Availability, Settings, Timestamp},
    protocol::rest::PatchSettings,
};

use super::{
    App, Dialog, Screen,
    ask::{Prompt, Question, Wanted},
    keymap::{Action, Preset},
    menu::{Menu, Subject},
    panels::SignIns,
};
use crate::{config::Preferences, deed::Deed, effect::Effect};

/// After so many minutes without a key one can count as idle; 0 is never.
const IDLE_CHOICES: [u32; 5] = [1, 5, 15, 60, 0];

/// How I am seen, and what I let others know.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// How I want to be seen on all devices.
    pub availability: Availability,
    /// Nobody sits at this device.
    pub idle: bool,
    /// What I let others know, once the server has told.
    pub settings: Option<Settings>,
    /// How this client is to be.
    pub preferences: Preferences,
    last_key: Timestamp,
}

impl Own {
    pub(super) fn new(preferences: Preferences, now: Timestamp) -> Self {
        Self {
            availability: Availability::Online,
            idle: false,
            settings: None,
            preferences,
            last_key: now,
        }
    }

    /// When a key was last pressed.
    pub(super) fn last_key(&self) -> Timestamp {
        self.last_key
    }

    /// When I count as idle if no key is pressed until then.
    pub(super) fn idle_at(&self) -> Option<Timestamp> {
        let after = i64::from(self.preferences.idle_after_minutes) * 60_000;
        let may = !self.idle && after > 0 && self.availability == Availability::Online;
        may.then(|| Timestamp::from_millis(self.last_key.as_millis() + after))
    }

    /// How I am seen from this device.
    #[must_use]
    pub fn seen_as(&self) -> Availability {
        match self.availability {
            Availability::Online if self.idle => Availability::Idle,
            availability => availability,
        }
    }
}

/// How somebody is seen, in words.
#[must_use]
pub const fn availability_words(availability: Availability) -> &'static str {
    match availability {
        Availability::Online => "online",
        Availability::Idle => "idle",
        Availability::Dnd => "do not disturb",
        Availability::Invisible => "invisible",
    }
}

impl App {
    /// A key was pressed, or something was pasted.
    pub(super) fn somebody_is_here(&mut self, effects: &mut Vec<Effect>) {
        self.own.last_key = self.now;
        if std::mem::take(&mut self.own.idle) {
            effects.push(Effect::SetPresence(Availability::Online));
        }
    }

    /// Tells the server when nobody has been here for a while; whether it did.
    pub(super) fn grow_idle(&mut self, effects: &mut Vec<Effect>) -> bool {
        let due = self.own.idle_at().is_some_and(|at| at <= self.now);
        if !due || !matches!(self.screen, Screen::Main) {
            return false;
        }
        self.own.idle = true;
        effects.push(Effect::SetPresence(Availability::Idle));
        true
    }

    pub(super) fn open_own_menu(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Settings);
        self.dialog = Some(Dialog::Menu(self.own_menu()));
    }

    /// What the server told of my settings, as a menu that is open says it.
    pub(super) fn take_settings(&mut self, settings: Settings) {
        self.own.settings = Some(settings);
        self.own.availability = settings.availability;
        if let Some(Dialog::Menu(menu)) = &self.dialog
            && menu.subject == Subject::Own
        {
            let selected = menu.selected;
            let mut menu = self.own_menu();
            menu.selected = selected;
            self.dialog = Some(Dialog::Menu(menu));
        }
    }

    pub(super) fn own_menu(&self) -> Menu {
        let own = &self.own;
        let is = |wanted| own.seen_as() == wanted;
        let status = |wanted, text: &str| {
            let now = if is(wanted) { " (now)" } else { "" };
            (Action::Available(wanted), format!("{text}{now}"))
        };
        let told = |what: &str, is_told: Option<bool>| match is_told {
            None => what.to_owned(),
            Some(true) => format!("{what}: yes"),
            Some(false) => format!("{what}: no"),
        };
        let settings = own.settings;
        let idle = match own.preferences.idle_after_minutes {
            0 => "idle by yourself: never".to_owned(),
            1 => "idle after 1 minute without a key".to_owned(),
            minutes => format!("idle after {minutes} minutes without a key"),
        };
        let items = vec![
            status(Availability::Online, "online"),
            status(Availability::Idle, "idle, until the next key"),
            status(Availability::Dnd, "do not disturb"),
            status(Availability::Invisible, "invisible"),
            (
                Action::Receipts,
                told(
                    "others see what you have read",
                    settings.map(|s| s.read_receipts),
                ),
            ),
            (
                Action::TellTyping,
                told("others see when you type", settings.map(|s| s.typing)),
            ),
            (Action::IdleAfter, idle),
            (
                Action::Keys,
                format!("keys: {}", own.preferences.keys.name()),
            ),
            (
                Action::Mouse,
                told("the mouse is for this client", Some(own.preferences.mouse)),
            ),
            (Action::RenameMe, "your name".to_owned()),
            (Action::SignIns, "where you are signed in".to_owned()),
            (Action::SignOut, "sign out here".to_owned()),
        ];
        let me = self.me.map_or("You", |me| self.people.name(me));
        Menu::new(Subject::Own, me, items)
    }

    /// Does what was chosen in the menu.
    pub(super) fn act_on_myself(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let settings = self.own.settings.unwrap_or_default();
        match action {
            Action::Available(availability) => {
                if availability == Availability::Idle {
                    // Only who is seen at all can be seen as idle.
                    if self.own.availability != Availability::Online {
                        self.own.availability = Availability::Online;
                        effects.push(Effect::SetPresence(Availability::Online));
                    }
                    self.own.idle = true;
                } else {
                    self.own.availability = availability;
                }
                effects.push(Effect::SetPresence(availability));
                self.tell(&format!("you are seen as {}", seen_words(availability)));
            }
            Action::Receipts => effects.push(Effect::Do(Deed::Settings(PatchSettings {
                read_receipts: Some(!settings.read_receipts),
                ..PatchSettings::default()
            }))),
            Action::TellTyping => effects.push(Effect::Do(Deed::Settings(PatchSettings {
                typing: Some(!settings.typing),
                ..PatchSettings::default()
            }))),
            Action::IdleAfter => {
                let now = self.own.preferences.idle_after_minutes;
                let at = IDLE_CHOICES.iter().position(|minutes| *minutes == now);
                let next = at.map_or(1, |at| (at + 1) % IDLE_CHOICES.len());
                self.own.preferences.idle_after_minutes = IDLE_CHOICES[next];
                self.keep_preferences(action, effects);
            }
            Action::Keys => {
                let preset = self.keymap.preset().next();
                self.use_keys(preset);
                self.keep_preferences(action, effects);
            }
            Action::Mouse => {
                let mouse = !self.own.preferences.mouse;
                self.own.preferences.mouse = mouse;
                effects.push(Effect::Mouse(mouse));
                self.keep_preferences(action, effects);
            }
            Action::RenameMe => {
                let name = self.me.map_or("", |me| self.people.name(me));
                self.dialog = Some(Dialog::Prompt(Prompt::new(Wanted::Name, name)));
            }
            Action::SignIns => {
                self.dialog = Some(Dialog::SignIns(SignIns::default()));
                effects.push(Effect::SignIns);
            }
            Action::SignOut => self.dialog = Some(Dialog::Ask(Question::sign_out())),
            _ => {}
        }
    }

    pub(super) fn use_keys(&mut self, preset: Preset) {
        self.keymap = self.keymap.with_preset(preset);
        self.own.preferences.keys = preset;
    }

    /// Keeps a changed preference, and shows it in the menu in which it was changed.
    fn keep_preferences(&mut self, changed: Action, effects: &mut Vec<Effect>) {
        effects.push(Effect::Keep(self.own.preferences));
        let mut menu = self.own_menu();
        let place = menu.items.iter().position(|(action, _)| *action == changed);
        menu.selected = place.unwrap_or(0);
        self.dialog = Some(Dialog::Menu(menu));
    }

    /// Asks whether to sign out at the selected place.
    pub(super) fn end_sign_in(&mut self) {
        let Some(Dialog::SignIns(panel)) = &self.dialog else {
            return;
        };
        let Some(place) = panel.places.items().get(panel.selected) else {
            return;
        };
        let question = if place.here {
            Question::sign_out()
        } else {
            let text = format!("Sign out there, at {}?", place.address);
            Question::before(Deed::EndSignIn(place.id), &text)
        };
        self.show_above(Dialog::Ask(question));
    }
}

const fn seen_words(availability: Availability) -> &'static str {
    match availability {
        Availability::Invisible => "offline: nobody is told that you are here",
        Availability::Dnd => "not to be disturbed",
        other => availability_words(other),
    }
}
