//! What a soak has come to: a record for programs, and tables for people.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::bench::machine::{Commit, Machine};
use crate::bench::record::write_whole;

use super::counts::Counts;
use super::goals::{Figure, Goal, goals, grouped, losses};
use super::part::{ALL, Part};

pub(crate) const VERSION: u32 = 1;

/// One soak.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) version: u32,
    pub(crate) machine: Machine,
    pub(crate) commit: Option<Commit>,
    /// How long it was to go on; none for each part once.
    pub(crate) hours: Option<f64>,
    /// Whether it was to show the figures of a release.
    #[serde(default)]
    pub(crate) release: bool,
    /// The first one.
    pub(crate) seed: u64,
    /// Those of the soaks that were added to it.
    #[serde(default)]
    pub(crate) more_seeds: Vec<u64>,
    pub(crate) seconds: f64,
    pub(crate) interrupted: bool,
    pub(crate) counts: Counts,
    pub(crate) parts: Vec<PartSummary>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartSummary {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) runs: u64,
    pub(crate) seconds: f64,
    pub(crate) failures: Vec<String>,
    /// Why it did not run.
    pub(crate) skipped: Option<String>,
    /// Its last turn brought it no nearer to the figures of a release.
    #[serde(skip)]
    pub(crate) is_stuck: bool,
}

impl PartSummary {
    pub(crate) fn of(part: &Part) -> Self {
        Self {
            name: part.name.to_owned(),
            what: part.what.to_owned(),
            runs: 0,
            seconds: 0.0,
            failures: Vec::new(),
            skipped: None,
            is_stuck: false,
        }
    }

    /// Whether it has had a turn, or can have none.
    pub(crate) fn has_ended(&self) -> bool {
        self.runs > 0 || self.skipped.is_some()
    }

    fn add(&mut self, more: Self) {
        self.runs += more.runs;
        self.seconds += more.seconds;
        self.failures.extend(more.failures);
        if self.runs > 0 {
            self.skipped = None;
        }
    }

    pub(crate) fn state(&self) -> String {
        match &self.skipped {
            Some(reason) => format!("skipped: {reason}"),
            None if self.runs == 0 => "did not run".to_owned(),
            None if self.failures.is_empty() => "good".to_owned(),
            None => format!("{} FAILED", self.failures.len()),
        }
    }

    /// As it is said while others still run.
    pub(crate) fn line(&self) -> String {
        let (name, seconds, state) = (&self.name, self.seconds, self.state());
        let last = self.failures.last().map_or("", String::as_str);
        format!("{name:14} {seconds:7.1} s  {state}  {last}")
            .trim_end()
            .to_owned()
    }
}

impl Summary {
    /// What it must show, as far as the parts that show it have run; a release, as far as they belong to it.
    pub(crate) fn goals(&self) -> Vec<Goal> {
        let counts = |name: &str| {
            let mut parts = self.parts.iter();
            parts.any(|part| part.name == name && (part.runs > 0 || self.release))
        };
        let is_shown = |figure: Figure| {
            let mut parts = ALL.iter().filter(|part| part.figures.contains(&figure));
            parts.any(|part| counts(part.name))
        };
        let mut goals = goals(&self.counts, self.release);
        goals.retain(|goal| goal.figure.is_none_or(is_shown));
        goals
    }

    /// Whether nothing has failed. A goal for a part that did not run is not held against it.
    pub(crate) fn is_good(&self) -> bool {
        let has_all_parts =
            self.parts.len() == ALL.len() && self.parts.iter().all(|part| part.runs > 0);
        !self.interrupted
            && self.parts.iter().all(|part| part.failures.is_empty())
            && losses(&self.counts).all(|(_, count)| count == 0)
            && self.counts.mutants == self.counts.mutants_killed
            && (!has_all_parts && !self.release || self.goals().iter().all(Goal::is_met))
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_whole(path, &(self.to_json()? + "\n"))
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(name)?;
        let summary: Self = serde_json::from_str(&text).with_context(name)?;
        anyhow::ensure!(
            summary.version == VERSION,
            "{}: version {} of the record; this program reads {VERSION}",
            name(),
            summary.version
        );
        Ok(summary)
    }

    /// The records of several soaks of the same code as one.
    pub(crate) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut sum: Option<Self> = None;
        for path in paths {
            let one = Self::read(path)?;
            match &mut sum {
                None => sum = Some(one),
                Some(sum) => sum.add(one).with_context(|| path.display().to_string())?,
            }
        }
        sum.context("no record")
    }

    fn add(&mut self, more: Self) -> anyhow::Result<()> {
        let id = |commit: &Option<Commit>| commit.as_ref().map(|commit| commit.id.clone());
        let (this, other) = (id(&self.commit), id(&more.commit));
        anyhow::ensure!(
            this == other && this.is_some(),
            "figures of different code are not added up: {other:?} is not {this:?}"
        );
        if let (Some(commit), Some(other)) = (&mut self.commit, more.commit) {
            commit.dirty |= other.dirty;
        }
        self.release &= more.release;
        self.more_seeds.push(more.seed);
        self.more_seeds.extend(more.more_seeds);
        self.seconds += more.seconds;
        self.interrupted |= more.interrupted;
        self.counts.add(&more.counts);
        for part in more.parts {
            match self.parts.iter_mut().find(|own| own.name == part.name) {
                Some(own) => own.add(part),
                None => self.parts.push(part),
            }
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        let mut parts = table(["part", "runs", "seconds", "", "what"], &[1, 2]);
        for part in &self.parts {
            parts.add_row([
                part.name.clone(),
                part.runs.to_string(),
                format!("{:.1}", part.seconds),
                part.state(),
                part.what.clone(),
            ]);
        }
        let mut figures = table(["figure", "found", "wanted", ""], &[1, 2]);
        for goal in self.goals() {
            figures.add_row([
                goal.what.to_owned(),
                grouped(goal.found),
                goal.wanted_text(),
                met(&goal).to_owned(),
            ]);
        }
        let failures = self.parts.iter().flat_map(|part| {
            let said = |failure: &String| format!("\n{}: {failure}", part.name);
            part.failures.iter().map(said)
        });
        format!("{parts}\n\n{figures}{}", failures.collect::<String>())
    }
}

pub(crate) fn met(goal: &Goal) -> &'static str {
    match goal.is_met() {
        true => "met",
        false => "MISSED",
    }
}

fn table<const N: usize>(headings: [&str; N], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn summary() -> Summary {
        Summary {
            version: VERSION,
            machine: Machine::this(),
            commit: None,
            hours: None,
            release: false,
            seed: 1,
            more_seeds: Vec::new(),
            seconds: 60.0,
            interrupted: false,
            counts: Counts::default(),
            parts: ALL[..2].iter().map(PartSummary::of).collect(),
        }
    }

    #[test]
    fn a_failure_a_loss_and_an_interruption_are_bad() {
        let mut good = summary();
        good.parts.iter_mut().for_each(|part| part.runs = 1);
        assert!(good.is_good());
        let mut lost = good.clone();
        lost.counts.lost = 1;
        assert!(!lost.is_good());
        let mut interrupted = good.clone();
        interrupted.interrupted = true;
        assert!(!interrupted.is_good());
        let mut failed = good.clone();
        failed.parts[1].failures.push("seed 3: crashed".to_owned());
        assert!(!failed.is_good());
        assert!(failed.text().contains("seed 3: crashed") && failed.text().contains("1 FAILED"));
        let mut survived = good;
        survived.counts.mutants = 1;
        assert!(!survived.is_good());
    }

    #[test]
    fn a_release_has_to_show_the_figures_of_all_its_parts() {
        let mut release = summary();
        release.release = true;
        assert!(!release.is_good(), "nothing has run");
        release.parts[0].runs = 1;
        assert!(!release.is_good());
        let verified = &mut release.counts.verified;
        verified.insert("uring".to_owned(), 50_000_000);
        verified.insert("aio".to_owned(), 50_000_000);
        release.counts.shutdowns_with_work = 1_000_000;
        release.counts.real_shutdowns_with_work = 10_000;
        assert!(release.is_good());
    }

    #[test]
    fn soaks_of_the_same_code_are_added_up_and_others_are_not() {
        let of = |id: &str, seed| {
            let mut one = summary();
            one.commit = Some(Commit {
                id: id.to_owned(),
                dirty: false,
            });
            one.seed = seed;
            one.counts.kills = 5;
            one.parts[0].runs = 1;
            one
        };
        let mut sum = of("a", 1);
        let mut other = of("a", 100);
        other.parts[0].failures.push("seed 100: crashed".to_owned());
        sum.add(other).unwrap();
        assert_eq!((sum.counts.kills, sum.parts[0].runs), (10, 2));
        assert_eq!((sum.seed, &sum.more_seeds[..]), (1, &[100][..]));
        assert!(!sum.is_good());
        let refused = sum.add(of("b", 1)).unwrap_err().to_string();
        assert!(refused.contains("different code"), "{refused}");
    }

    #[test]
    fn the_record_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/summary.json");
        let mut written = summary();
        written.counts.kills = 5;
        written.write(&path).unwrap();
        assert_eq!(Summary::read(&path).unwrap().counts.kills, 5);
        written.version = 99;
        written.write(&path).unwrap();
        assert!(Summary::read(&path).unwrap_err().to_string().contains("99"));
    }
}
