//! Draws what a request costs: a panel for each workload, a bar for each client.

use std::fmt::Write;

use crate::plan::CASES;
use crate::results::{Metric, Results};

const PANELS: [&str; 5] = ["W1", "W5", "W6", "W3", "W2"];
/// gannet's, and everybody else's: seen on white and on black, and by the colour-blind.
const COLOURS: [&str; 2] = ["#0072b2", "#8c8c8c"];

const WIDTH: usize = 760;
const LEFT: usize = 110;
/// Of the longest bar; a label comes behind it.
const LONGEST: f64 = 520.0;
const BAR: usize = 22;
const TITLE: usize = 34;

/// Of those workloads that were run. The background is none, and text is of the page's own colour.
pub(crate) fn draw(results: &Results) -> String {
    let (mut panels, mut top) = (String::new(), 10);
    for id in PANELS {
        top = panel(&mut panels, top, id, results);
    }
    let height = top + 10;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>What a request costs</title>\n\
         <style>text {{ fill: #24292f }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #d0d7de }} }}</style>\n\
         {panels}</svg>\n"
    )
}

/// Where the next one begins.
fn panel(svg: &mut String, top: usize, id: &str, results: &Results) -> usize {
    let Some(case) = CASES.iter().find(|case| case.id == id) else {
        return top;
    };
    let cost = |client: &&'static str| {
        let cell = results.cell(id, client)?;
        Some((*client, cell.get(Metric::Cpu)?))
    };
    let bars: Vec<_> = case.peers.iter().filter_map(cost).collect();
    let most = bars.iter().map(|(_, cpu)| *cpu).fold(0.0, f64::max);
    if bars.is_empty() || most <= 0.0 {
        return top;
    }
    let title = format!("{id}: {}", case.what);
    text(svg, (10, top + 18), "font-weight=\"bold\"", &title);
    let mut y = top + TITLE;
    for (client, cpu) in bars {
        let length = (cpu / most * LONGEST).round();
        let colour = COLOURS[usize::from(client != "gannet")];
        let rect = format_args!(
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length}\" height=\"{}\" fill=\"{colour}\"/>",
            BAR - 5
        );
        writeln!(svg, "{rect}").unwrap_or_default();
        let middle = y + BAR - 9;
        text(svg, (LEFT - 8, middle), "text-anchor=\"end\"", client);
        let label = match cpu < 100.0 {
            true => format!("{cpu:.1} µs of CPU"),
            false => format!("{cpu:.0} µs of CPU"),
        };
        text(svg, (LEFT + length as usize + 6, middle), "", &label);
        y += BAR;
    }
    y + 8
}

fn text(svg: &mut String, (x, y): (usize, usize), more: &str, words: &str) {
    let text = format_args!("<text x=\"{x}\" y=\"{y}\" {more}>{words}</text>");
    // A string takes all.
    writeln!(svg, "{text}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Cell;
    use crate::run::Sample;

    #[test]
    fn only_what_was_run_is_drawn() {
        let mut results = Results::default();
        assert!(!draw(&results).contains("<rect"));
        for (client, cpu) in [("gannet", 5.0), ("h2", 2.5)] {
            let sample = Sample {
                cpu,
                ..Sample::default()
            };
            let cell = Cell {
                samples: vec![sample],
                ..Cell::default()
            };
            results.cells.insert(("W1", client), cell);
        }
        let svg = draw(&results);
        assert!(svg.contains("width=\"520\"") && svg.contains("width=\"260\""));
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
