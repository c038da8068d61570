//! The report: one HTML page that needs nothing but itself.

mod axis;
mod bars;
mod chart;
mod look;
mod method;
mod plots;
mod style;
mod tiles;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::engine_name::Kind;
use super::record::{GroupRecord, Problem, Record};
use super::table::{self, COLUMNS};
use super::targets::{self, State, Verdict};

/// The whole page as text.
pub(crate) fn page(record: &Record) -> String {
    let verdicts = targets::verdicts(record);
    let peers = peers(record);
    let body = html! {
        header {
            h1 { "io-engine, measured" }
            ul.facts { @for line in table::header(record) { li { (line) } } }
        }
        (tiles::tiles(record, &verdicts))
        (contents(record))
        section id="targets" {
            h2 { "Targets" }
            (target_table(&verdicts))
        }
        @for group in &record.groups {
            section id=(group.name) {
                h2 { (group.title) }
                (plots::of_group(group, &peers))
                (full_table(group))
            }
        }
        (method::section(record))
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "io-engine benchmark, " (record.started) }
                style { (PreEscaped(style::SHEET)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// The engines of the peers, each once, in the order in which they come.
fn peers(record: &Record) -> Vec<&str> {
    let mut peers: Vec<&str> = Vec::new();
    for (_, cell) in record.cells() {
        if cell.kind == Kind::Peer && !peers.contains(&cell.engine.as_str()) {
            peers.push(&cell.engine);
        }
    }
    peers
}

fn contents(record: &Record) -> Markup {
    html! {
        nav {
            a href="#targets" { "Targets" }
            @for group in &record.groups {
                a href=(format!("#{}", group.name)) { (group.name) }
            }
            a href="#method" { "Method" }
        }
    }
}

fn target_table(verdicts: &[Verdict]) -> Markup {
    html! {
        div.wide {
            table.targets {
                thead { tr { th { "" } th { "what" } th { "target" } th { "measured" } th { "" } } }
                tbody {
                    @for verdict in verdicts {
                        tr class=(class_of(verdict.state)) {
                            td { (verdict.id) }
                            td { (verdict.what) }
                            td { (verdict.target) }
                            td { (verdict.measured) }
                            td.state { (sign_of(verdict.state)) " " (verdict.state.text().to_lowercase()) }
                        }
                    }
                }
            }
        }
    }
}

fn class_of(state: State) -> &'static str {
    match state {
        State::Met => "met",
        State::Missed => "missed",
        State::NotMeasured | State::Elsewhere => "silent",
    }
}

/// Beside the colour, for those who do not see it.
fn sign_of(state: State) -> &'static str {
    match state {
        State::Met => "✓",
        State::Missed => "✗",
        State::NotMeasured | State::Elsewhere => "·",
    }
}

/// Everything that the terminal shows, folded away below the plots.
fn full_table(group: &GroupRecord) -> Markup {
    let depths: Vec<usize> = group.cells.iter().map(|cell| cell.depth).collect();
    let begins_depth = |index: usize| index > 0 && depths[index - 1] != depths[index];
    html! {
        details {
            summary { "All numbers" }
            div.wide {
                table.numbers {
                    thead { tr { @for column in COLUMNS { th { (column) } } } }
                    tbody {
                        @for (index, cell) in group.cells.iter().enumerate() {
                            @if !matches!(cell.problem, Some(Problem::Unsupported(_))) {
                                tr class=[begins_depth(index).then_some("first")] {
                                    @for text in table::row(cell) { td { (text) } }
                                }
                            }
                        }
                    }
                }
            }
        }
        @let without = table::without_result(group);
        @if !without.is_empty() {
            ul.without { @for line in without { li { (line) } } }
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
