//! A run in a Markdown page: written between two marker lines, and from the record alone.

use std::path::Path;

use crate::markdown::{LEFT, RIGHT, list, plain, table_of};
use crate::markers::{Markers, replaced};
use crate::usage_error::UsageError;

use super::record::{GroupRecord, Problem, Record, write_whole};
use super::table::{self, COLUMNS};
use super::targets::{self, Verdict};

const MARKERS: Markers = Markers {
    begin: "<!-- bench: begin -->",
    end: "<!-- bench: end -->",
};

/// Finds out before a run whether the page has a place for it.
pub(crate) fn check(path: &Path) -> Result<(), UsageError> {
    MARKERS.read(path).map(drop)
}

/// Shows the run between the markers of the page.
pub(crate) fn rewrite(path: &Path, record: &Record) -> anyhow::Result<()> {
    // Read again, as somebody may have written on the page while the run went on.
    let (text, between) = MARKERS.read(path)?;
    write_whole(path, &replaced(&text, between, &shown(record)))
}

/// What the record says, as Markdown.
fn shown(record: &Record) -> String {
    let mut facts = table::header(record);
    facts.push(options(record));
    let mut text = list(&facts);
    text.push_str("\n### Targets\n\n");
    text.push_str(&target_table(&targets::verdicts(record)));
    for group in &record.groups {
        text.push_str(&format!("\n### {}\n\n", plain(&group.title)));
        text.push_str(&group_table(group));
        let without = table::without_result(group);
        if !without.is_empty() {
            text.push_str(&format!("\n{}", list(&without)));
        }
    }
    text
}

/// A part of a run has the settings of the whole; how much it is, the numbers say.
fn options(record: &Record) -> String {
    let settings = &record.settings;
    let cells = record.cells().count();
    let run = if settings.quick { "quick" } else { "thorough" };
    let peers = if settings.peers { "with" } else { "without" };
    format!("settings of a {run} run, {peers} the peers: {cells} cells")
}

fn target_table(verdicts: &[Verdict]) -> String {
    let rows = verdicts.iter().map(|verdict| {
        let Verdict {
            id,
            what,
            target,
            measured,
            state,
        } = verdict;
        [id, what.as_str(), target, measured, state.text()].map(str::to_owned)
    });
    let headings = ["", "what", "target", "measured", "state"].map(|name| (name, LEFT));
    table_of(&headings, rows)
}

/// What of [`COLUMNS`] a page has room for; the rest is in the HTML report.
const COLUMNS_SHOWN: [&str; 9] = [
    "depth",
    "engine",
    "IOPS",
    "p50 µs",
    "p99 µs",
    "CPU µs/IO",
    "calls/IO",
    "of limit",
    "spread",
];

fn group_table(group: &GroupRecord) -> String {
    let has_row = |problem: &Option<Problem>| !matches!(problem, Some(Problem::Unsupported(_)));
    let cells = group.cells.iter().filter(|cell| has_row(&cell.problem));
    let rows = cells.map(|cell| {
        let row = COLUMNS.into_iter().zip(table::row(cell));
        row.filter(|(column, _)| COLUMNS_SHOWN.contains(column))
            .map(|(_, text)| text)
    });
    let side = |name: &str| if name == "engine" { LEFT } else { RIGHT };
    table_of(&COLUMNS_SHOWN.map(|name| (name, side(name))), rows)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
