//! What changed between two runs, and whether it is more than the runs' own spread.

use anyhow::ensure;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::record::{CellRecord, GroupRecord, Record, Summary};
use super::statistics::{Figure, ratio};
use super::units::{change, or_dash, short};

/// Two runs, cell by cell.
#[derive(Debug)]
pub(crate) struct Comparison {
    changes: Vec<CellChange>,
    only_old: usize,
    only_new: usize,
    /// What makes the runs hard to compare.
    warnings: Vec<String>,
}

#[derive(Debug)]
struct CellChange {
    group: String,
    depth: usize,
    engine: String,
    iops: Change,
    cpu: Change,
    p99: Change,
}

/// A quantity before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    old: f64,
    new: f64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    /// Within the spread of either run.
    Same,
}

/// Whether more of a quantity is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    More,
    Less,
}

impl Change {
    fn between(old: Figure, new: Figure, good: Good) -> Self {
        let part = ratio(new.median - old.median, old.median).unwrap_or(0.0);
        let noise = old.spread().max(new.spread());
        let verdict = if part.abs() <= noise {
            Verdict::Same
        } else if (part > 0.0) == (good == Good::More) {
            Verdict::Better
        } else {
            Verdict::Worse
        };
        Self {
            old: old.median,
            new: new.median,
            verdict,
        }
    }

    fn text(&self) -> String {
        let part = or_dash(ratio(self.new - self.old, self.old).map(change));
        let mark = match self.verdict {
            Verdict::Better => " better",
            Verdict::Worse => " WORSE",
            Verdict::Same => "",
        };
        format!("{part}{mark}")
    }
}

impl Comparison {
    /// Fails where the two have no cell in common.
    pub(crate) fn of(old: &Record, new: &Record) -> anyhow::Result<Self> {
        let mut changes = Vec::new();
        let mut only_new = 0;
        for (group, cell) in new.cells() {
            let Some(now) = &cell.summary else { continue };
            match summary_in(old, group, cell) {
                Some(before) => changes.push(CellChange::of(group, cell, &before, now)),
                None => only_new += 1,
            }
        }
        let before = old
            .cells()
            .filter(|(_, cell)| cell.summary.is_some())
            .count();
        ensure!(
            !changes.is_empty(),
            "the two runs have no cell with a result in common: the old one has {before}, \
             the new one {only_new}"
        );
        Ok(Self {
            only_old: before - changes.len(),
            only_new,
            warnings: warnings(old, new),
            changes,
        })
    }

    /// Every cell, and above it what speaks against comparing.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header([
            "group",
            "depth",
            "engine",
            "IOPS before",
            "after",
            "change",
            "CPU µs/IO",
            "p99",
        ]);
        for index in [1, 3, 4] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for cell in &self.changes {
            table.add_row([
                cell.group.clone(),
                cell.depth.to_string(),
                cell.engine.clone(),
                short(cell.iops.old),
                short(cell.iops.new),
                cell.iops.text(),
                cell.cpu.text(),
                cell.p99.text(),
            ]);
        }
        let mut text = String::new();
        for warning in &self.warnings {
            text.push_str(&format!("note: {warning}\n"));
        }
        text.push_str(&format!("{table}\n{}", self.bottom_line()));
        text
    }

    fn bottom_line(&self) -> String {
        let count = |verdict| {
            let figures = self
                .changes
                .iter()
                .flat_map(|cell| [cell.iops, cell.cpu, cell.p99]);
            figures.filter(|figure| figure.verdict == verdict).count()
        };
        format!(
            "{} cells compared, {} only in the old run, {} only in the new one: {} figures better, \
             {} worse, the others within the spread",
            self.changes.len(),
            self.only_old,
            self.only_new,
            count(Verdict::Better),
            count(Verdict::Worse)
        )
    }
}

impl CellChange {
    fn of(group: &GroupRecord, cell: &CellRecord, old: &Summary, new: &Summary) -> Self {
        Self {
            group: group.name.clone(),
            depth: cell.depth,
            engine: cell.label(),
            iops: Change::between(old.iops, new.iops, Good::More),
            cpu: Change::between(old.cpu_us_per_io, new.cpu_us_per_io, Good::Less),
            p99: Change::between(old.p99_us, new.p99_us, Good::Less),
        }
    }
}

fn summary_in(record: &Record, group: &GroupRecord, cell: &CellRecord) -> Option<Summary> {
    let cells = &record.group(&group.name)?.cells;
    let is_same = |other: &&CellRecord| {
        (&other.engine, other.depth, other.contexts) == (&cell.engine, cell.depth, cell.contexts)
    };
    cells.iter().find(is_same)?.summary
}

fn warnings(old: &Record, new: &Record) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differ = |what: &str, old: String, new: String| {
        if old != new {
            warnings.push(format!("another {what}: {old} before, {new} now"));
        }
    };
    differ(
        "processor",
        old.machine.cpu.clone(),
        new.machine.cpu.clone(),
    );
    differ(
        "number of cores",
        old.machine.cores.to_string(),
        new.machine.cores.to_string(),
    );
    differ(
        "kernel",
        old.machine.kernel.clone(),
        new.machine.kernel.clone(),
    );
    let build = |record: &Record| {
        if record.settings.optimised {
            "optimised"
        } else {
            "unoptimised"
        }
        .to_owned()
    };
    differ("build", build(old), build(new));
    let time = |record: &Record| {
        let settings = &record.settings;
        format!("{} x {} ms", settings.rounds, settings.measure_ms)
    };
    differ("time per cell", time(old), time(new));
    for (place, ground) in &new.grounds {
        if let Some(before) = old.grounds.get(place) {
            let text = |ground: &super::place::Ground| {
                format!(
                    "{} bytes on {}, {}",
                    ground.bytes, ground.device, ground.file_system
                )
            };
            differ(place.name(), text(before), text(ground));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn figure(least: f64, median: f64, most: f64) -> Figure {
        Figure::of([least, median, most]).unwrap()
    }

    #[test]
    fn a_change_is_marked_only_outside_the_spread_of_both() {
        let narrow = figure(99.0, 100.0, 101.0);
        let wide = figure(80.0, 110.0, 120.0);
        let of = |old, new, good| Change::between(old, new, good).verdict;
        assert_eq!(of(narrow, wide, Good::More), Verdict::Same);
        let up = figure(109.0, 110.0, 111.0);
        assert_eq!(of(narrow, up, Good::More), Verdict::Better);
        assert_eq!(of(narrow, up, Good::Less), Verdict::Worse);
        assert_eq!(of(up, narrow, Good::Less), Verdict::Better);
        assert_eq!(of(narrow, narrow, Good::More), Verdict::Same);
    }

    #[test]
    fn a_faster_cell_is_seen_and_the_others_are_left_alone() {
        let old = sample::record();
        let mut new = old.clone();
        let cell = &mut new.groups[0].cells[1];
        cell.rounds.iter_mut().for_each(|round| round.ios *= 2);
        new.groups[0].summarise();
        new.machine.kernel = "7.0".to_owned();
        let text = Comparison::of(&old, &new).unwrap().text();
        assert!(text.contains("+100 % better"), "{text}");
        assert!(
            text.contains("another kernel: 6.18.0 before, 7.0 now"),
            "{text}"
        );
        // Half the CPU time for an I/O, too.
        assert!(text.contains("2 figures better, 0 worse"), "{text}");
    }

    #[test]
    fn cells_of_only_one_run_are_counted() {
        let old = sample::record();
        let mut new = old.clone();
        new.groups[0].cells.remove(0);
        let comparison = Comparison::of(&old, &new).unwrap();
        assert_eq!((comparison.only_old, comparison.only_new), (1, 0));
    }

    #[test]
    fn runs_without_a_common_cell_cannot_be_compared() {
        let old = sample::record();
        let mut new = old.clone();
        new.groups[0].name = "zram".to_owned();
        let error = Comparison::of(&old, &new).unwrap_err().to_string();
        assert!(error.contains("no cell"), "{error}");
        new.groups.clear();
        assert!(Comparison::of(&old, &new).is_err());
    }
}
