//! Lines over depth: one for each engine, named at its end.

use maud::{Markup, html};

use super::super::statistics::as_float;
use super::super::units::{round, short};
use super::axis::{Axis, spread_out};
use super::look::{Look, Mark};

/// One engine in a plot.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) look: Look,
    pub(crate) points: Vec<Point>,
}

/// What an engine did at a depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) depth: usize,
    pub(crate) value: f64,
    /// How far the rounds lie apart.
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A plot, and what it shares with its neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) series: &'a [Series],
    /// All depths and all values of the row of plots, so that one can be held against the other.
    pub(crate) depths: &'a [usize],
    pub(crate) values: &'a [f64],
}

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = HEIGHT - 34.0;
/// To the right of it are the names.
const RIGHT: f64 = WIDTH - 180.0;
const LABEL_GAP: f64 = 13.0;

impl Chart<'_> {
    pub(crate) fn draw(&self) -> Markup {
        let x = Axis::depths(self.depths, LEFT + 8.0, RIGHT - 8.0);
        let y = Axis::fitting(self.values, BOTTOM, TOP);
        let name = format!("{}, {}", self.title, self.unit);
        html! {
            figure {
                figcaption { (self.title) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(name) {
                    (self.grid(&x, &y))
                    @for series in self.series { (line(series, &x, &y)) }
                    (self.names(&x, &y))
                    @for series in self.series { (self.marks(series, &x, &y)) }
                }
            }
        }
    }

    fn grid(&self, x: &Axis, y: &Axis) -> Markup {
        html! {
            @for tick in y.ticks() {
                @let at = px(y.place(tick));
                line.grid x1=(LEFT) x2=(RIGHT) y1=(at) y2=(at) {}
                text.tick x=(LEFT - 6.0) y=(at) dy="0.32em" text-anchor="end" { (round(tick)) }
            }
            line.base x1=(LEFT) x2=(RIGHT) y1=(BOTTOM) y2=(BOTTOM) {}
            @for depth in self.depths {
                @let at = px(x.place(as_float(*depth as u64)));
                text.tick x=(at) y=(BOTTOM + 15.0) text-anchor="middle" { (depth) }
            }
            text.tick x=(f64::midpoint(LEFT, RIGHT)) y=(HEIGHT - 4.0) text-anchor="middle" { "depth" }
        }
    }

    /// Each name beside the end of its line, with a thread to it where it had to give way.
    fn names(&self, x: &Axis, y: &Axis) -> Markup {
        let ends: Vec<(&Series, f64, f64)> = (self.series.iter())
            .filter_map(|series| {
                let last = series.points.last()?;
                let at = (x.place(as_float(last.depth as u64)), y.place(last.value));
                Some((series, at.0, at.1))
            })
            .collect();
        let wished: Vec<f64> = ends.iter().map(|(_, _, y)| *y).collect();
        let placed = spread_out(&wished, LABEL_GAP, TOP, BOTTOM);
        html! {
            @for ((series, end_x, end_y), label_y) in ends.iter().zip(placed) {
                path.thread d=(format!(
                    "M{} {}L{} {}L{} {}",
                    px(end_x + 5.0), px(*end_y), px(RIGHT), px(*end_y), px(RIGHT + 10.0), px(label_y)
                )) {}
                text.name x=(px(RIGHT + 13.0)) y=(px(label_y)) dy="0.32em" {
                    tspan class=(format!("glyph {}", series.look.colour)) { (glyph(series.look.mark)) }
                    " " (series.name)
                }
            }
        }
    }

    fn marks(&self, series: &Series, x: &Axis, y: &Axis) -> Markup {
        html! {
            g class=(series.look.colour) {
                @for point in &series.points {
                    @let at = (x.place(as_float(point.depth as u64)), y.place(point.value));
                    g.point {
                        title {
                            (series.name) ", depth " (point.depth) ": " (short(point.value)) " "
                            (self.unit) ", in the rounds " (short(point.least)) " to "
                            (short(point.most))
                        }
                        line.whisker x1=(px(at.0)) x2=(px(at.0)) y1=(px(y.place(point.least)))
                            y2=(px(y.place(point.most))) {}
                        path.mark d=(mark(series.look.mark, at)) {}
                        circle.touch cx=(px(at.0)) cy=(px(at.1)) r="9" {}
                    }
                }
            }
        }
    }
}

fn line(series: &Series, x: &Axis, y: &Axis) -> Markup {
    let mut path = String::new();
    for point in &series.points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let at = (x.place(as_float(point.depth as u64)), y.place(point.value));
        path.push_str(&format!("{command}{} {}", px(at.0), px(at.1)));
    }
    html! {
        @if series.points.len() > 1 {
            path class=(format!("line {}", series.look.colour)) d=(path)
                stroke-dasharray=[series.look.dash] {}
        }
    }
}

/// A place with one decimal: more only makes the page larger.
pub(super) fn px(place: f64) -> String {
    format!("{place:.1}")
}

/// The outline of a mark.
pub(super) fn mark(mark: Mark, (x, y): (f64, f64)) -> String {
    let at = |dx: f64, dy: f64| format!("{} {}", px(x + dx), px(y + dy));
    match mark {
        Mark::Circle => format!("M{}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z", at(-3.5, 0.0)),
        Mark::Square => format!("M{}h6.4v6.4h-6.4z", at(-3.2, -3.2)),
        Mark::Triangle => format!("M{}l4.2 7.2h-8.4z", at(0.0, -4.6)),
        Mark::Diamond => format!("M{}l4.4 4.4l-4.4 4.4l-4.4 -4.4z", at(0.0, -4.4)),
    }
}

/// The mark as a letter of its name.
fn glyph(mark: Mark) -> &'static str {
    match mark {
        Mark::Circle => "●",
        Mark::Square => "■",
        Mark::Triangle => "▲",
        Mark::Diamond => "◆",
    }
}
