//! What it looks like: draws the state, and changes nothing.

mod about;
mod chat;
mod conversations;
mod glyphs;
mod help;
mod hits;
mod inbox;
mod key_bar;
mod layout_cache;
mod links;
mod menu;
mod message;
mod new_conversation;
mod palette;
mod panels;
mod presence;
mod reactions;
mod search;
mod sign_in;
mod status;
mod switcher;
mod theme;
mod time;
mod timeline;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Block, BorderType, Clear, Widget},
};

pub use self::{
    glyphs::Glyphs,
    layout_cache::LayoutCache,
    links::Link,
    palette::{Palette, Preset},
    theme::Theme,
};
use crate::{
    app::{
        App, Dialog, Pane, Screen,
        keymap::{Action, Context},
        text::{self, fit},
    },
    event::{Seen, Spot},
};

/// The smallest screen on which anything useful fits.
const MIN_COLUMNS: u16 = 20;
const MIN_ROWS: u16 = 5;
/// From here on the list and a conversation stand side by side.
const TWO_PANES: u16 = 60;

/// Draws the state, and tells what only the layout can know.
pub fn view(app: &App, theme: Theme, cache: &mut LayoutCache, frame: &mut Frame<'_>) -> Seen {
    cache.begin();
    let area = frame.area();
    let mut pen = Pen {
        app,
        theme,
        cache,
        cursor: None,
        seen: Seen::default(),
    };
    let buffer = frame.buffer_mut();
    if area.width < MIN_COLUMNS || area.height < MIN_ROWS {
        let line = fit("chat: enlarge me", usize::from(area.width));
        put(buffer, area, 0, 0, &Line::from(line.as_ref()));
    } else {
        pen.screen(area, buffer);
    }
    if app.dialog.is_some() || app.completion.is_some() {
        // What lies above them would be taken for a part of them.
        pen.cache.links.clear();
    }
    let Pen { cursor, seen, .. } = pen;
    theme.glyphs().apply(buffer);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
    seen
}

/// What drawing needs, and what it finds out.
struct Pen<'a> {
    app: &'a App,
    theme: Theme,
    cache: &'a mut LayoutCache,
    cursor: Option<Position>,
    seen: Seen,
}

impl Pen<'_> {
    fn screen(&mut self, area: Rect, buffer: &mut Buffer) {
        let top = Rect { height: 1, ..area };
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        let middle = Rect {
            y: area.y + 1,
            height: area.height - 2,
            ..area
        };
        self.status_row(top, buffer);
        match &self.app.screen {
            Screen::Main => self.main(middle, buffer),
            Screen::SignIn(form) => self.sign_in(form, middle, buffer),
            Screen::Resuming(resuming) => self.resuming(resuming, middle, buffer),
        }
        match &self.app.dialog {
            Some(Dialog::Help(line)) => self.help(*line, middle, buffer),
            Some(Dialog::Inbox(inbox)) => self.inbox(inbox, middle, buffer),
            Some(Dialog::Switcher(switcher)) => self.switcher(switcher, middle, buffer),
            Some(Dialog::NewConversation(dialog)) => self.new_conversation(dialog, middle, buffer),
            Some(Dialog::Menu(menu)) => self.menu(menu, middle, buffer),
            Some(Dialog::Ask(question)) => self.question(question, middle, buffer),
            Some(Dialog::Prompt(prompt)) => self.prompt(prompt, middle, buffer),
            Some(Dialog::React(picker)) => self.picker(picker, middle, buffer),
            Some(Dialog::Addresses(panel)) => self.addresses(panel, middle, buffer),
            Some(Dialog::Details(details)) => self.details(details, middle, buffer),
            Some(Dialog::Profile(person)) => self.profile(*person, middle, buffer),
            Some(Dialog::Readers(panel)) => self.readers(panel, middle, buffer),
            Some(Dialog::Pins(panel)) => self.pins(panel, middle, buffer),
            Some(Dialog::Members(panel)) => self.members(panel, middle, buffer),
            Some(Dialog::Search(search)) => self.search(search, middle, buffer),
            Some(Dialog::SignIns(panel)) => self.sign_ins(panel, middle, buffer),
            None => {}
        }
        self.key_bar(bottom, buffer);
    }

    fn main(&mut self, area: Rect, buffer: &mut Buffer) {
        if area.width < TWO_PANES || self.theme.is_plain() {
            if self.app.pane == Pane::List || self.app.open.is_none() {
                self.list(area, buffer);
            } else {
                self.chat(area, buffer);
            }
            return;
        }
        let list_width = (area.width * 30 / 100).clamp(24, 38);
        let list = Rect {
            width: list_width,
            ..area
        };
        let chat = Rect {
            x: area.x + list_width + 1,
            width: area.width - list_width - 1,
            ..area
        };
        for y in area.top()..area.bottom() {
            buffer.set_string(list.right(), y, "│", self.theme.dim());
        }
        self.list(list, buffer);
        self.chat(chat, buffer);
    }

    /// An empty box in the middle, with a title; what is in it is given back.
    fn popup(&mut self, title: &str, size: (u16, u16), area: Rect, buffer: &mut Buffer) -> Rect {
        // Who has the screen read out has it read row by row: nothing may stand beside the box.
        let size = if self.theme.is_plain() {
            (area.width, area.height)
        } else {
            size
        };
        let width = size.0.min(area.width);
        let height = size.1.min(area.height);
        let outer = Rect {
            x: area.x + (area.width - width) / 2,
            y: area.y + (area.height - height) / 3,
            width,
            height,
        };
        self.cache.hits.push(outer, Spot::Dialog);
        Clear.render(outer, buffer);
        for y in outer.top()..outer.bottom() {
            // A wide glyph that reaches into the box would hide its edge.
            if let Some(cell) = outer.x.checked_sub(1).and_then(|x| buffer.cell_mut((x, y)))
                && text::width(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
        }
        if area.height < 5 || outer.height < 3 {
            return outer;
        }
        if self.theme.is_plain() {
            put(
                buffer,
                outer,
                1,
                0,
                &Line::styled(title, self.theme.strong()),
            );
            return Rect {
                x: outer.x + 2.min(outer.width),
                y: outer.y + 1,
                width: outer.width.saturating_sub(4),
                height: outer.height - 1,
            };
        }
        let block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(self.theme.dim())
            .title(Span::styled(format!(" {title} "), self.theme.strong()));
        let inner = block.inner(outer);
        block.render(outer, buffer);
        Rect {
            x: inner.x + 1,
            width: inner.width.saturating_sub(2),
            ..inner
        }
    }

    /// One line to write in; the cursor is put there.
    fn input(
        &mut self,
        area: Rect,
        y: u16,
        value: &crate::app::composer::Composer,
        masked: bool,
        focused: bool,
        buffer: &mut Buffer,
    ) {
        let columns = usize::from(area.width.max(1));
        let (text, at) = if masked {
            let before = value.text()[..value.cursor()].chars().count();
            ("•".repeat(value.text().chars().count()), before)
        } else {
            let rows = value.layout(usize::MAX);
            let at = rows.cursor.1;
            (rows.rows.into_iter().next().unwrap_or_default(), at)
        };
        // The line slides left so that the cursor is always on it.
        let (shown, column) = slide(&text, at, columns);
        put(buffer, area, 0, y, &Line::from(shown));
        paint(
            buffer,
            area,
            y,
            Style::new().add_modifier(Modifier::UNDERLINED),
        );
        if focused {
            self.place_cursor(area, column, y);
        }
    }

    /// The key of what can be done wherever conversations are on the screen.
    fn key_name(&self, action: Action) -> String {
        self.app.keymap.name_of(Context::Main, action)
    }

    fn place_cursor(&mut self, area: Rect, column: usize, row: u16) {
        if area.width == 0 || row >= area.height {
            return;
        }
        let column = u16::try_from(column)
            .unwrap_or(u16::MAX)
            .min(area.width - 1);
        self.cursor = Some(Position::new(area.x + column, area.y + row));
    }
}

/// The part of a line of which the cursor's column fits, and the column of the cursor in it.
fn slide(text: &str, at: usize, columns: usize) -> (String, usize) {
    use unicode_segmentation::UnicodeSegmentation;

    let mut skipped = 0;
    let mut rest = text;
    while at - skipped >= columns {
        let Some(grapheme) = rest.graphemes(true).next() else {
            break;
        };
        skipped += text::width(grapheme);
        rest = &rest[grapheme.len()..];
    }
    (rest.to_owned(), at.saturating_sub(skipped))
}

/// Draws a line inside of an area, cut at its right edge. Outside of it, nothing happens.
fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, line: &Line<'_>) {
    let area = area.intersection(buffer.area);
    if y < area.height && x < area.width {
        buffer.set_line(area.x + x, area.y + y, line, area.width - x);
    }
}

/// Gives a whole row a style.
fn paint(buffer: &mut Buffer, area: Rect, y: u16, style: Style) {
    if y < area.height {
        let row = Rect {
            y: area.y + y,
            height: 1,
            ..area
        };
        buffer.set_style(row.intersection(buffer.area), style);
    }
}

/// A length as the terminal counts, which is never more than it can have.
fn cells(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
