//! A run in a Markdown page: written between two marker lines, and from the record alone.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::usage_error::UsageError;

use super::record::{GroupRecord, Problem, Record, write_whole};
use super::table::{self, COLUMNS};
use super::targets::{self, Verdict};

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// Finds out before a run whether the page has a place for it.
pub(crate) fn check(path: &Path) -> Result<(), UsageError> {
    read(path).map(drop)
}

/// Shows the run between the markers of the page.
pub(crate) fn rewrite(path: &Path, record: &Record) -> anyhow::Result<()> {
    // Read again, as somebody may have written on the page while the run went on.
    let (text, between) = read(path)?;
    write_whole(path, &replaced(&text, between, &shown(record)))
}

/// The page and what of it lies between the markers.
fn read(path: &Path) -> Result<(String, Range<usize>), UsageError> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        UsageError(format!(
            "--page: {name}: {error}; it takes a Markdown file with the lines `{BEGIN}` and `{END}`"
        ))
    })?;
    let between =
        between_markers(&text).map_err(|reason| UsageError(format!("--page: {name}: {reason}")))?;
    Ok((text, between))
}

fn between_markers(text: &str) -> Result<Range<usize>, String> {
    let begin = only_line(text, BEGIN)?;
    let end = only_line(text, END)?;
    if end.start < begin.end {
        return Err(format!(
            "the line `{END}` is above the line `{BEGIN}`: exchange them"
        ));
    }
    Ok(begin.end..end.start)
}

/// Where the line `marker` is; its end of line is part of it.
fn only_line(text: &str, marker: &str) -> Result<Range<usize>, String> {
    let mut at = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let here = at..at + line.len();
        at = here.end;
        if line.trim() != marker {
            continue;
        }
        if found.replace(here).is_some() {
            return Err(format!(
                "the line `{marker}` is there more than once: leave one"
            ));
        }
    }
    found.ok_or_else(|| {
        format!(
            "no line `{marker}`: add the lines `{BEGIN}` and `{END}`, in this order, where the tables belong"
        )
    })
}

fn replaced(text: &str, between: Range<usize>, new: &str) -> String {
    let (before, after) = (&text[..between.start], &text[between.end..]);
    format!("{before}\n{new}\n{after}")
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

const LEFT: &str = "---";
const RIGHT: &str = "--:";

/// A table: its headings, each with the side that it is set to, and its rows.
fn table_of<Row: IntoIterator<Item = String>>(
    headings: &[(&str, &str)],
    rows: impl IntoIterator<Item = Row>,
) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headings.iter().map(|(name, _)| plain(name)).collect());
    text.push_str(&line(
        headings
            .iter()
            .map(|(_, side)| (*side).to_owned())
            .collect(),
    ));
    for row in rows {
        text.push_str(&line(row.into_iter().map(|cell| plain(&cell)).collect()));
    }
    text
}

fn list(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("- {}\n", plain(line)));
    lines.collect()
}

/// One line that Markdown shows as it is, so that no reason of a failure ends a row or the part.
fn plain(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(without_folders).collect();
    let mut escaped = String::new();
    for c in words.join(" ").chars() {
        if "\\`*<>[]|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Paths that mean the same on every Linux.
const COMMON_FOLDERS: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// The page outlives the machine, and the folders of the machine mean nothing to its readers.
fn without_folders(word: &str) -> String {
    let begin = word.find('/').unwrap_or(word.len());
    let (before, path) = word.split_at(begin);
    let is_relative = before.ends_with(|c: char| c.is_alphanumeric() || c == '.');
    let is_common = COMMON_FOLDERS.iter().any(|folder| path.starts_with(folder));
    match path.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() && !is_relative && !is_common => {
            format!("{before}{name}")
        }
        Some(_) | None => word.to_owned(),
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
