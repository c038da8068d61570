//! The figures of a soak in a Markdown page.

use std::iter;
use std::path::Path;

use crate::bench::record::write_whole;
use crate::markdown::{LEFT, RIGHT, list, table_of};
use crate::markers::{Markers, replaced};
use crate::usage_error::UsageError;

use super::goals::grouped;
use super::summary::{Summary, met};

const MARKERS: Markers = Markers {
    begin: "<!-- soak: begin -->",
    end: "<!-- soak: end -->",
};

/// Finds out before a run whether the page has a place for it.
pub(crate) fn check(path: &Path) -> Result<(), UsageError> {
    MARKERS.read(path).map(drop)
}

/// Shows the soak between the markers of the page.
pub(crate) fn rewrite(path: &Path, summary: &Summary) -> anyhow::Result<()> {
    let (text, between) = MARKERS.read(path)?;
    write_whole(path, &replaced(&text, between, &shown(summary)))
}

fn shown(summary: &Summary) -> String {
    let goals = summary.goals().into_iter().map(|goal| {
        let (found, wanted) = (grouped(goal.found), goal.wanted_text());
        [goal.what.to_owned(), found, wanted, met(&goal).to_owned()]
    });
    let headings = [
        ("figure", LEFT),
        ("found", RIGHT),
        ("wanted", RIGHT),
        ("", LEFT),
    ];
    let figures = table_of(&headings, goals);
    let parts = summary.parts.iter().map(|part| {
        let (runs, seconds) = (part.runs.to_string(), format!("{:.0}", part.seconds));
        [
            part.name.clone(),
            part.what.clone(),
            runs,
            seconds,
            part.state(),
        ]
    });
    let headings = [
        ("part", LEFT),
        ("what", LEFT),
        ("runs", RIGHT),
        ("seconds", RIGHT),
        ("", LEFT),
    ];
    let parts = table_of(&headings, parts);
    let mut text = format!("{}\n{figures}\n{parts}", list(&facts(summary)));
    if !summary.counts.beside.is_empty() {
        let headings = [
            ("16 reads", LEFT),
            ("io-engine", LEFT),
            ("io-engine 0.12", LEFT),
        ];
        let rows = summary.counts.beside.iter().cloned();
        text.push_str("\n### Beside the crate that it came from\n\n");
        text.push_str(&table_of(&headings, rows));
    }
    text
}

fn facts(summary: &Summary) -> Vec<String> {
    let machine = &summary.machine;
    let mut facts = vec![format!(
        "{}, {} processors, Linux {}",
        machine.cpu, machine.cores, machine.kernel
    )];
    if let Some(commit) = &summary.commit {
        let changed = if commit.dirty { ", with changes" } else { "" };
        facts.push(format!("commit {}{changed}", commit.id));
    }
    let seeds = iter::once(&summary.seed).chain(&summary.more_seeds);
    let seeds: Vec<String> = seeds.map(u64::to_string).collect();
    let seeds = seeds.join(" and ");
    let minutes = summary.seconds / 60.0;
    facts.push(match (summary.release, summary.hours) {
        (true, _) => {
            format!("{minutes:.0} minutes for the figures of a release, from seed {seeds} on")
        }
        (false, Some(_)) => format!("{minutes:.0} minutes, from seed {seeds} on"),
        (false, None) => format!("{minutes:.0} minutes, each part once, seed {seeds}"),
    });
    let verified = summary.counts.verified.iter();
    let by_driver: Vec<String> = verified
        .map(|(driver, count)| format!("{driver} {}", grouped(*count)))
        .collect();
    if !by_driver.is_empty() {
        facts.push(format!("verified requests: {}", by_driver.join(", ")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::summary::tests::summary;

    #[test]
    fn the_figures_stand_between_the_markers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        let (begin, end) = (MARKERS.begin, MARKERS.end);
        std::fs::write(&path, format!("above\n{begin}\nold\n{end}\nbelow\n")).unwrap();
        let mut summary = summary();
        summary.parts[0].runs = 1;
        summary.counts.verified.insert("sim".to_owned(), 1_234_567);
        rewrite(&path, &summary).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.starts_with("above\n") && page.ends_with("below\n"));
        assert!(page.contains("1 234 567") && !page.contains("old"));
        assert!(
            page.contains("| of them through AIO | 0 | at least 100 000 | MISSED |"),
            "{page}"
        );
    }
}
