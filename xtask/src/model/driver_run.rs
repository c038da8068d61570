//! One driver from its first round to its last, or to the first that fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use io_engine::sim::Dice;

use super::carrier::Carrier;
use super::guarded_memory;
use super::replay_file::ReplayFile;
use super::report::{self, Report};
use super::round::{Round, Way, Wishes, plan};
use super::shrink::shrink;
use super::trial::{Outcome, Trial};
use super::watchdog::Board;
use crate::bench::interruption;
use crate::progress::Operations;

/// What all drivers are checked with.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) operations: u64,
    pub(crate) is_direct: bool,
    pub(crate) is_json: bool,
    /// Where rounds that failed are written.
    pub(crate) folder: PathBuf,
    pub(crate) board: Board,
}

/// A round on a real medium may need several attempts until its threads meet in the same way.
const ATTEMPTS_TO_FAIL: usize = 3;

/// A round that is to be replayed gets so many.
const ATTEMPTS_TO_REPLAY: usize = 100;

/// Rounds on the simulated disk are short, so that many engines are ended; those with a kernel cost
/// some time to start.
pub(crate) fn operations_max(carrier: Carrier, operations: u64) -> usize {
    let most = match carrier {
        Carrier::Sim => 150,
        Carrier::Uring | Carrier::Aio | Carrier::Threads | Carrier::Auto => 1000,
    };
    // A short run has several rounds as well.
    let share = usize::try_from(operations / 6).unwrap_or(most);
    share.clamp(50, most)
}

impl Plan {
    /// Runs rounds until there were enough operations, or one fails.
    pub(crate) fn run(
        &self,
        trial: &mut Trial,
        wishes: &Wishes,
        progress: &Operations,
    ) -> anyhow::Result<Report> {
        let begin = Instant::now();
        let mut report = Report::new(trial.carrier, self.seed, trial.expects_errors);
        let abilities = trial.medium.abilities();
        let mut seeds = Dice::new(self.seed);
        while report.ops < self.operations && report.is_good() {
            interruption::check()?;
            let left = usize::try_from(self.operations - report.ops).unwrap_or(usize::MAX);
            let round = Arc::new(plan(seeds.number(), left, wishes, &abilities));
            let planned = round.operation_count() as u64;
            self.watched(trial, &round, &mut report, begin)?;
            report.ops += planned;
            progress.advance(planned);
            if !report.is_good() {
                report.replay = Some(self.shrunk(trial, &round, &report)?);
            }
        }
        report.took(begin.elapsed());
        Ok(report)
    }

    /// Runs a round of an earlier run until it fails, or often enough.
    pub(crate) fn replay(&self, trial: &mut Trial, round: Round) -> anyhow::Result<Report> {
        let begin = Instant::now();
        let mut report = Report::new(trial.carrier, self.seed, trial.expects_errors);
        let round = Arc::new(round);
        let attempts = match is_repeatable(trial.carrier, &round) {
            true => 1,
            false => ATTEMPTS_TO_REPLAY,
        };
        for _ in 0..attempts {
            interruption::check()?;
            self.watched(trial, &round, &mut report, begin)?;
            report.ops += round.operation_count() as u64;
            if !report.is_good() {
                break;
            }
        }
        report.took(begin.elapsed());
        Ok(report)
    }

    /// A round under the eyes of the watchdog; its counts are added to `report`.
    fn watched(
        &self,
        trial: &mut Trial,
        round: &Arc<Round>,
        report: &mut Report,
        begin: Instant,
    ) -> anyhow::Result<()> {
        let overwritten_before = guarded_memory::overwritten();
        let made_before = guarded_memory::made();
        let outcome = self.under_watch(trial, round, report, begin)?;
        report.rounds += 1;
        report.injected += outcome.injected.total();
        report.ledger.add(outcome.ledger);
        report.guarded_buffers += guarded_memory::made() - made_before;
        let overwritten = guarded_memory::overwritten() - overwritten_before;
        if overwritten > 0 {
            let finding = || format!("bytes behind {overwritten} buffers were overwritten");
            report.ledger.is_wrong(finding);
        }
        Ok(())
    }

    fn under_watch(
        &self,
        trial: &mut Trial,
        round: &Arc<Round>,
        report: &Report,
        begin: Instant,
    ) -> anyhow::Result<Outcome> {
        let carrier = trial.carrier;
        let what = format!("{carrier}, {}:", said(round));
        let file = self.replay_file(trial, round);
        let (folder, is_json) = (self.folder.clone(), self.is_json);
        let mut report = report.clone();
        let last_words = move |outstanding: u64| {
            report.ledger.lost += outstanding;
            report.stalled = true;
            report.took(begin.elapsed());
            report.replay = file().write(&folder).ok();
            say_last(&report, is_json);
        };
        let board = &self.board;
        trial.run(round, |senders| {
            let tables = senders.iter().map(|sender| Arc::clone(sender.table()));
            board.begins(what, tables.collect(), last_words);
        })
    }

    fn replay_file(
        &self,
        trial: &Trial,
        round: &Arc<Round>,
    ) -> impl FnOnce() -> ReplayFile + Send + 'static {
        let (carrier, is_direct) = (trial.carrier, self.is_direct);
        let (is_faulty, round) = (trial.expects_errors, Arc::clone(round));
        move || ReplayFile::new(carrier, is_direct, is_faulty, (*round).clone())
    }

    /// Writes the round that failed, then looks for a smaller one, which may hang as well.
    fn shrunk(
        &self,
        trial: &mut Trial,
        round: &Arc<Round>,
        report: &Report,
    ) -> anyhow::Result<PathBuf> {
        let mut file = self.replay_file(trial, round)();
        file.findings = report.ledger.findings.clone();
        let path = file.write(&self.folder)?;
        let path_said = path.display();
        eprintln!("a round has failed: {path_said}; looking for a smaller one");
        let nothing = Report::new(trial.carrier, self.seed, trial.expects_errors);
        let findings = &mut file.findings;
        file.round = shrink(round, &mut |candidate| {
            let candidate = Arc::new(candidate.clone());
            let attempts = match is_repeatable(trial.carrier, &candidate) {
                true => 1,
                false => ATTEMPTS_TO_FAIL,
            };
            (0..attempts).any(|_| {
                let outcome = self.under_watch(trial, &candidate, &nothing, Instant::now());
                let failed = outcome.ok().filter(|outcome| !outcome.ledger.is_good());
                // The last that fails is the one that is kept.
                failed
                    .map(|failed| *findings = failed.ledger.findings)
                    .is_some()
            })
        });
        file.write(&self.folder)
    }
}

/// Whether a round goes the same way every time: on the simulated disk, with one thread.
fn is_repeatable(carrier: Carrier, round: &Round) -> bool {
    carrier == Carrier::Sim && round.way == Way::Loop
}

/// What the watchdog leaves behind.
#[allow(clippy::print_stdout, reason = "the line that programs read")]
fn say_last(report: &Report, is_json: bool) {
    if let Some(path) = &report.replay {
        eprintln!("to run it again: {}", how_to_replay(path));
    }
    if is_json && let Ok(line) = report::json(report) {
        println!("{line}");
    }
}

pub(crate) fn how_to_replay(path: &Path) -> String {
    format!("cargo xtask model --replay {}", path.display())
}

/// A round in one line.
fn said(round: &Round) -> String {
    let Round {
        seed,
        way,
        feed,
        merge,
        depth,
        window,
        contexts,
        ending,
        ..
    } = round;
    format!(
        "round {seed}: {way:?}, {feed:?}, merging {merge:?}, {contexts} of depth {depth}, {} senders of {window}, {ending:?}",
        round.senders.len()
    )
}
