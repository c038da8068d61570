//! Bars for a single depth, and percentiles as ranges: one row for each engine.

use maud::{Markup, html};

use super::super::record::CellRecord;
use super::super::statistics::Figure;
use super::super::units::{round, short};
use super::axis::Axis;
use super::chart::px;
use super::look;

/// A quantity of several engines at one depth.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) title: &'a str,
    pub(crate) cells: &'a [&'a CellRecord],
    pub(crate) peers: &'a [&'a str],
}

const WIDTH: f64 = 500.0;
const LEFT: f64 = 182.0;
const RIGHT: f64 = WIDTH - 58.0;
const TOP: f64 = 8.0;
const ROW: f64 = 19.0;
const AXIS: f64 = 24.0;

impl Rows<'_> {
    /// A bar from zero for each engine.
    pub(crate) fn bars(&self, of: impl Fn(&CellRecord) -> Option<Figure>) -> Markup {
        let rows = self
            .cells
            .iter()
            .filter_map(|cell| Some((*cell, of(cell)?)));
        let rows: Vec<(&CellRecord, Figure)> = rows.collect();
        let most = rows
            .iter()
            .map(|(_, figure)| figure.most)
            .fold(0.0, f64::max);
        // Lengths are compared, so they begin at zero whatever the values are.
        let x = Axis::fitting(&[most], LEFT, RIGHT);
        self.figure(rows.len(), &x, html! {
            @for (number, (cell, figure)) in rows.iter().enumerate() {
                @let at = middle(number);
                @let end = x.place(figure.median);
                g class=(self.colour(cell)) {
                    title {
                        (cell.label()) ", depth " (cell.depth) ": " (short(figure.median)) ", in the rounds " (short(figure.least)) " to "
                        (short(figure.most))
                    }
                    rect.bar x=(px(LEFT)) y=(px(at - 5.5)) width=(px(end - LEFT)) height="11" rx="2" {}
                    line.whisker x1=(px(x.place(figure.least))) x2=(px(x.place(figure.most)))
                        y1=(px(at)) y2=(px(at)) {}
                }
                (engine(cell, at))
                text.value x=(px(x.place(figure.most).max(end) + 5.0)) y=(px(at)) dy="0.32em" {
                    (short(figure.median))
                }
            }
        })
    }

    /// From the median latency through the 99th percentile to the 99.9th.
    pub(crate) fn latencies(&self) -> Markup {
        let rows = self
            .cells
            .iter()
            .filter_map(|cell| Some((*cell, cell.summary?)));
        let rows: Vec<_> = rows.collect();
        let values: Vec<f64> = (rows.iter())
            .flat_map(|(_, summary)| [summary.p50_us.median, summary.p999_us.median])
            .collect();
        let x = Axis::logarithmic(&values, LEFT, RIGHT);
        self.figure(rows.len(), &x, html! {
            @for (number, (cell, summary)) in rows.iter().enumerate() {
                @let at = middle(number);
                @let [p50, p99, p999] =
                    [summary.p50_us, summary.p99_us, summary.p999_us].map(|figure| figure.median);
                g class=(self.colour(cell)) {
                    title {
                        (cell.label()) ", depth " (cell.depth) ": p50 " (short(p50)) " µs, p99 "
                        (short(p99)) " µs, p99.9 " (short(p999)) " µs"
                    }
                    line.range x1=(px(x.place(p50))) x2=(px(x.place(p999))) y1=(px(at)) y2=(px(at)) {}
                    circle.mark cx=(px(x.place(p50))) cy=(px(at)) r="4" {}
                    line.notch x1=(px(x.place(p99))) x2=(px(x.place(p99))) y1=(px(at - 5.0))
                        y2=(px(at + 5.0)) {}
                    line.notch x1=(px(x.place(p999))) x2=(px(x.place(p999))) y1=(px(at - 3.0))
                        y2=(px(at + 3.0)) {}
                    rect.touch x=(px(LEFT)) y=(px(at - 9.0)) width=(px(RIGHT - LEFT)) height="18" {}
                }
                (engine(cell, at))
                text.value x=(px(RIGHT + 6.0)) y=(px(at)) dy="0.32em" { (short(p99)) }
            }
        })
    }

    fn figure(&self, rows: usize, x: &Axis, inside: Markup) -> Markup {
        let bottom = middle(rows) - ROW / 2.0;
        let height = bottom + AXIS;
        html! {
            figure {
                figcaption { (self.title) }
                svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(self.title) {
                    @for tick in x.ticks() {
                        @let at = px(x.place(tick));
                        line.grid x1=(at) x2=(at) y1=(TOP) y2=(px(bottom)) {}
                        text.tick x=(at) y=(px(bottom + 14.0)) text-anchor="middle" { (round(tick)) }
                    }
                    (inside)
                }
            }
        }
    }

    fn colour(&self, cell: &CellRecord) -> String {
        look::of(&cell.engine, cell.contexts, self.peers).colour
    }
}

fn middle(row: usize) -> f64 {
    let row = u32::try_from(row).unwrap_or(u32::MAX);
    TOP + ROW * (f64::from(row) + 0.5)
}

fn engine(cell: &CellRecord, at: f64) -> Markup {
    html! {
        text.name x=(px(LEFT - 8.0)) y=(px(at)) dy="0.32em" text-anchor="end" { (cell.label()) }
    }
}
