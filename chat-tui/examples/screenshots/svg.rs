//! What is on a screen as SVG: a window with every character in its cell, and the same bytes whenever the story is told.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell, in units of the picture.
const WIDTH: usize = 9;
const HEIGHT: usize = 20;
const FONT: usize = 15;
/// From the top of a cell to the line that the letters stand on.
const BASE: usize = 15;
/// Around the cells, and above them the title.
const MARGIN: usize = 14;
const BAR: usize = 34;

const BACKGROUND: &str = "#1e1e2e";
const FOREGROUND: &str = "#cdd6f4";
const FRAME: &str = "#313244";

/// Who is told apart by colours, which depend on names that the server makes up anew each time.
const NAMES: [(&str, &str); 4] = [
    ("Ana Moreno", "#89b4fa"),
    ("Ben Okafor", "#a6e3a1"),
    ("Chloé Dubois", "#f5c2e7"),
    ("Dmitri Volkov", "#f9e2af"),
];
/// The colours that names may have come with.
const NAME_COLORS: [&str; 6] = [
    "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#f5c2e7", "#94e2d5",
];

/// One or several cells that look alike.
struct Run {
    column: usize,
    columns: usize,
    text: String,
    look: Look,
}

#[derive(Clone, PartialEq, Eq)]
struct Look {
    foreground: String,
    background: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

/// The screen as a picture of a window with this title.
pub(crate) fn of(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (usize::from(rows.get()), usize::from(columns.get()));
    let (width, height) = (columns * WIDTH + 2 * MARGIN, rows * HEIGHT + BAR + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"{FONT}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <path d=\"M0 {BAR}V8a8 8 0 0 1 8-8H{right}a8 8 0 0 1 8 8V{BAR}Z\" fill=\"{FRAME}\" opacity=\".6\"/>\n",
        right = width - 8,
    );
    for (n, color) in ["#f38ba8", "#f9e2af", "#a6e3a1"].into_iter().enumerate() {
        let x = 20 + n * 20;
        line(
            &mut svg,
            &format!("<circle cx=\"{x}\" cy=\"17\" r=\"6\" fill=\"{color}\"/>"),
        );
    }
    let middle = width / 2;
    line(
        &mut svg,
        &format!(
            "<text x=\"{middle}\" y=\"22\" text-anchor=\"middle\" font-size=\"13\" fill=\"#9399b2\">{}</text>",
            escaped(title)
        ),
    );
    for row in 0..rows {
        draw_row(&mut svg, screen, row, columns);
    }
    let (row, column) = screen.cursor_position();
    if !screen.hide_cursor() {
        let (x, y) = place(usize::from(row), usize::from(column));
        line(
            &mut svg,
            &format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{FOREGROUND}\" opacity=\".7\"/>"
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_row(svg: &mut String, screen: &Screen, row: usize, columns: usize) {
    let text: Vec<String> = stable((0..columns).map(|column| at(screen, row, column)), row);
    let runs = runs(screen, row, &text);
    for run in &runs {
        let (x, y) = place(row, run.column);
        let width = run.columns * WIDTH;
        if let Some(background) = &run.look.background {
            line(
                svg,
                &format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{background}\"/>"
                ),
            );
        }
        if run.text.chars().all(is_line) {
            for (n, glyph) in run.text.chars().enumerate() {
                draw_line(svg, glyph, x + n * WIDTH, y, &run.look.foreground);
            }
        } else if !run.text.trim().is_empty() {
            draw_text(svg, run, x, y, width);
        }
    }
}

fn draw_text(svg: &mut String, run: &Run, x: usize, y: usize, width: usize) {
    let mut attributes = String::new();
    if run.look.bold {
        attributes.push_str(" font-weight=\"bold\"");
    }
    if run.look.dim {
        attributes.push_str(" opacity=\".6\"");
    }
    if run.look.underlined {
        attributes.push_str(" text-decoration=\"underline\"");
    }
    line(
        svg,
        &format!(
            "<text x=\"{x}\" y=\"{}\" fill=\"{}\"{attributes} textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{}</text>",
            y + BASE,
            known_name(run).unwrap_or(&run.look.foreground),
            escaped(&run.text)
        ),
    );
}

/// Lines of neighbouring cells meet, which glyphs of a font do not in a picture.
fn draw_line(svg: &mut String, glyph: char, x: usize, y: usize, color: &str) {
    let (middle, center) = (x + WIDTH / 2, y + HEIGHT / 2);
    let (right, bottom) = (x + WIDTH, y + HEIGHT);
    let path = match glyph {
        '─' => format!("M{x} {center}H{right}"),
        '│' => format!("M{middle} {y}V{bottom}"),
        '╭' => format!("M{middle} {bottom}V{}q0-4 4-4H{right}", center + 4),
        '╮' => format!("M{x} {center}H{}q4 0 4 4V{bottom}", middle - 4),
        '╰' => format!("M{middle} {y}V{}q0 4 4 4H{right}", center - 4),
        '╯' => format!("M{x} {center}H{}q4 0 4-4V{y}", middle - 4),
        '▎' => format!("M{} {y}V{bottom}", x + 1),
        '▌' => format!("M{} {y}V{bottom}", x + 2),
        _ => return,
    };
    let thickness = match glyph {
        '▎' => 2,
        '▌' => 4,
        _ => 1,
    };
    line(
        svg,
        &format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{thickness}\"/>"
        ),
    );
}

fn is_line(glyph: char) -> bool {
    matches!(glyph, '─' | '│' | '╭' | '╮' | '╰' | '╯' | '▎' | '▌')
}

fn runs(screen: &Screen, row: usize, text: &[String]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (column, text) in text.iter().enumerate() {
        let Some(cell) = cell(screen, row, column) else {
            continue;
        };
        if cell.is_wide_continuation() {
            continue;
        }
        let columns = if cell.is_wide() { 2 } else { 1 };
        let look = look(cell);
        // What is drawn, or may be wider than the font says, is placed by itself.
        let alone = columns > 1 || (!text.is_ascii() && !text.chars().all(char::is_alphanumeric));
        let joins = |run: &Run| {
            let same_kind = run.text.chars().all(is_line) == text.chars().all(is_line);
            run.look == look
                && same_kind
                && !run.text.is_empty()
                && run.column + run.columns == column
        };
        match runs.last_mut() {
            Some(run)
                if joins(run) && (!alone || text.chars().all(is_line)) && !ends_alone(run) =>
            {
                run.text.push_str(text);
                run.columns += columns;
            }
            _ => runs.push(Run {
                column,
                columns,
                text: text.clone(),
                look,
            }),
        }
    }
    runs
}

fn ends_alone(run: &Run) -> bool {
    let drawn = run.text.chars().all(is_line);
    !drawn
        && run
            .text
            .chars()
            .any(|c| !c.is_ascii() && !c.is_alphanumeric())
}

fn look(cell: &Cell) -> Look {
    let color = |color, default: &str| match color {
        Color::Default => default.to_owned(),
        Color::Idx(n) => indexed(n).to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    };
    let mut foreground = color(cell.fgcolor(), FOREGROUND);
    let mut background = match cell.bgcolor() {
        Color::Default => None,
        other => Some(color(other, BACKGROUND)),
    };
    if cell.inverse() {
        let behind = background.take().unwrap_or_else(|| BACKGROUND.to_owned());
        background = Some(std::mem::replace(&mut foreground, behind));
    }
    Look {
        foreground,
        background,
        bold: cell.bold(),
        dim: cell.dim(),
        underlined: cell.underline(),
    }
}

fn indexed(n: u8) -> &'static str {
    const COLORS: [&str; 16] = [
        "#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#bac2de",
        "#585b70", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#ffffff",
    ];
    COLORS.get(usize::from(n)).copied().unwrap_or(FOREGROUND)
}

fn known_name(run: &Run) -> Option<&'static str> {
    if !run.look.bold || !NAME_COLORS.contains(&run.look.foreground.as_str()) {
        return None;
    }
    let known = NAMES.iter().find(|(name, _)| run.text.trim() == *name);
    known.map(|(_, color)| *color)
}

/// Clocks and the port of the server are what they would be in any telling of the story.
fn stable(cells: impl Iterator<Item = String>, row: usize) -> Vec<String> {
    let mut cells: Vec<String> = cells.collect();
    let digit = |cells: &[String], n: usize| {
        cells
            .get(n)
            .is_some_and(|text| text.len() == 1 && text.as_bytes()[0].is_ascii_digit())
    };
    for n in 2..cells.len() {
        let around = [n - 2, n - 1, n + 1, n + 2];
        if cells[n] == ":" && around.iter().all(|n| digit(&cells, *n)) && !digit(&cells, n + 3) {
            // In the list the newest is on top, in a conversation below.
            let in_list = n < 30 && cells.len() >= 60;
            let minute = if in_list { 48 - row } else { 12 + row };
            let clock = format!("14:{minute:02}");
            for (cell, c) in cells[n - 2..].iter_mut().zip(clock.chars()) {
                *cell = c.to_string();
            }
        }
    }
    let joined: String = cells.concat();
    if let Some(at) = joined.find("127.0.0.1:") {
        let mut port = "8080".chars();
        let mut n = joined[..at].chars().count() + "127.0.0.1:".len();
        while digit(&cells, n) {
            cells[n] = port.next().unwrap_or(' ').to_string();
            n += 1;
        }
    }
    cells
}

fn at(screen: &Screen, row: usize, column: usize) -> String {
    match cell(screen, row, column) {
        Some(cell) if cell.has_contents() => cell.contents().to_owned(),
        _ => " ".to_owned(),
    }
}

fn cell(screen: &Screen, row: usize, column: usize) -> Option<&Cell> {
    screen.cell(u16::try_from(row).ok()?, u16::try_from(column).ok()?)
}

fn place(row: usize, column: usize) -> (usize, usize) {
    (MARGIN + column * WIDTH, BAR + 4 + row * HEIGHT)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn line(svg: &mut String, element: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}
