//! Which key does what where; the key bar, the help and the commands are made from it.

mod action;
mod key;
mod presets;
mod rebinding;
mod table;

pub use self::{
    action::Action,
    key::{Code, Key, NoKey},
    presets::Preset,
    rebinding::{Rebinding, read},
};

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Always.
    Everywhere,
    /// While conversations are on the screen and no dialog is above them.
    Main,
    /// In the conversation list.
    List,
    /// While writing.
    Composer,
    /// While a message is selected.
    Messages,
    /// In a dialog.
    Dialog,
    /// In a dialog in which nothing is written.
    Panel,
    /// While a name is offered for what is being written.
    Completion,
    /// In the menu of a conversation.
    Conversation,
    /// In the menu of what concerns me.
    Own,
    /// In the list of members.
    Members,
    /// In the menu of roles.
    Roles,
    /// When asked whether something is meant.
    Ask,
    /// On the sign-in screen.
    SignIn,
}

impl Context {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Everywhere,
        Self::Main,
        Self::List,
        Self::Composer,
        Self::Messages,
        Self::Dialog,
        Self::Panel,
        Self::Completion,
        Self::Conversation,
        Self::Own,
        Self::Members,
        Self::Roles,
        Self::Ask,
        Self::SignIn,
    ];

    /// As a heading of the help.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Main => "Conversations",
            Self::List => "In the list",
            Self::Composer => "While writing",
            Self::Messages => "On a selected message",
            Self::Dialog => "In a dialog",
            Self::Panel => "In a dialog without a field",
            Self::Completion => "While a name is offered",
            Self::Conversation => "In the menu of a conversation",
            Self::Own => "In the menu about yourself",
            Self::Members => "In the list of members",
            Self::Roles => "In the menu of roles",
            Self::Ask => "When asked whether you mean it",
            Self::SignIn => "Signing in",
        }
    }

    /// Its name in `keys.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Main => "main",
            Self::List => "list",
            Self::Composer => "composer",
            Self::Messages => "messages",
            Self::Dialog => "dialog",
            Self::Panel => "panel",
            Self::Completion => "completion",
            Self::Conversation => "conversation",
            Self::Own => "own",
            Self::Members => "members",
            Self::Roles => "roles",
            Self::Ask => "ask",
            Self::SignIn => "sign-in",
        }
    }

    /// Where else the actions are at home that a key can be bound to here.
    const fn beneath(self) -> &'static [Self] {
        match self {
            Self::List | Self::Messages | Self::Composer => &[Self::Main, Self::Everywhere],
            Self::Completion => &[Self::Composer, Self::Main, Self::Everywhere],
            Self::Panel | Self::Members => &[Self::Dialog, Self::Everywhere],
            Self::Everywhere => &[],
            _ => &[Self::Everywhere],
        }
    }

    /// Whether a letter alone is something that is written here.
    const fn takes_letters(self) -> bool {
        matches!(
            self,
            Self::Everywhere
                | Self::Main
                | Self::Composer
                | Self::Completion
                | Self::Dialog
                | Self::SignIn
        )
    }
}

/// What some keys do somewhere.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// By any of these keys; the first is the one that is shown in the key bar.
    pub keys: Vec<Key>,
    /// What.
    pub action: Action,
    /// For the help.
    pub help: &'static str,
}

/// The bindings as they are now: a preset, and what the user changed of it.
#[derive(Clone, Debug)]
pub struct Keymap {
    preset: Preset,
    rebindings: Vec<Rebinding>,
    bindings: Vec<Binding>,
    unbound: Vec<(Context, Key)>,
}

impl Keymap {
    /// A preset with these changes.
    #[must_use]
    pub fn new(preset: Preset, rebindings: Vec<Rebinding>) -> Self {
        let bindings = table::TABLE.iter().map(|row| Binding {
            context: row.context,
            keys: row.keys.to_vec(),
            action: row.action,
            help: row.help,
        });
        let mut keymap = Self {
            preset,
            bindings: bindings.collect(),
            unbound: Vec::new(),
            rebindings: Vec::new(),
        };
        for (context, action, keys) in preset.changes() {
            keymap.free(*context, keys);
            keymap.keys_of(*context, *action).clear();
            keymap.keys_of(*context, *action).extend(*keys);
        }
        for rebinding in &rebindings {
            keymap.rebind(rebinding);
        }
        Self {
            rebindings,
            ..keymap
        }
    }

    /// Another preset with the same changes.
    #[must_use]
    pub fn with_preset(&self, preset: Preset) -> Self {
        Self::new(preset, self.rebindings.clone())
    }

    /// The preset that is in use.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// All bindings in the order of the help; some have no keys.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What the key does where these contexts hold; the first that knows it wins.
    #[must_use]
    pub fn lookup(&self, contexts: &[Context], key: Key) -> Option<Action> {
        for context in contexts {
            if self.unbound.contains(&(*context, key)) {
                return None;
            }
            let mut here = self.bindings.iter().filter(|b| b.context == *context);
            if let Some(binding) = here.find(|b| b.keys.contains(&key)) {
                return Some(binding.action);
            }
        }
        None
    }

    /// The key to show for an action.
    #[must_use]
    pub fn key_for(&self, context: Context, action: Action) -> Option<Key> {
        let mut bindings = self.bindings.iter();
        bindings
            .find(|b| b.context == context && b.action == action)
            .and_then(|b| b.keys.first().copied())
    }

    /// The key to name for an action in a sentence.
    #[must_use]
    pub fn name_of(&self, context: Context, action: Action) -> String {
        match self.key_for(context, action) {
            Some(key) => key.to_string(),
            None => format!("“{}”, which has no key,", action.name()),
        }
    }

    fn rebind(&mut self, rebinding: &Rebinding) {
        let (context, key) = (rebinding.context, rebinding.key);
        self.unbound.retain(|held| *held != (context, key));
        self.free(context, &[key]);
        match rebinding.action {
            // Of several keys that the user gives to an action, and before those it has, the last is shown.
            Some(action) => self.keys_of(context, action).insert(0, key),
            None => self.unbound.push((context, key)),
        }
    }

    /// Takes keys away from whatever they do in a place.
    fn free(&mut self, context: Context, keys: &[Key]) {
        for binding in self.bindings.iter_mut().filter(|b| b.context == context) {
            binding.keys.retain(|key| !keys.contains(key));
        }
    }

    /// The keys of an action in a place, where it need not have been bound before.
    fn keys_of(&mut self, context: Context, action: Action) -> &mut Vec<Key> {
        let is_wanted = |b: &Binding| b.context == context && b.action == action;
        let at = self.bindings.iter().position(is_wanted);
        let at = at.unwrap_or_else(|| {
            let last = self.bindings.iter().rposition(|b| b.context == context);
            let at = last.map_or(self.bindings.len(), |last| last + 1);
            let help = rebinding::row(context, action).map_or("", |row| row.help);
            let binding = Binding {
                context,
                keys: Vec::new(),
                action,
                help,
            };
            self.bindings.insert(at, binding);
            at
        });
        &mut self.bindings[at].keys
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::app::composer::Motion;

    fn presets() -> [Keymap; 3] {
        [Preset::Plain, Preset::Vim, Preset::Emacs].map(|preset| Keymap::new(preset, Vec::new()))
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for keymap in presets() {
            let mut seen = HashSet::new();
            for binding in keymap.bindings() {
                for key in &binding.keys {
                    let fresh = seen.insert((binding.context, *key));
                    assert!(fresh, "{:?}: {key} {:?}", keymap.preset, binding.context);
                }
            }
        }
    }

    #[test]
    fn no_key_hides_another_that_holds_at_the_same_time() {
        use Context::{Composer, Everywhere, List, Main, Messages};
        let stacks = [
            [List, Main, Everywhere],
            [Composer, Main, Everywhere],
            [Messages, Main, Everywhere],
        ];
        for (keymap, stack) in presets()
            .iter()
            .flat_map(|k| stacks.map(|stack| (k, stack)))
        {
            let mut seen = HashSet::new();
            let held = keymap.bindings().iter();
            let held = held.filter(|b| stack.contains(&b.context));
            for (key, binding) in held.flat_map(|b| b.keys.iter().map(move |key| (key, b))) {
                let fresh = seen.insert(key);
                assert!(fresh, "{:?}: {key}: {}", keymap.preset, binding.help);
            }
        }
    }

    #[test]
    fn every_alt_key_has_a_twin_for_terminals_without_alt() {
        for keymap in presets() {
            for binding in keymap.bindings().iter().filter(|b| !b.keys.is_empty()) {
                let only_alt = binding.keys.iter().all(|key| key.alt);
                // Deleting a word forward is a convenience: moving and deleting back does the same.
                assert!(
                    !only_alt || binding.action == Action::Delete(Motion::WordRight),
                    "{:?}: {}",
                    keymap.preset,
                    binding.help
                );
            }
        }
    }

    #[test]
    fn every_preset_says_what_each_of_its_keys_does_and_takes_no_letter_from_writing() {
        for keymap in presets() {
            for binding in keymap.bindings() {
                assert!(!binding.help.is_empty(), "{:?}", binding.action);
                let letter = |key: &Key| !key.ctrl && !key.alt && matches!(key.code, Code::Char(_));
                let writes = binding.context.takes_letters();
                assert!(
                    !writes || !binding.keys.iter().any(letter),
                    "{}",
                    binding.help
                );
            }
        }
    }

    #[test]
    fn the_basics_work_in_every_preset() {
        use Context::{Composer, Everywhere, Main};
        let stack = [Composer, Main, Everywhere];
        for keymap in presets() {
            let does = |code| keymap.lookup(&stack, Key::plain(code));
            assert_eq!(does(Code::Enter), Some(Action::Send));
            assert_eq!(does(Code::F(1)), Some(Action::Help));
            assert_eq!(does(Code::PageUp), Some(Action::PageUp));
            assert!(does(Code::Esc).is_some());
            let quit = keymap.lookup(&stack, Key::ctrl(Code::Char('q')));
            assert_eq!(quit, Some(Action::Quit));
        }
    }
}
