//! The help: the keys as they are bound, and the commands.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::app::{
    keymap::Binding,
    slash::{Argument, COMMANDS},
    text::width,
};

/// From here on there is room for the names by which keys are bound in `keys.toml`.
const WITH_NAMES: u16 = 110;
/// Where those names stand.
const NAMES_AT: usize = 74;

impl Pen<'_> {
    pub(super) fn help(&mut self, line: usize, area: Rect, buffer: &mut Buffer) {
        let lines = self.help_lines(area.width);
        let columns = if area.width < WITH_NAMES { 76 } else { 108 };
        let size = (columns, cells(lines.len() + 2));
        let inner = self.popup("Keys", size, area, buffer);
        let height = usize::from(inner.height);
        self.seen.dialog_rest = lines.len().saturating_sub(height);
        let first = line.min(self.seen.dialog_rest);
        for (y, line) in lines.iter().skip(first).take(height).enumerate() {
            put(buffer, inner, 0, cells(y), line);
        }
    }

    fn help_lines(&self, columns: u16) -> Vec<Line<'static>> {
        let with_names = columns >= WITH_NAMES;
        let (shown, column) = match columns {
            0..60 => (1, 9),
            60..78 => (2, 15),
            _ => (3, 22),
        };
        let mut lines = Vec::new();
        let mut context = None;
        // Where the names are shown, it is of use to see what has no key yet.
        let is_shown = |binding: &&Binding| with_names || !binding.keys.is_empty();
        for binding in self.app.keymap.bindings().iter().filter(is_shown) {
            if context != Some(binding.context) {
                if context.is_some() {
                    lines.push(Line::default());
                }
                context = Some(binding.context);
                let title = binding.context.title();
                let mut line = Line::styled(title, self.theme.accent());
                if with_names {
                    self.name(&mut line, format!("[{}]", binding.context.name()));
                }
                lines.push(line);
            }
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            let keys = keys[..shown.min(keys.len())].join("  ");
            let mut line = self.entry(&keys, column, binding.help);
            if with_names {
                self.name(&mut line, format!("\"{}\"", binding.action.name()));
            }
            lines.push(line);
        }
        lines.push(Line::default());
        lines.push(Line::styled(
            "Commands, written as a message",
            self.theme.accent(),
        ));
        for command in COMMANDS {
            let argument = match command.argument {
                Argument::Choice(_) => "…".to_owned(),
                argument => argument.shown(),
            };
            let written = format!("/{} {argument}", command.name);
            lines.push(self.entry(&written, column, command.help));
        }
        lines.push(self.entry("//", column, "a message that begins with /"));
        lines
    }

    fn entry(&self, left: &str, column: usize, help: &'static str) -> Line<'static> {
        let pad = " ".repeat(column.saturating_sub(width(left)));
        Line::from(vec![
            Span::styled(format!(" {left}{pad} "), self.theme.strong()),
            Span::raw(help),
        ])
    }

    /// Puts a name of `keys.toml` behind a line.
    fn name(&self, line: &mut Line<'static>, name: String) {
        let gap = NAMES_AT.saturating_sub(line.width()).max(1);
        line.push_span(Span::raw(" ".repeat(gap)));
        line.push_span(Span::styled(name, self.theme.dim()));
    }
}
