//! Plots as inline SVG, drawn so that they can be read from 340 pixels on.

use std::fmt::Write as _;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// Points in the unit square, from the lower left.
pub(crate) type Points = Vec<(f64, f64)>;

/// One line of a plot.
pub(crate) struct Curve {
    /// Class of its colour.
    pub(crate) class: &'static str,
    pub(crate) points: Points,
    /// Whether what lies below it is filled.
    pub(crate) filled: bool,
}

/// Lines over a grid.
pub(crate) struct Plot {
    /// What it shows, for who cannot see it.
    pub(crate) title: String,
    /// Marks, from 0 to 1, and what they say.
    pub(crate) x: Vec<(f64, String)>,
    pub(crate) y: Vec<(f64, String)>,
    pub(crate) curves: Vec<Curve>,
}

fn at((x, y): (f64, f64)) -> (f64, f64) {
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    (
        LEFT + x.clamp(0.0, 1.0) * width,
        TOP + (1.0 - y.clamp(0.0, 1.0)) * height,
    )
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        );
        for (y, label) in &self.y {
            let ((left, at_y), (right, _)) = (at((0.0, *y)), at((1.0, *y)));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{at_y:.1}\" y2=\"{at_y:.1}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 6.0,
                at_y + 4.0,
                escape(label)
            );
        }
        for (x, label) in &self.x {
            let (at_x, bottom) = at((*x, 0.0));
            // The last would not fit beside its mark.
            let class = match *x {
                x if x > 0.97 => "x last",
                // Where it is narrow, the last needs the place.
                x if x > 0.7 && label.len() > 4 => "x near",
                _ => "x",
            };
            let _ = write!(
                svg,
                "<line class=\"tick\" x1=\"{at_x:.1}\" x2=\"{at_x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"{class}\" x=\"{at_x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 5.0,
                bottom + 20.0,
                escape(label)
            );
        }
        for curve in &self.curves {
            svg.push_str(&curve.svg());
        }
        svg.push_str("</svg>");
        svg
    }
}

impl Curve {
    fn svg(&self) -> String {
        let placed = self.points.iter().map(|point| at(*point));
        let line: Vec<_> = placed.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (class, line) = (self.class, line.join(" "));
        let mut svg = String::new();
        if let (true, Some(first), Some(last)) =
            (self.filled, self.points.first(), self.points.last())
        {
            let (from, to) = (at((first.0, 0.0)), at((last.0, 0.0)));
            let _ = write!(
                svg,
                "<polygon class=\"{class} area\" points=\"{:.1},{:.1} {line} {:.1},{:.1}\"/>",
                from.0, from.1, to.0, to.1
            );
        }
        let _ = write!(svg, "<polyline class=\"{class}\" points=\"{line}\"/>");
        svg
    }
}

/// Round values for marks, from 0 to at least `most`: four or five steps.
pub(crate) fn marks(most: f64) -> Vec<f64> {
    let most = most.max(1e-9);
    let power = 10_f64.powf((most / 5.0).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| step * 5.0 >= most)
        .unwrap_or(power * 10.0);
    let count = (most / step).ceil().max(1.0) as u32;
    (0..=count).map(|n| f64::from(n) * step).collect()
}

/// For text and attributes of HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_reach_the_top() {
        for (most, expected) in [
            (1.0, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (
                47_000.0,
                vec![0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0],
            ),
            (0.0, vec![]),
        ] {
            let marks = marks(most);
            assert!(*marks.last().expect("some") >= most && marks.len() <= 6);
            let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6 * most.max(1.0);
            assert!(
                expected.is_empty() || marks.iter().zip(&expected).all(is_near),
                "{marks:?}"
            );
        }
    }

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escape("<a b=\"c&d'\">"),
            "&lt;a b=&quot;c&amp;d&#39;&quot;&gt;"
        );
    }
}
