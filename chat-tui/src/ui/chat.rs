//! An opened conversation: title, messages, who is typing, the draft.

use chat_core::model::ConversationKind;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::{
    app::{
        Pane,
        chat::Chat,
        composer::Motion,
        conversations::Item,
        keymap::{Action, Context},
        text::{fit, width},
        timeline::excerpt,
    },
    event::Spot,
};

/// The draft grows up to so many rows.
const MOST_DRAFT_ROWS: usize = 8;
/// Left of the draft.
const PROMPT: u16 = 4;

impl Pen<'_> {
    pub(super) fn chat(&mut self, area: Rect, buffer: &mut Buffer) {
        let Some(chat) = self.app.chat() else {
            return self.no_chat(area, buffer);
        };
        let draft_columns = area.width.saturating_sub(PROMPT + 1).max(1);
        self.seen.draft_columns = usize::from(draft_columns);
        let draft = chat.composer.layout(usize::from(draft_columns));
        let most = MOST_DRAFT_ROWS.min(usize::from(area.height / 3)).max(1);
        let draft_rows = cells(draft.rows.len().min(most));
        let reply_rows =
            u16::from((chat.reply_to.is_some() || chat.editing.is_some()) && area.height > 5);
        let header_rows = match area.height {
            0..=3 => 0,
            4..=9 => 1,
            _ => 2,
        };
        let rule_rows = u16::from(area.height > 2);
        let below = draft_rows + reply_rows + rule_rows;

        if header_rows > 0 {
            self.header(chat, area, header_rows, buffer);
        }
        let messages = Rect {
            y: area.y + header_rows,
            height: area.height.saturating_sub(header_rows + below),
            ..area
        };
        self.timeline(chat, messages, buffer);
        let mut y = messages.bottom() - area.y;
        if rule_rows > 0 {
            self.rule(chat, area, y, buffer);
            y += 1;
        }
        if reply_rows > 0 {
            self.reply(chat, area, y, buffer);
            y += 1;
        }
        let rows = Rect {
            y: area.y + y,
            height: draft_rows,
            ..area
        };
        self.draft(chat, &draft, rows, buffer);
        self.completion(messages, buffer);
    }

    fn no_chat(&self, area: Rect, buffer: &mut Buffer) {
        let text = if self.app.list.is_empty() {
            let key = self.key_name(Action::NewConversation);
            format!("{key} starts a conversation")
        } else {
            "↑ ↓ and Enter open a conversation".to_owned()
        };
        let x = usize::from(area.width).saturating_sub(width(&text)) / 2;
        let line = Line::styled(text, self.theme.dim());
        put(buffer, area, cells(x), area.height / 2, &line);
    }

    fn header(&self, chat: &Chat, area: Rect, rows: u16, buffer: &mut Buffer) {
        let Some(item) = self.app.list.get(chat.id) else {
            return;
        };
        let (words, style) = self.header_words(chat, item);
        let columns = usize::from(area.width);
        let name = fit(item.name.as_str(), columns.saturating_sub(2)).into_owned();
        let room = columns.saturating_sub(width(&name) + 5);
        let line = Line::from(vec![
            Span::raw(" "),
            Span::styled(name, self.theme.strong()),
            Span::raw("  "),
            Span::styled(fit(&words, room).into_owned(), style),
        ]);
        put(buffer, area, 0, 0, &line);
        if rows > 1 {
            let rule = "─".repeat(columns);
            put(buffer, area, 0, 1, &Line::styled(rule, self.theme.dim()));
        }
    }

    /// Whether the other one is there; of a group, how many there are.
    fn header_words(&self, chat: &Chat, item: &Item) -> (String, Style) {
        let dim = self.theme.dim();
        if let Some(why) = &chat.closed {
            return (why.to_string(), self.theme.bad());
        }
        if item.kind == ConversationKind::Group {
            let people = match item.member_count {
                1 => "only you".to_owned(),
                n => format!("{n} people"),
            };
            return match &item.topic {
                Some(topic) => (format!("{people} · {topic}"), dim),
                None => (people, dim),
            };
        }
        let Some(peer) = item.peer else {
            return (String::new(), dim);
        };
        if self.app.blocked.contains(&peer) {
            return ("blocked by you".to_owned(), self.theme.warn());
        }
        if Some(peer) == self.app.me {
            return ("your own notes".to_owned(), dim);
        }
        self.presence_words(peer)
    }

    /// The line between messages and draft: who is typing, and what lies below.
    fn rule(&self, chat: &Chat, area: Rect, y: u16, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let rule = "─".repeat(columns);
        put(buffer, area, 0, y, &Line::styled(rule, self.theme.dim()));
        let typing = self.typing(chat);
        if !typing.is_empty() {
            let text = format!(" {} ", fit(&typing, columns.saturating_sub(8)));
            put(buffer, area, 3, y, &Line::styled(text, self.theme.accent()));
        }
        let right = self.right_of_rule(chat);
        let needed = width(&right) + 4;
        if !right.is_empty() && needed + width(&typing) + 6 < columns {
            let x = columns - needed;
            let line = Line::styled(format!(" {right} "), self.theme.warn());
            put(buffer, area, cells(x), y, &line);
        }
    }

    fn typing(&self, chat: &Chat) -> String {
        let name = |n: usize| {
            chat.typing
                .get(n)
                .map_or("…", |id| self.app.people.name(*id))
        };
        match chat.typing.len() {
            0 => String::new(),
            1 => format!("{} is typing…", name(0)),
            2 => format!("{} and {} are typing…", name(0), name(1)),
            n => format!("{}, {} and {} more are typing…", name(0), name(1), n - 2),
        }
    }

    fn right_of_rule(&self, chat: &Chat) -> String {
        let chars = chat.composer.text().chars().count();
        let max = self.app.max_body_chars;
        if chars > max {
            return format!("{} too many", chars - max);
        }
        if chars * 10 > max * 9 {
            return format!("{} left", max - chars);
        }
        if self.seen.at_end {
            return String::new();
        }
        let below = chat
            .timeline
            .live_seq()
            .map_or(0, |last| last.saturating_sub(chat.marked));
        let key = if chat.composer.is_empty() {
            self.app
                .keymap
                .key_for(Context::Composer, Action::Move(Motion::End))
        } else {
            self.app.keymap.key_for(Context::Main, Action::Latest)
        };
        let key = key.map_or(String::new(), |key| format!("{key} "));
        match below {
            0 => format!("{key}↓ newest"),
            n => format!("{key}↓ {n} new"),
        }
    }

    fn reply(&self, chat: &Chat, area: Rect, y: u16, buffer: &mut Buffer) {
        let room = usize::from(area.width).saturating_sub(5);
        let above = |text: &str| Line::styled(fit(text, room).into_owned(), self.theme.dim());
        if let Some(editing) = &chat.editing {
            let was = excerpt(&editing.was);
            let keymap = &self.app.keymap;
            let back = keymap.key_for(Context::Composer, Action::Back);
            let back = back.or(keymap.key_for(Context::Composer, Action::ToMessages));
            let gives_up = back.map_or(String::new(), |key| format!(" · {key} gives up"));
            let line = above(&format!("✎ changing: {was}{gives_up}"));
            return put(buffer, area, PROMPT, y, &line);
        }
        let Some(reply) = &chat.reply_to else { return };
        let name = if Some(reply.sender) == self.app.me {
            "yourself"
        } else {
            self.app.people.name(reply.sender)
        };
        let text = format!("↪ to {name}: {}", reply.text);
        put(buffer, area, PROMPT, y, &above(&text));
    }

    fn draft(
        &mut self,
        chat: &Chat,
        draft: &crate::app::composer::DraftRows,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let focused = self.app.pane == Pane::Composer && self.app.dialog.is_none();
        let style = if focused {
            self.theme.accent()
        } else {
            self.theme.dim()
        };
        put(buffer, area, 2, 0, &Line::styled("›", style));
        let text = Rect {
            x: area.x + PROMPT.min(area.width),
            width: area.width.saturating_sub(PROMPT),
            ..area
        };
        if chat.composer.is_empty() {
            let hint = if chat.closed.is_some() {
                "this conversation is over"
            } else {
                "Write a message"
            };
            put(buffer, text, 0, 0, &Line::styled(hint, self.theme.dim()));
        }
        let height = usize::from(area.height);
        let first = (draft.cursor.0 + 1).saturating_sub(height);
        let spot = Spot::Draft {
            row: first,
            column: 0,
        };
        self.cache.hits.push(text, spot);
        for (y, row) in draft.rows.iter().skip(first).take(height).enumerate() {
            put(buffer, text, 0, cells(y), &Line::from(row.as_str()));
        }
        if focused {
            self.place_cursor(text, draft.cursor.1, cells(draft.cursor.0 - first));
        }
    }
}
