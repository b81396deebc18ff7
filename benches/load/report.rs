//! What is told of measurements: lines and tables in Markdown, and a chart.

use std::{fmt::Write as _, io::Write as _, path::Path};

/// Told on standard output as it is found, and kept for a file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(std::io::stdout(), "{line}")?;
        writeln!(self.text, "{line}")?;
        Ok(())
    }

    pub(crate) fn row(&mut self, cells: &[String]) -> anyhow::Result<()> {
        self.line(&format!("| {} |", cells.join(" | ")))
    }

    pub(crate) fn heading(&mut self, cells: &[&str]) -> anyhow::Result<()> {
        self.line("")?;
        self.line(&format!("| {} |", cells.join(" | ")))?;
        self.line(&format!("|{}", " --- |".repeat(cells.len())))
    }

    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(path, &self.text)?)
    }
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A bar: what it is, how long it is, whether it is ours.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) is_ours: bool,
}

/// Horizontal bars, the shortest first; readable on light and dark pages.
pub(crate) fn chart(title: &str, bars: &[Bar]) -> String {
    const ROW: usize = 26;
    const LEFT: f64 = 240.0;
    const WIDTH: f64 = 460.0;
    let mut bars: Vec<&Bar> = bars.iter().collect();
    bars.sort_by(|a, b| a.value.total_cmp(&b.value));
    let longest = bars
        .last()
        .map_or(1.0, |bar| bar.value.max(f64::MIN_POSITIVE));
    let height = 44 + ROW * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"{height}\" viewBox=\"0 0 800 {height}\" role=\"img\">\n\
         <style>text{{font:13px sans-serif;fill:#57606a}}.t{{font-weight:600}}.b{{fill:#9aa4af}}.o{{fill:#1a7f64}}\
         @media(prefers-color-scheme:dark){{text{{fill:#c9d1d9}}.b{{fill:#6e7681}}.o{{fill:#3fb68b}}}}</style>\n\
         <title>{title}</title>\n<text class=\"t\" x=\"12\" y=\"22\">{title}</text>\n"
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = 36 + ROW * row;
        let width = WIDTH * bar.value / longest;
        let class = if bar.is_ours { "o" } else { "b" };
        let name = bar.name.replace('`', "").replace('&', "&amp;");
        let _infallible = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text><rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" rx=\"2\"/><text x=\"{:.1}\" y=\"{}\">{:.2}</text>",
            LEFT - 8.0,
            y + 14,
            LEFT + width + 6.0,
            y + 14,
            bar.value,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_its_space_and_names_are_escaped() {
        let bar = |name: &str, value| Bar {
            name: name.to_owned(),
            value,
            is_ours: false,
        };
        let svg = chart("cost", &[bar("a & b", 2.0), bar("c", 1.0)]);
        assert!(svg.contains("a &amp; b") && svg.contains("width=\"460.0\""));
        assert!(svg.contains("width=\"230.0\""));
        assert!(svg.find(">c<").unwrap() < svg.find("a &amp; b").unwrap());
    }

    #[test]
    fn the_median_of_none_is_nothing() {
        assert!(median(vec![]).abs() < f64::EPSILON);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
