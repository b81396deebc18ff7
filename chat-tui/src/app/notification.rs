//! What makes itself heard while nobody looks, and the words for it.

use chat_core::model::{Availability, ConversationId, ConversationKind, Row};

use super::{App, conversations::Item, text::Plain};
use crate::effect::{Effect, Notification};

impl App {
    /// How much of these makes itself heard now.
    pub(super) fn loudness(&self, rows: &[Row]) -> Vec<(ConversationId, (u64, u64))> {
        let ids = rows.iter().map(|row| row.conversation.id);
        ids.map(|id| (id, self.list.get(id).map_or((0, 0), Item::heard)))
            .collect()
    }

    /// One notification for all that has become louder since; what came while the connection was away comes all at once.
    pub(super) fn notify(&self, before: &[(ConversationId, (u64, u64))]) -> Option<Effect> {
        if self.focused || self.own.availability == Availability::Dnd {
            return None;
        }
        let louder: Vec<(&Item, u64)> = before
            .iter()
            .filter_map(|(id, before)| {
                let item = self.list.get(*id)?;
                let now = item.heard();
                (now > *before).then_some((item, now.0.saturating_sub(before.0).max(1)))
            })
            .collect();
        let notification = match louder.as_slice() {
            [] => return None,
            [(item, more)] => self.about(item, *more),
            several => Notification {
                title: Plain::line(&format!("{} conversations", several.len())),
                text: new_messages(several.iter().map(|(_, more)| more).sum()),
            },
        };
        Some(Effect::Notify(notification))
    }

    fn about(&self, item: &Item, more: u64) -> Notification {
        let sender = item
            .last_message
            .and_then(|(_, sender)| self.people.get(sender));
        let title = match sender {
            Some(sender) if item.kind == ConversationKind::Group => {
                format!("{} in {}", sender.name, item.name)
            }
            _ => item.name.to_string(),
        };
        let text = if more == 1 {
            item.last_text.clone()
        } else {
            Plain::line(&format!("{} · {}", new_messages(more), item.last_text))
        };
        Notification {
            title: Plain::line(&title),
            text,
        }
    }
}

fn new_messages(count: u64) -> Plain {
    Plain::line(&match count {
        1 => "1 new message".to_owned(),
        count => format!("{count} new messages"),
    })
}
