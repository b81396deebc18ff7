//! Makes links of the addresses on the screen, for terminals that open what is clicked (OSC 8).
//!
//! A frame is drawn without them, cell by cell as it changes. Then the cells of addresses are written once more, between the
//! marks of a link; and those that were part of a link and are no longer are written without.

use std::io::{self, Write};

use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::{Buffer, Cell},
    layout::Rect,
};

use crate::{app::text::width, ui::Link};

/// Longer addresses are no links: terminals cut them, or take none that long.
const LONGEST: usize = 2_000;

/// What of the screen is a link.
#[derive(Debug, Default)]
pub(crate) struct Hyperlinks {
    shown: Vec<(Link, Vec<Cell>)>,
    /// The terminal would show the marks instead of heeding them.
    unknown: bool,
}

impl Hyperlinks {
    /// None yet. `variable` is the environment, which says what the terminal is.
    pub(crate) fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let terminal = variable("TERM");
        Self {
            shown: Vec::new(),
            unknown: matches!(terminal.as_deref(), Some("linux" | "dumb")),
        }
    }

    /// Whether there is anything to write for a frame with these links.
    pub(crate) fn would_change(&self, links: &[Link]) -> bool {
        let has_any = !links.is_empty() || !self.shown.is_empty();
        has_any && !self.unknown
    }

    /// Nothing on the screen is a link any more.
    pub(crate) fn forget(&mut self) {
        self.shown.clear();
    }

    /// Makes these cells of the screen links, and no others. The cursor stays where it is.
    pub(crate) fn show<W: Write>(
        &mut self,
        links: &[Link],
        buffer: &Buffer,
        backend: &mut CrosstermBackend<W>,
    ) -> io::Result<()> {
        let shown: Vec<(Link, Vec<Cell>)> = links
            .iter()
            .map(|link| {
                (
                    link.clone(),
                    cells(link.area, buffer).map(|it| it.2.clone()).collect(),
                )
            })
            .collect();
        if shown == self.shown {
            return Ok(());
        }
        let earlier = std::mem::replace(&mut self.shown, shown);
        backend.write_all(SAVE_CURSOR)?;
        for (link, _) in &earlier {
            backend.draw(cells(link.area.intersection(buffer.area), buffer))?;
        }
        for (n, link) in links.iter().enumerate() {
            let address = escaped(link.address.as_str());
            if address.len() <= LONGEST {
                write!(backend, "\x1b]8;id={};{address}\x1b\\", id(links, n))?;
                backend.draw(cells(link.area, buffer))?;
                write!(backend, "\x1b]8;;\x1b\\")?;
            }
        }
        backend.write_all(RESTORE_CURSOR)?;
        Backend::flush(backend)
    }
}

const SAVE_CURSOR: &[u8] = b"\x1b7";
const RESTORE_CURSOR: &[u8] = b"\x1b8";

/// The parts of one address that stand below each other are one link, which lights up as a whole.
fn id(links: &[Link], n: usize) -> usize {
    let is_next = |n: usize| {
        let (this, above) = (&links[n], &links[n - 1]);
        this.address == above.address && this.area.y == above.area.y + 1
    };
    (1..=n).rev().find(|n| !is_next(*n)).unwrap_or(0)
}

/// The cells of an area that are drawn: what a wide character covers beside its first cell is not.
fn cells(area: Rect, buffer: &Buffer) -> impl Iterator<Item = (u16, u16, &Cell)> {
    let mut covered = 0;
    area.intersection(buffer.area)
        .positions()
        .filter_map(move |at| {
            let cell = buffer.cell(at)?;
            if covered > 0 {
                covered -= 1;
                return None;
            }
            covered = width(cell.symbol()).saturating_sub(1);
            Some((at.x, at.y, cell))
        })
}

/// Only visible ASCII can be in the marks of a link.
fn escaped(address: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for byte in address.bytes() {
        match byte {
            b'!'..=b'~' => escaped.push(char::from(byte)),
            byte => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;
    use crate::app::{address::Address, text::Plain};

    fn link(x: u16, y: u16, width: u16, text: &str) -> Link {
        let address = Address::all_in(&Plain::line(text)).remove(0);
        let area = Rect::new(x, y, width, 1);
        Link { area, address }
    }

    fn shown(hyperlinks: &mut Hyperlinks, links: &[Link], buffer: &Buffer) -> String {
        let mut written = Vec::new();
        let mut backend = CrosstermBackend::new(&mut written);
        hyperlinks.show(links, buffer, &mut backend).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn addresses_become_links_once_and_cells_that_are_none_any_more_are_written_without() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
        buffer.set_string(2, 0, "https://例.jp/ä", Style::new());
        let mut hyperlinks = Hyperlinks::default();
        let links = [link(2, 0, 15, "https://例.jp/ä")];
        let written = shown(&mut hyperlinks, &links, &buffer);
        assert!(written.contains("\x1b]8;id=0;https://%E4%BE%8B.jp/%C3%A4\x1b\\"));
        assert!(written.contains("例") && written.ends_with("\x1b]8;;\x1b\\\x1b8"));
        // The same again is nothing to write.
        assert_eq!(shown(&mut hyperlinks, &links, &buffer), "");
        let written = shown(&mut hyperlinks, &[], &buffer);
        assert!(written.contains("例") && !written.contains("]8;"));
    }

    #[test]
    fn the_parts_of_a_wrapped_address_are_one_link() {
        let one = "https://example.org/one";
        let links = [
            link(0, 0, 9, one),
            link(0, 1, 9, one),
            link(5, 3, 9, one),
            link(0, 4, 9, "https://example.org/two"),
        ];
        let ids: Vec<usize> = (0..links.len()).map(|n| id(&links, n)).collect();
        assert_eq!(ids, [0, 0, 2, 3]);
    }
}
