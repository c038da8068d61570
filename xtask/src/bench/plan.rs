//! Which cells run, how long each takes, and in which order.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::usage_error::UsageError;

use super::engine_name::{Kind, fits_depth, matches};
use super::groups::{self, Group, Place};
use super::options::Options;

/// What one process does, several times over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) engine: String,
    pub(crate) depth: usize,
    pub(crate) contexts: usize,
}

/// A group with the cells of this run.
#[derive(Clone, Debug)]
pub(crate) struct PlannedGroup {
    pub(crate) group: Group,
    /// Neighbours in depth run one after another.
    pub(crate) cells: Vec<Cell>,
}

/// The whole run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<PlannedGroup>,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    /// One short round more in which system calls are counted.
    pub(crate) counting: bool,
    /// How long a context is watched doing nothing.
    pub(crate) idle: Option<Duration>,
}

/// Of the three minutes of a quick run; the others are for filling the files and for the report.
const QUICK_TAKES: Duration = Duration::from_secs(160);
/// Below it, a cell says nothing.
const SHORTEST: Duration = Duration::from_millis(100);
const WARM_UP_MAX: Duration = Duration::from_millis(500);
/// What starting and ending a process adds to a cell.
const START: Duration = Duration::from_millis(25);
/// fio prepares itself and writes its report.
const FIO_START: Duration = Duration::from_millis(650);
const COUNTING_WARM_UP: Duration = Duration::from_millis(20);
const COUNTING_MEASURE: Duration = Duration::from_millis(80);

impl Plan {
    /// What `options` ask for; `peers` are the engines of the peers that were built.
    pub(crate) fn new(options: &Options, peers: &[String]) -> Result<Self, UsageError> {
        check_engines(&options.engines, peers)?;
        let selected = groups::all().filter(|group| options.takes(group.selection));
        let groups: Vec<PlannedGroup> = selected
            .map(|group| PlannedGroup::new(group, options, peers))
            .filter(|planned| !planned.cells.is_empty())
            .collect();
        if groups.is_empty() {
            return Err(UsageError(
                "nothing to measure: no group has one of these engines at one of these depths; \
                 `cargo xtask bench --list` shows what there is"
                    .to_owned(),
            ));
        }
        let (rounds, measure) = if options.quick {
            (3, Duration::from_millis(200))
        } else {
            (5, Duration::from_millis(400))
        };
        let idle = Duration::from_secs(if options.quick { 2 } else { 10 });
        let mut plan = Self {
            groups,
            rounds: options.rounds.unwrap_or(rounds),
            warm_up: Duration::ZERO,
            measure: Duration::ZERO,
            counting: true,
            // It belongs to the targets and not to any group.
            idle: (options.takes_all_groups() && options.engines.is_empty()).then_some(idle),
        };
        plan.measure_for(options.seconds.unwrap_or(measure));
        let is_free = options.seconds.is_none() && options.rounds.is_none();
        if options.quick && is_free {
            plan.shorten(QUICK_TAKES);
        }
        Ok(plan)
    }

    fn measure_for(&mut self, time: Duration) {
        self.measure = time;
        self.warm_up = (time / 4).min(WARM_UP_MAX);
    }

    /// Measures each cell for less time until all of them fit in, however many peers there are.
    fn shorten(&mut self, limit: Duration) {
        while self.total_time() > limit && self.measure > SHORTEST {
            self.measure_for(self.measure - Duration::from_millis(10));
        }
    }

    /// The places that the groups need.
    pub(crate) fn places(&self) -> BTreeSet<Place> {
        self.groups
            .iter()
            .map(|planned| planned.group.place)
            .collect()
    }

    /// Leaves out what `keep` refuses, and the groups that have nothing left.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Group, &Cell) -> bool) {
        for planned in &mut self.groups {
            planned.cells.retain(|cell| keep(&planned.group, cell));
        }
        self.groups.retain(|planned| !planned.cells.is_empty());
    }

    /// How long one round of `cell` takes.
    pub(crate) fn round_time(&self, cell: &Cell) -> Duration {
        let start = if Kind::of(&cell.engine) == Kind::Fio {
            FIO_START
        } else {
            START
        };
        start + self.warm_up + self.measure
    }

    /// How long `cell` takes in the counting round.
    pub(crate) fn counting_time(&self, cell: &Cell) -> Duration {
        if !self.counting || Kind::of(&cell.engine) == Kind::Fio {
            return Duration::ZERO;
        }
        let (warm_up, measure) = self.counting_times();
        START + warm_up + measure
    }

    /// Warm-up and measuring of the counting round.
    pub(crate) fn counting_times(&self) -> (Duration, Duration) {
        let warm_up = COUNTING_WARM_UP.min(self.warm_up);
        (warm_up, COUNTING_MEASURE.min(self.measure))
    }

    pub(crate) fn cell_count(&self) -> usize {
        self.groups.iter().map(|planned| planned.cells.len()).sum()
    }

    /// How long everything takes, without building and without filling the files.
    pub(crate) fn total_time(&self) -> Duration {
        let rounds = u32::try_from(self.rounds).unwrap_or(u32::MAX);
        let cells = self.groups.iter().flat_map(|planned| &planned.cells);
        let of_cell = |cell| self.round_time(cell) * rounds + self.counting_time(cell);
        cells.map(of_cell).sum::<Duration>() + self.idle.unwrap_or_default()
    }
}

impl PlannedGroup {
    fn new(group: &Group, options: &Options, peers: &[String]) -> Self {
        let depths = match (options.depths.is_empty(), options.quick) {
            (false, _) => &options.depths,
            (true, true) => group.depths.quick,
            (true, false) => group.depths.thorough,
        };
        let depths: BTreeSet<usize> = depths.iter().copied().collect();
        let engines = engines(group, options, peers);
        let mut cells = Vec::new();
        for depth in depths {
            for engine in engines.iter().filter(|engine| fits_depth(engine, depth)) {
                let contexts = group.contexts_of(engine).into_iter();
                // A context without anything in flight is none.
                let contexts = contexts.filter(|contexts| *contexts <= depth);
                cells.extend(contexts.map(|contexts| Cell {
                    engine: engine.clone(),
                    depth,
                    contexts,
                }));
            }
        }
        let group = group.clone();
        Self { group, cells }
    }

    /// The cells of each depth, in the order of the depths.
    pub(crate) fn by_depth(&self) -> Vec<Vec<usize>> {
        let mut blocks: Vec<Vec<usize>> = Vec::new();
        for (index, cell) in self.cells.iter().enumerate() {
            match blocks.last_mut() {
                Some(block) if self.cells[block[0]].depth == cell.depth => block.push(index),
                Some(_) | None => blocks.push(vec![index]),
            }
        }
        blocks
    }
}

/// The engines of a group in this run. Who names engines gets them wherever there are any.
fn engines(group: &Group, options: &Options, peers: &[String]) -> Vec<String> {
    let [first, more] = group.engines;
    let is_named = |engine: &str| {
        options
            .engines
            .iter()
            .any(|pattern| matches(pattern, engine))
    };
    let all = first.iter().chain(more).map(|engine| (*engine).to_owned());
    let with_peers = group.peers && (group.quick_peers || !options.quick);
    if options.engines.is_empty() {
        let count = if options.quick {
            first.len()
        } else {
            first.len() + more.len()
        };
        let peers = peers.iter().filter(|_| with_peers).cloned();
        all.take(count).chain(peers).collect()
    } else {
        let peers = peers.iter().filter(|_| group.peers).cloned();
        all.chain(peers).filter(|engine| is_named(engine)).collect()
    }
}

/// A name that means no engine is a mistake, and the names that there are help.
fn check_engines(patterns: &[String], peers: &[String]) -> Result<(), UsageError> {
    let own = groups::all().flat_map(|group| group.engines.into_iter().flatten());
    let mut known: Vec<&str> = own
        .copied()
        .chain(peers.iter().map(String::as_str))
        .collect();
    known.sort_unstable();
    known.dedup();
    for pattern in patterns {
        if !known.iter().any(|engine| matches(pattern, engine)) {
            return Err(UsageError(format!(
                "--engines: no engine {pattern:?}; there are {}{}",
                known.join(", "),
                if peers.is_empty() {
                    ", and with --peers those of the peers"
                } else {
                    ""
                }
            )));
        }
    }
    Ok(())
}

/// The order of a block of `count` engines in a round: each round begins with another one, so
/// that no engine always runs after the same one or always first.
pub(crate) fn rotated(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| (index + round) % count)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
