//! The picker of an emoji to put on a message.

use chat_core::model::{Emoji, MessageId};

use super::composer::{Composer, Motion};

/// What people react with most.
const COMMON: [&str; 12] = [
    "👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "🔥", "✅", "👎", "🤔",
];
/// So many are offered for a name.
const OFFERED: usize = 12;

/// The dialog.
#[derive(Clone, Debug)]
pub struct Picker {
    /// The message.
    pub message: MessageId,
    /// Part of the name of an emoji, or an emoji.
    pub query: Composer,
    /// What is offered, each with its name.
    pub offered: Vec<(Emoji, &'static str)>,
    /// Which of it, from the left.
    pub selected: usize,
    /// What is chosen is taken away: these are all there are.
    pub only: Option<Vec<Emoji>>,
}

impl Picker {
    /// Offers what is common.
    #[must_use]
    pub fn new(message: MessageId) -> Self {
        let mut picker = Self {
            message,
            query: Composer::default(),
            offered: Vec::new(),
            selected: 0,
            only: None,
        };
        picker.offer();
        picker
    }

    /// Offers what is on the message, to be taken away.
    #[must_use]
    pub fn of(message: MessageId, emoji: Vec<Emoji>) -> Self {
        let mut picker = Self {
            only: Some(emoji),
            ..Self::new(message)
        };
        picker.offer();
        picker
    }

    /// Typed or pasted text.
    pub fn insert(&mut self, text: &str) {
        self.query.insert(text.lines().next().unwrap_or_default());
        self.offer();
    }

    /// Deletes in what was typed.
    pub fn delete(&mut self, motion: Motion) {
        self.query.delete(motion);
        self.offer();
    }

    /// Moves the selection by so many places, as far as it goes.
    pub fn go(&mut self, by: isize) {
        let last = self.offered.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// The selected one.
    #[must_use]
    pub fn chosen(&self) -> Option<&Emoji> {
        self.offered.get(self.selected).map(|(emoji, _)| emoji)
    }

    fn offer(&mut self) {
        self.selected = 0;
        let query = self.query.text().trim().trim_matches(':').to_lowercase();
        let named = |emoji: &str| (one(emoji), name(emoji));
        let all: Vec<(Option<Emoji>, &'static str)> = match &self.only {
            Some(only) => only
                .iter()
                .map(|emoji| (Some(emoji.clone()), name(emoji.as_str())))
                .filter(|(_, name)| name.contains(&query))
                .collect(),
            None if query.is_empty() => COMMON.into_iter().map(named).collect(),
            None => match one(&query) {
                Some(emoji) => vec![(Some(emoji), name(&query))],
                None => by_name(&query).map(named).collect(),
            },
        };
        let offered = all.into_iter();
        self.offered = offered
            .filter_map(|(emoji, name)| Some((emoji?, name)))
            .collect();
    }
}

fn one(text: &str) -> Option<Emoji> {
    Emoji::try_from(text.to_owned()).ok()
}

fn name(emoji: &str) -> &'static str {
    emojis::get(emoji).map_or("", emojis::Emoji::name)
}

/// Emoji with this in one of their names: the beginning of a name first.
fn by_name(query: &str) -> impl Iterator<Item = &'static str> {
    let rank = |emoji: &emojis::Emoji| {
        let names = emoji.shortcodes().chain([emoji.name()]);
        names
            .filter_map(|name| match name.find(query)? {
                0 => Some(name.len()),
                _ => Some(1_000 + name.len()),
            })
            .min()
    };
    let mut found: Vec<(usize, &'static str)> = emojis::iter()
        .filter_map(|emoji| Some((rank(emoji)?, emoji.as_str())))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().take(OFFERED).map(|(_, emoji)| emoji)
}

#[cfg(test)]
mod tests {
    use chat_core::model::MessageId;

    use super::Picker;

    fn offered(query: &str) -> Vec<String> {
        let mut picker = Picker::new(MessageId::new());
        picker.insert(query);
        let offered = picker.offered.into_iter();
        offered.map(|(emoji, _)| emoji.into()).collect()
    }

    #[test]
    fn an_emoji_is_found_by_a_part_of_its_name_or_pasted() {
        assert_eq!(offered("rocket")[0], "🚀");
        assert_eq!(offered(":tada:")[0], "🎉");
        assert_eq!(offered("🦀"), ["🦀"]);
        assert_eq!(offered("👩🏽‍🚀"), ["👩🏽‍🚀"]);
        assert!(offered("no such thing").is_empty());
        assert_eq!(offered("").len(), super::COMMON.len());
    }
}
