//! The sign-in form, and the wait for a server that cannot be reached.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::app::{
    sign_in::{Field, Resuming, SignIn},
    text::fit,
    wrap::wrap,
};

const LABEL: u16 = 12;

impl Pen<'_> {
    pub(super) fn sign_in(&mut self, form: &SignIn, area: Rect, buffer: &mut Buffer) {
        let title = if form.registering {
            "New account"
        } else {
            "Sign in"
        };
        let fields = cells(form.fields().len());
        let roomy = area.height >= fields * 2 + 5;
        let step = if roomy { 2 } else { 1 };
        let size = (64, fields * step + if roomy { 5 } else { 3 });
        let inner = self.popup(title, size, area, buffer);
        let mut y = u16::from(roomy);
        if let Some(reason) = &form.reason
            && roomy
        {
            let text = fit(reason.as_str(), usize::from(inner.width)).into_owned();
            put(buffer, inner, 0, 0, &Line::styled(text, self.theme.warn()));
        }
        // On a tiny screen the field in which one writes is the one that is seen.
        let position = form
            .fields()
            .iter()
            .position(|field| *field == form.focused())
            .unwrap_or(0);
        let fits = usize::from(inner.height.saturating_sub(1).max(1));
        let first = if roomy {
            0
        } else {
            (position + 1).saturating_sub(fits)
        };
        for field in form.fields().iter().skip(first) {
            if y >= inner.height {
                break;
            }
            self.field(form, *field, inner, y, buffer);
            let error = form.error.as_ref().filter(|(at, _)| at == field);
            if let (Some((_, text)), true) = (error, roomy) {
                let room = Rect {
                    x: inner.x + LABEL.min(inner.width),
                    width: inner.width.saturating_sub(LABEL),
                    ..inner
                };
                let text = fit(text.as_str(), usize::from(room.width)).into_owned();
                put(
                    buffer,
                    room,
                    0,
                    y + 1,
                    &Line::styled(text, self.theme.bad()),
                );
            }
            y += step;
        }
        let below = inner.height.saturating_sub(1);
        if form.busy {
            let line = Line::styled("one moment…", self.theme.dim());
            put(buffer, inner, 0, below, &line);
        } else if let (Some((_, text)), false) = (&form.error, roomy) {
            let text = fit(text.as_str(), usize::from(inner.width)).into_owned();
            put(
                buffer,
                inner,
                0,
                below,
                &Line::styled(text, self.theme.bad()),
            );
        }
    }

    fn field(&mut self, form: &SignIn, field: Field, area: Rect, y: u16, buffer: &mut Buffer) {
        let focused = form.focused() == field && !form.busy;
        let style = if focused {
            self.theme.accent()
        } else {
            self.theme.dim()
        };
        put(buffer, area, 0, y, &Line::styled(field.label(), style));
        let input = Rect {
            x: area.x + LABEL.min(area.width),
            width: area.width.saturating_sub(LABEL),
            ..area
        };
        let value = form.value(field);
        if value.is_empty() && field == Field::DisplayName {
            let line = Line::styled("as others see you; may be left out", self.theme.dim());
            put(buffer, input, 0, y, &line);
        }
        let shown = focused && self.app.dialog.is_none();
        self.input(input, y, value, field == Field::Password, shown, buffer);
    }

    pub(super) fn resuming(&self, resuming: &Resuming, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width.saturating_sub(4)).max(1);
        let text = match &resuming.reason {
            Some(reason) => reason.to_string(),
            None => format!("Connecting to {} …", self.app.server),
        };
        let rows = wrap(&text, columns);
        let top = area.height.saturating_sub(cells(rows.len())) / 2;
        for (n, range) in rows.into_iter().enumerate() {
            let line = Line::from(vec![
                Span::raw("  "),
                Span::styled(text.get(range).unwrap_or_default(), self.theme.dim()),
            ]);
            put(buffer, area, 0, top + cells(n), &line);
        }
    }
}
