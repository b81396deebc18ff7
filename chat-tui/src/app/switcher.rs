//! The switcher: a conversation by a few letters of its name.

use chat_core::model::ConversationId;

use super::{composer::Composer, conversations::ConversationList};

/// The dialog.
#[derive(Debug, Default)]
pub struct Switcher {
    /// The letters.
    pub query: Composer,
    /// Which of the matches, from the top.
    pub selected: usize,
}

impl Switcher {
    /// The conversations that match: the better first, among equals in the order of the list.
    #[must_use]
    pub fn matches(&self, list: &ConversationList) -> Vec<ConversationId> {
        let query = self.query.text().trim().to_lowercase();
        let mut scored: Vec<(usize, ConversationId)> = list
            .all()
            .filter_map(|item| Some((distance(&query, item.name.as_str())?, item.id)))
            .collect();
        scored.sort_by_key(|(distance, _)| *distance);
        scored.into_iter().map(|(_, id)| id).collect()
    }
}

/// How far the letters of the query lie apart in the name, in order and without regard to case; none if not all are in it.
fn distance(query: &str, name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    let mut letters = name.chars().enumerate();
    let mut total = 0;
    let mut expected = 0;
    for wanted in query.chars() {
        let (at, _) = letters.find(|(_, c)| *c == wanted)?;
        total += at - expected;
        expected = at + 1;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn letters_match_in_order_and_closer_is_better() {
        assert_eq!(distance("", "Ana"), Some(0));
        assert_eq!(distance("zz", "Ana"), None);
        assert!(distance("rel", "Release") < distance("rel", "Red elephants"));
    }
}
