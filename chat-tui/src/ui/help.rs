//! The help: the keys as they are bound, and the commands.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::app::{
    slash::{Argument, COMMANDS},
    text::width,
};

impl Pen<'_> {
    pub(super) fn help(&mut self, line: usize, area: Rect, buffer: &mut Buffer) {
        let lines = self.help_lines(area.width);
        let inner = self.popup("Keys", (76, cells(lines.len() + 2)), area, buffer);
        let height = usize::from(inner.height);
        self.seen.dialog_rest = lines.len().saturating_sub(height);
        let first = line.min(self.seen.dialog_rest);
        for (y, line) in lines.iter().skip(first).take(height).enumerate() {
            put(buffer, inner, 0, cells(y), line);
        }
    }

    fn help_lines(&self, columns: u16) -> Vec<Line<'static>> {
        let (shown, column) = match columns {
            0..60 => (1, 9_usize),
            60..78 => (2, 15),
            _ => (3, 22),
        };
        let entry = |left: &str, help: &'static str| {
            let pad = " ".repeat(column.saturating_sub(width(left)));
            Line::from(vec![
                Span::styled(format!(" {left}{pad} "), self.theme.strong()),
                Span::raw(help),
            ])
        };
        let mut lines = Vec::new();
        let mut context = None;
        let bindings = self.app.keymap.bindings().iter();
        for binding in bindings.filter(|binding| !binding.keys.is_empty()) {
            if context != Some(binding.context) {
                if context.is_some() {
                    lines.push(Line::default());
                }
                context = Some(binding.context);
                lines.push(Line::styled(binding.context.title(), self.theme.accent()));
            }
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            lines.push(entry(
                &keys[..shown.min(keys.len())].join("  "),
                binding.help,
            ));
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
            lines.push(entry(
                &format!("/{} {argument}", command.name),
                command.help,
            ));
        }
        lines.push(entry("//", "a message that begins with /"));
        lines
    }
}
