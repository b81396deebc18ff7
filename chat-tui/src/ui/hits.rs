//! Where on the screen what was drawn, so that the mouse finds it again.

use ratatui::layout::{Position, Rect};

use crate::event::Spot;

/// What the last frame showed where; what was drawn later lies above.
#[derive(Debug, Default)]
pub(super) struct Hits {
    spots: Vec<(Rect, Spot)>,
}

impl Hits {
    pub(super) fn clear(&mut self) {
        self.spots.clear();
    }

    pub(super) fn push(&mut self, area: Rect, spot: Spot) {
        self.spots.push((area, spot));
    }

    /// A row of an area.
    pub(super) fn push_row(&mut self, area: Rect, y: u16, spot: Spot) {
        if y < area.height {
            let row = Rect {
                y: area.y + y,
                height: 1,
                ..area
            };
            self.push(row, spot);
        }
    }

    /// What is drawn in a cell.
    pub(super) fn at(&self, column: u16, row: u16) -> Option<Spot> {
        let cell = Position::new(column, row);
        let mut spots = self.spots.iter().rev();
        let (area, spot) = spots.find(|(area, _)| area.contains(cell))?;
        Some(match *spot {
            Spot::Draft { row: first, .. } => Spot::Draft {
                row: first + usize::from(row - area.y),
                column: usize::from(column - area.x),
            },
            spot => spot,
        })
    }
}
