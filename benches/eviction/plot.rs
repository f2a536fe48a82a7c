//! Draws the reuse ratios: a panel for each trace, a group for each capacity, a bar for each policy.

use std::fmt::Write;

use crate::{CAPACITIES, POLICIES, Row};

/// Told apart by the colour-blind, too (Okabe and Ito).
const COLOURS: [&str; POLICIES.len()] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#8c8c8c"];

const BAR: usize = 20;
const GROUP: usize = POLICIES.len() * BAR + 20;
const PANEL: usize = CAPACITIES.len() * GROUP + 20;
const LEFT: usize = 60;
const TOP: usize = 70;
/// Of the bar for 100 %.
const HEIGHT: usize = 300;

pub(crate) fn draw(rows: &[Row]) -> String {
    let panels: Vec<_> = rows.chunks(CAPACITIES.len() * POLICIES.len()).collect();
    let (width, height) = (LEFT + panels.len() * PANEL, TOP + HEIGHT + 60);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" text-anchor=\"middle\">\n\
         <title>Connection reuse by eviction policy</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    legend(&mut svg);
    axis(&mut svg, width);
    for (i, panel) in panels.iter().enumerate() {
        draw_panel(&mut svg, LEFT + i * PANEL, panel);
    }
    let (x, y) = ((LEFT + width) / 2, height - 12);
    text(&mut svg, (x, y), "", "capacity: connections open at most");
    svg + "</svg>\n"
}

fn legend(svg: &mut String) {
    for (i, ((policy, _), colour)) in POLICIES.iter().zip(COLOURS).enumerate() {
        let x = LEFT + 10 + i * 130;
        rect(svg, (x, 12, 14, 14), colour);
        text(svg, (x + 20, 24), "text-anchor=\"start\"", policy);
    }
}

fn axis(svg: &mut String, width: usize) {
    for percent in (0..=100).step_by(20) {
        let y = TOP + HEIGHT - percent * HEIGHT / 100;
        rect(svg, (LEFT, y, width - LEFT - 10, 1), "#d8d8d8");
        text(
            svg,
            (LEFT - 8, y + 4),
            "text-anchor=\"end\"",
            &percent.to_string(),
        );
    }
    let (x, y) = (18, TOP + HEIGHT / 2);
    let turned = format!("transform=\"rotate(-90 {x} {y})\"");
    text(svg, (x, y), &turned, "fetches that reused a connection, %");
}

fn draw_panel(svg: &mut String, left: usize, rows: &[Row]) {
    let groups: Vec<_> = rows.chunks(POLICIES.len()).collect();
    if let Some(row) = rows.first() {
        let centre = left + (PANEL - 20) / 2;
        text(svg, (centre, TOP - 16), "font-weight=\"bold\"", row.trace);
    }
    for (i, group) in groups.iter().enumerate() {
        let left = left + 10 + i * GROUP;
        for (j, (row, colour)) in group.iter().zip(COLOURS).enumerate() {
            let percent = row.outcome.reuse();
            let (x, height) = (left + j * BAR, (percent * HEIGHT as f64 / 100.0) as usize);
            let top = TOP + HEIGHT - height;
            rect(svg, (x, top, BAR - 2, height), colour);
            let label = format!("{percent:.0}");
            text(svg, (x + BAR / 2 - 1, top - 4), "font-size=\"11\"", &label);
        }
        let (x, y) = (left + POLICIES.len() * BAR / 2, TOP + HEIGHT + 18);
        let capacity = group.first().map_or(0, |row| row.capacity);
        text(svg, (x, y), "", &capacity.to_string());
    }
}

fn rect(svg: &mut String, (x, y, width, height): (usize, usize, usize, usize), fill: &str) {
    let rect = format_args!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"
    );
    writeln!(svg, "{rect}").expect("a string takes all");
}

fn text(svg: &mut String, (x, y): (usize, usize), more: &str, words: &str) {
    let text = format_args!("<text x=\"{x}\" y=\"{y}\" {more}>{words}</text>");
    writeln!(svg, "{text}").expect("a string takes all");
}
