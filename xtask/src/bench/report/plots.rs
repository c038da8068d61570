//! The plots of a group: over depth where there are depths, bars where there is one.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::engine_name::Kind;
use super::super::record::{CellRecord, GroupRecord, Summary};
use super::super::statistics::Figure;
use super::bars::Rows;
use super::chart::{Chart, Point, Series};
use super::look::{self, BESIDE_PEERS, Facet};

/// The depth at which latencies say most: deep enough to queue, not yet only queueing.
const LATENCY_DEPTH: usize = 128;
/// So many lines in one plot can still be told apart.
const LINES_MAX: usize = 9;

/// What a plot shows of a cell.
#[derive(Clone, Copy)]
struct Quantity {
    title: &'static str,
    unit: &'static str,
    of: fn(&Summary) -> Figure,
}

const IOPS: Quantity = Quantity {
    title: "IOPS",
    unit: "IOPS",
    of: |summary| summary.iops,
};

const CPU: Quantity = Quantity {
    title: "CPU time per I/O in µs",
    unit: "µs",
    of: |summary| summary.cpu_us_per_io,
};

/// The cells of a group that have a result.
#[derive(Clone, Copy)]
struct Measured<'a> {
    cells: &'a [&'a CellRecord],
    depths: &'a [usize],
    peers: &'a [&'a str],
}

/// One plot of a row, and the lines in it by their names.
struct Panel {
    title: String,
    engines: BTreeSet<String>,
}

pub(crate) fn of_group(group: &GroupRecord, peers: &[&str]) -> Markup {
    let cells: Vec<&CellRecord> = group
        .cells
        .iter()
        .filter(|cell| cell.summary.is_some())
        .collect();
    let depths: BTreeSet<usize> = cells.iter().map(|cell| cell.depth).collect();
    let depths: Vec<usize> = depths.into_iter().collect();
    let measured = Measured {
        cells: &cells,
        depths: &depths,
        peers,
    };
    match depths.len() {
        0 => html! { p.key { "No engine has a result here." } },
        1 => measured.at_one_depth(),
        _ => measured.over_depths(),
    }
}

impl Measured<'_> {
    fn at_one_depth(self) -> Markup {
        let rows = |title| Rows {
            title,
            cells: self.cells,
            peers: self.peers,
        };
        html! {
            h3 { "Depth " (self.depths[0]) }
            div.plots {
                @for quantity in [IOPS, CPU] {
                    (rows(quantity.title).bars(|cell| Some((quantity.of)(&cell.summary?))))
                }
                (rows(LATENCY).latencies())
            }
            (key_of_latencies())
        }
    }

    fn over_depths(self) -> Markup {
        let panels = self.panels();
        html! {
            @if let [panel] = &panels[..] {
                div.plots {
                    @for quantity in [IOPS, CPU] {
                        (self.chart(&over_depth(quantity), quantity, panel))
                    }
                }
            } @else {
                @for quantity in [IOPS, CPU] {
                    h3 { (over_depth(quantity)) }
                    div.plots {
                        @for panel in &panels { (self.chart(&panel.title, quantity, panel)) }
                    }
                }
            }
            h3 { (LATENCY) }
            div.plots {
                @for depth in self.latency_depths() { (self.latencies(depth)) }
            }
            (key_of_latencies())
        }
    }

    /// Our engines in one plot if they are few, and otherwise one for each kernel interface; the
    /// peers in plots of their own.
    fn panels(self) -> Vec<Panel> {
        let of = |facets: &[Facet]| -> BTreeSet<String> {
            let cells = self.cells.iter();
            let homes = cells.filter(|cell| facets.contains(&Facet::of(&cell.engine)));
            homes.map(|cell| cell.label()).collect()
        };
        let all_of_ours = of(&Facet::OURS);
        let mut panels = Vec::new();
        if all_of_ours.len() <= LINES_MAX {
            panels.push(Panel {
                title: "ours, the limits and fio".to_owned(),
                engines: all_of_ours,
            });
        } else {
            panels.extend(Facet::OURS.map(|facet| Panel {
                title: facet.title().to_owned(),
                engines: of(&[facet]),
            }));
        }
        panels.extend(Facet::PEERS.map(|facet| Panel {
            title: facet.title().to_owned(),
            engines: of(&[facet]),
        }));
        panels.retain(|panel| !panel.engines.is_empty());
        for panel in &mut panels {
            if panel
                .engines
                .iter()
                .all(|engine| Kind::of(engine) == Kind::Peer)
            {
                panel.engines.extend(BESIDE_PEERS.map(str::to_owned));
            }
        }
        panels
    }

    /// With the same axes as its neighbours, so that one can be held against the other.
    fn chart(self, title: &str, quantity: Quantity, panel: &Panel) -> Markup {
        let of = |cell: &CellRecord| Some((quantity.of)(&cell.summary?));
        let all = self.cells.iter().filter_map(|cell| of(cell));
        let values: Vec<f64> = all.map(|figure| figure.median).collect();
        let cells = self.cells.iter().copied();
        let shown: Vec<&CellRecord> = cells
            .filter(|cell| panel.engines.contains(&cell.label()))
            .collect();
        let chart = Chart {
            title,
            unit: quantity.unit,
            series: &series(&shown, self.peers, of),
            depths: self.depths,
            values: &values,
        };
        chart.draw()
    }

    /// The lowest depth, and the one that says most.
    fn latency_depths(self) -> Vec<usize> {
        let near = self
            .depths
            .iter()
            .min_by_key(|depth| depth.abs_diff(LATENCY_DEPTH));
        let mut chosen: Vec<usize> = self
            .depths
            .first()
            .into_iter()
            .chain(near)
            .copied()
            .collect();
        chosen.dedup();
        chosen
    }

    fn latencies(self, depth: usize) -> Markup {
        let here = self
            .cells
            .iter()
            .copied()
            .filter(|cell| cell.depth == depth);
        let here: Vec<&CellRecord> = here.collect();
        let rows = Rows {
            title: &format!("depth {depth}"),
            cells: &here,
            peers: self.peers,
        };
        rows.latencies()
    }
}

fn over_depth(quantity: Quantity) -> String {
    format!("{} over depth", quantity.title)
}

const LATENCY: &str = "Latency in µs";

fn key_of_latencies() -> Markup {
    html! {
        p.key {
            "Latency: the dot is the median, the long notch 99 % (its number at the right), the short notch 99.9 %."
        }
    }
}

/// The cells of each engine as a line, in the order in which the engines come. The limits are
/// first, so that everything else is drawn above them.
fn series(
    cells: &[&CellRecord],
    peers: &[&str],
    of: impl Fn(&CellRecord) -> Option<Figure>,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    let limits = cells.iter().filter(|cell| cell.kind == Kind::Limit);
    let others = cells.iter().filter(|cell| cell.kind != Kind::Limit);
    for cell in limits.chain(others) {
        let Some(figure) = of(cell) else { continue };
        let point = Point {
            depth: cell.depth,
            value: figure.median,
            least: figure.least,
            most: figure.most,
        };
        let name = cell.label();
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => all.push(Series {
                look: look::of(&cell.engine, cell.contexts, peers),
                name,
                points: vec![point],
            }),
        }
    }
    for series in &mut all {
        series.points.sort_by_key(|point| point.depth);
    }
    all
}
