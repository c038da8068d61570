//! Everything that a run measured, as it is written to JSON and read again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::usage_error::UsageError;

use super::cell::{CellResult, Workload};
use super::engine_name::Kind;
use super::groups::Place;
use super::machine::{Commit, Machine};
use super::place::Ground;
use super::statistics::{Figure, as_float, ratio};

/// Raised whenever a reader of the one before could not read it.
pub(crate) const VERSION: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    /// When the run began, in UTC.
    pub(crate) started: String,
    pub(crate) machine: Machine,
    pub(crate) commit: Option<Commit>,
    pub(crate) settings: RunSettings,
    pub(crate) grounds: BTreeMap<Place, Ground>,
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) idle: Option<Idle>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
    /// Peers that could not be built or asked, with the reason.
    pub(crate) broken_peers: BTreeMap<String, String>,
}

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunSettings {
    pub(crate) quick: bool,
    pub(crate) peers: bool,
    /// Whether the engines were built with optimisation: without, the numbers mean nothing.
    pub(crate) optimised: bool,
    pub(crate) rounds: usize,
    pub(crate) warm_up_ms: u64,
    pub(crate) measure_ms: u64,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) workload: Workload,
    pub(crate) place: Place,
    pub(crate) block: u32,
    pub(crate) cells: Vec<CellRecord>,
}

/// One engine at one depth, in all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellRecord {
    pub(crate) engine: String,
    pub(crate) kind: Kind,
    pub(crate) depth: usize,
    pub(crate) contexts: usize,
    pub(crate) rounds: Vec<CellResult>,
    /// The round in which system calls were counted, which makes it slower.
    pub(crate) counting: Option<CellResult>,
    pub(crate) problem: Option<Problem>,
    pub(crate) summary: Option<Summary>,
}

/// Why a cell has fewer rounds than the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Problem {
    /// The engine cannot do this, here or at all.
    Unsupported(String),
    /// It crashed, hung or reported errors.
    Failed(String),
}

/// The figures of a cell over its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) iops: Figure,
    pub(crate) megabytes_per_second: f64,
    pub(crate) p50_us: Figure,
    pub(crate) p99_us: Figure,
    pub(crate) p999_us: Figure,
    pub(crate) cpu_us_per_io: Figure,
    pub(crate) calls_per_io: Option<f64>,
    pub(crate) peak_mib: Option<f64>,
    /// IOPS as a part of what the best limit does at this depth.
    pub(crate) of_limit: Option<f64>,
}

/// A context that was left alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Idle {
    pub(crate) seconds: f64,
    pub(crate) cpu_us: f64,
}

impl Summary {
    /// `None` where no round measured anything.
    pub(crate) fn of(rounds: &[CellResult], counting: Option<&CellResult>) -> Option<Self> {
        let figure = |of: &dyn Fn(&CellResult) -> f64| Figure::of(rounds.iter().map(of));
        let us = |ns: u64| as_float(ns) / 1000.0;
        let bytes = figure(&|round| as_float(round.bytes) / 1e6 / round.seconds)?;
        let counted =
            counting.and_then(|result| ratio(as_float(result.system_calls?), as_float(result.ios)));
        let peak = figure(&|round| as_float(round.peak_rss_kib) / 1024.0)?;
        Some(Self {
            iops: figure(&|round| as_float(round.ios) / round.seconds)?,
            megabytes_per_second: bytes.median,
            p50_us: figure(&|round| us(round.p50_ns))?,
            p99_us: figure(&|round| us(round.p99_ns))?,
            p999_us: figure(&|round| us(round.p999_ns))?,
            cpu_us_per_io: figure(&|round| {
                (round.cpu_user_us + round.cpu_system_us) / as_float(round.ios)
            })?,
            calls_per_io: counted,
            // What was not measured is 0 in the protocol.
            peak_mib: (peak.median > 0.0).then_some(peak.median),
            of_limit: None,
        })
    }
}

impl CellRecord {
    /// The engine as the tables show it.
    pub(crate) fn label(&self) -> String {
        match self.contexts {
            1 => self.engine.clone(),
            contexts => format!("{} x{contexts}", self.engine),
        }
    }

    /// Why the cell failed, if it did.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.problem {
            Some(Problem::Failed(reason)) => Some(reason),
            Some(Problem::Unsupported(_)) | None => None,
        }
    }
}

impl GroupRecord {
    /// Computes the summary of each cell from its rounds.
    pub(crate) fn summarise(&mut self) {
        for cell in &mut self.cells {
            // An engine that failed in one round is not trusted in the others.
            let is_whole = cell.problem.is_none();
            let summary = is_whole.then(|| Summary::of(&cell.rounds, cell.counting.as_ref()));
            cell.summary = summary.flatten();
        }
        let limits: Vec<(usize, f64)> = (self.cells.iter())
            .filter(|cell| cell.kind == Kind::Limit)
            .filter_map(|cell| Some((cell.depth, cell.summary?.iops.median)))
            .collect();
        for cell in &mut self.cells {
            let here = limits.iter().filter(|(depth, _)| *depth == cell.depth);
            let best = here.map(|(_, iops)| *iops).fold(0.0, f64::max);
            if let Some(summary) = &mut cell.summary {
                summary.of_limit = ratio(summary.iops.median, best);
            }
        }
    }

    /// The cell of an engine with one context.
    pub(crate) fn cell(&self, engine: &str, depth: usize) -> Option<&CellRecord> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.engine == engine && cell.depth == depth && cell.contexts == 1)
    }
}

impl Record {
    pub(crate) fn group(&self, name: &str) -> Option<&GroupRecord> {
        self.groups.iter().find(|group| group.name == name)
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = (&GroupRecord, &CellRecord)> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.cells.iter().map(move |cell| (group, cell)))
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// Writes the JSON under a name of its own first, so that an old file is whole or replaced.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_whole(path, &self.to_json()?)
    }

    /// Reads a record, or says what is wrong with the file.
    pub(crate) fn read(path: &Path) -> Result<Self, UsageError> {
        let name = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| UsageError(format!("{name}: {error}")))?;
        let no_record = |error| {
            UsageError(format!(
                "{name} is no record of a run: {error}; `cargo xtask bench --json FILE` writes one"
            ))
        };
        let head: Head = serde_json::from_str(&text).map_err(no_record)?;
        if head.version != VERSION {
            return Err(UsageError(format!(
                "{name} has version {} of the format, and this reads version {VERSION}",
                head.version
            )));
        }
        serde_json::from_str(&text).map_err(no_record)
    }
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Puts `text` in the place of the file, and makes its folder.
pub(crate) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let name = || format!("{} cannot be written", path.display());
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(dir).with_context(name)?;
    if path.exists() && !path.is_file() {
        // A pipe or a device is not replaced but written to.
        return fs::write(path, text).with_context(name);
    }
    let mut file = tempfile::Builder::new()
        .permissions(readable_by_all())
        .tempfile_in(dir)
        .with_context(name)?;
    file.write_all(text.as_bytes()).with_context(name)?;
    file.persist(path).with_context(name)?;
    Ok(())
}

/// As a file that is made in the common way.
fn readable_by_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
