//! Wrapped bodies of messages, so that a frame breaks only lines that are new to it.

use std::{collections::HashMap, ops::Range, rc::Rc};

use chat_core::model::ConversationId;

use super::{hits::Hits, links::Link};
use crate::{
    app::{address::Address, text::Plain, timeline::ItemId, wrap::wrap},
    event::Spot,
};

/// Rows of a message that are shown before the rest is folded.
const FOLDED_ROWS: usize = 24;
/// Rows that are shown of a message however long it is.
const MOST_ROWS: usize = 2_000;
/// When more is held than this, what the last frames did not use is let go.
const HELD: usize = 4_096;

/// A body broken into rows.
#[derive(Debug)]
pub(super) struct Wrapped {
    /// The rows that are shown, as ranges of the body.
    pub(super) rows: Vec<Range<usize>>,
    /// How many more there are.
    pub(super) folded: usize,
    /// The addresses in it, and where.
    pub(super) links: Vec<(Range<usize>, Address)>,
}

#[derive(Debug)]
struct Held {
    body: Plain,
    wrapped: Rc<Wrapped>,
    used: u64,
}

/// What was laid out for earlier frames.
#[derive(Debug, Default)]
pub struct LayoutCache {
    held: HashMap<(ConversationId, ItemId, usize, bool), Held>,
    frame: u64,
    pub(super) hits: Hits,
    pub(super) links: Vec<Link>,
}

impl LayoutCache {
    /// What the last frame showed in a cell.
    #[must_use]
    pub fn spot(&self, column: u16, row: u16) -> Option<Spot> {
        self.hits.at(column, row)
    }

    /// The addresses that the last frame showed.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// A frame begins.
    pub(super) fn begin(&mut self) {
        self.frame += 1;
        self.hits.clear();
        self.links.clear();
        if self.held.len() > HELD {
            let frame = self.frame;
            self.held.retain(|_, held| held.used + 2 >= frame);
        }
    }

    /// The rows of a body, broken anew only if it, or the width, is another one.
    pub(super) fn wrapped(
        &mut self,
        conversation: ConversationId,
        item: ItemId,
        body: &Plain,
        columns: usize,
        unfolded: bool,
    ) -> Rc<Wrapped> {
        let frame = self.frame;
        let key = (conversation, item, columns, unfolded);
        if let Some(held) = self.held.get_mut(&key)
            && held.body.is_same(body)
        {
            held.used = frame;
            return Rc::clone(&held.wrapped);
        }
        let mut rows = wrap(body.as_str(), columns);
        let shown = if unfolded { MOST_ROWS } else { FOLDED_ROWS };
        let folded = rows.len().saturating_sub(shown);
        rows.truncate(shown);
        let links = Address::places_in(body);
        let wrapped = Rc::new(Wrapped {
            rows,
            folded,
            links,
        });
        let held = Held {
            body: body.clone(),
            wrapped: Rc::clone(&wrapped),
            used: frame,
        };
        self.held.insert(key, held);
        wrapped
    }
}
