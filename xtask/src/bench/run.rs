//! The run: every cell in every round, engines of one depth one after another.

use std::time::Duration;

use super::cell::{CellOutcome, CellResult, CellSpec};
use super::child;
use super::engine_name::Kind;
use super::executables::Executables;
use super::fio;
use super::groups::{Group, Place};
use super::interruption::Interrupted;
use super::place::{Sites, read_through};
use super::plan::{Cell, Plan, rotated};
use super::progress::Progress;
use super::record::{CellRecord, GroupRecord, Idle, Problem};

/// What a run stands on.
#[derive(Debug)]
pub(crate) struct Runner<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) sites: &'a Sites,
    pub(crate) executables: &'a Executables,
    pub(crate) progress: &'a Progress,
}

/// Beyond its time, a cell has this long to start and to end.
const DEADLINE_SPARE: Duration = Duration::from_secs(10);

/// What one process came to.
type Attempt = Result<CellResult, Problem>;

/// Every cell without a round yet.
pub(crate) fn blank(plan: &Plan) -> Vec<GroupRecord> {
    let groups = plan.groups.iter();
    groups
        .map(|planned| GroupRecord {
            name: planned.group.name.to_owned(),
            title: planned.group.title.to_owned(),
            workload: planned.group.workload,
            place: planned.group.place,
            block: planned.group.block,
            cells: planned.cells.iter().map(blank_cell).collect(),
        })
        .collect()
}

fn blank_cell(cell: &Cell) -> CellRecord {
    CellRecord {
        engine: cell.engine.clone(),
        kind: Kind::of(&cell.engine),
        depth: cell.depth,
        contexts: cell.contexts,
        rounds: Vec::new(),
        counting: None,
        problem: None,
        summary: None,
    }
}

impl Runner<'_> {
    /// All rounds of all cells.
    pub(crate) fn measure(&self, records: &mut [GroupRecord]) -> anyhow::Result<()> {
        let rounds = self.plan.rounds;
        for round in 0..rounds {
            for (planned, record) in self.plan.groups.iter().zip(&mut *records) {
                self.refresh(&planned.group)?;
                let name = planned.group.name;
                let label = format!("round {} of {rounds}: {name}", round + 1);
                self.progress.part(&label);
                for block in planned.by_depth() {
                    for index in rotated(block.len(), round) {
                        let at = block[index];
                        let (cell, record) = (&planned.cells[at], &mut record.cells[at]);
                        self.progress
                            .cell(&format!("{label} {} {}", cell.depth, cell.engine));
                        self.one_round(&planned.group, cell, round, record)?;
                        self.progress.advance(self.plan.round_time(cell));
                    }
                }
            }
        }
        Ok(())
    }

    fn one_round(
        &self,
        group: &Group,
        cell: &Cell,
        round: usize,
        record: &mut CellRecord,
    ) -> Result<(), Interrupted> {
        // What has failed once would only cost its deadline again.
        if record.problem.is_some() {
            return Ok(());
        }
        let times = (self.plan.warm_up, self.plan.measure);
        let mut spec = self.spec(group, cell, times);
        spec.seed += round as u64;
        match self.attempt(&spec)? {
            Ok(result) => record.rounds.push(result),
            Err(problem) => {
                if let Problem::Failed(reason) = &problem {
                    let (name, depth) = (group.name, cell.depth);
                    self.progress
                        .say(&format!("{name}, depth {depth}, {}: {reason}", cell.engine));
                }
                record.problem = Some(problem);
            }
        }
        Ok(())
    }

    /// One short round in which system calls are counted. That it cannot be done is no fault of
    /// an engine, so it is returned as a reason.
    pub(crate) fn count_calls(
        &self,
        tracepoint: u64,
        records: &mut [GroupRecord],
    ) -> anyhow::Result<Option<String>> {
        let mut reason = None;
        for (planned, record) in self.plan.groups.iter().zip(records) {
            self.refresh(&planned.group)?;
            let label = format!("counting system calls: {}", planned.group.name);
            self.progress.part(&label);
            for (cell, record) in planned.cells.iter().zip(&mut record.cells) {
                self.progress.advance(self.plan.counting_time(cell));
                if record.problem.is_some() || record.kind == Kind::Fio {
                    continue;
                }
                self.progress
                    .cell(&format!("{label} {} {}", cell.depth, cell.engine));
                let mut spec = self.spec(&planned.group, cell, self.plan.counting_times());
                spec.syscall_tracepoint = Some(tracepoint);
                match self.attempt(&spec)? {
                    Ok(result) => record.counting = Some(result),
                    Err(Problem::Failed(failed) | Problem::Unsupported(failed)) => {
                        reason.get_or_insert_with(|| format!("{}: {failed}", cell.engine));
                    }
                }
            }
        }
        Ok(reason)
    }

    /// Watches a context that has nothing to do.
    pub(crate) fn idle(&self) -> Result<Option<Result<Idle, String>>, Interrupted> {
        let Some(time) = self.plan.idle else {
            return Ok(None);
        };
        self.progress.part("an idle context");
        let mut command = self.executables.idle_command(time.as_millis());
        let ended = child::run(&mut command, time + DEADLINE_SPARE)?;
        self.progress.advance(time);
        Ok(Some(match ended {
            Ok(printed) => serde_json::from_str(&printed.stdout).map_err(|error| error.to_string()),
            Err(failure) => Err(failure.text()),
        }))
    }

    /// What else ran meanwhile may have pushed pages out.
    fn refresh(&self, group: &Group) -> anyhow::Result<()> {
        if group.place == Place::PageCache
            && let Some(site) = self.sites.ready(group.place)
        {
            read_through(&site.path)?;
        }
        Ok(())
    }

    fn spec(&self, group: &Group, cell: &Cell, times: (Duration, Duration)) -> CellSpec {
        let site = self.sites.ready(group.place);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        CellSpec {
            engine: cell.engine.clone(),
            workload: group.workload,
            path: site.map(|site| site.path.clone()).unwrap_or_default(),
            file_bytes: site.map_or(0, |site| site.ground.bytes),
            direct: group.place.is_direct(),
            block: group.block,
            depth: cell.depth,
            contexts: cell.contexts,
            warm_up_ms: ms(times.0),
            measure_ms: ms(times.1),
            pattern: group.pattern,
            seed: 1,
            syscall_tracepoint: None,
        }
    }

    fn attempt(&self, spec: &CellSpec) -> Result<Attempt, Interrupted> {
        let command = match self.executables.command(spec) {
            Ok(Some(command)) => command,
            Ok(None) => {
                let reason = "has no such workload".to_owned();
                return Ok(Err(Problem::Unsupported(reason)));
            }
            Err(error) => return Ok(Err(Problem::Failed(format!("{error:#}")))),
        };
        let mut command = command;
        let time = Duration::from_millis(spec.warm_up_ms + spec.measure_ms);
        Ok(match child::run(&mut command, time + DEADLINE_SPARE)? {
            Err(failure) => Err(Problem::Failed(failure.text())),
            Ok(printed) => outcome(Kind::of(&spec.engine), &printed.stdout)
                .map(|result| fio::in_blocks_of_the_cell(spec, result)),
        })
    }
}

/// What a process printed, as a result that can be trusted or the reason why it cannot.
fn outcome(kind: Kind, stdout: &str) -> Attempt {
    let outcome = match kind {
        Kind::Fio => fio::result(stdout).map(CellOutcome::Result),
        Kind::Limit | Kind::Own | Kind::Peer => {
            serde_json::from_str(stdout).map_err(anyhow::Error::from)
        }
    };
    match outcome {
        Err(error) => Err(Problem::Failed(format!("printed no result: {error:#}"))),
        Ok(CellOutcome::Unsupported(reason)) => Err(Problem::Unsupported(reason)),
        Ok(CellOutcome::Result(result)) if result.errors > 0 => {
            let first = result.first_error.as_deref().unwrap_or("unknown");
            let count = result.errors;
            Err(Problem::Failed(format!(
                "{count} I/Os failed, the first with: {first}"
            )))
        }
        Ok(CellOutcome::Result(result)) if result.ios == 0 => Err(Problem::Failed(
            "no I/O finished while it was measured".to_owned(),
        )),
        Ok(CellOutcome::Result(result)) => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn only_a_result_without_errors_counts() {
        let good = sample::result(1000);
        let printed = |result: &CellResult| serde_json::to_string(result).unwrap();
        assert_eq!(outcome(Kind::Own, &printed(&good)), Ok(good.clone()));
        let failed = CellResult {
            errors: 3,
            first_error: Some("disk on fire".to_owned()),
            ..good.clone()
        };
        let problem = outcome(Kind::Own, &printed(&failed)).unwrap_err();
        let said = Problem::Failed("3 I/Os failed, the first with: disk on fire".to_owned());
        assert_eq!(problem, said);
        let nothing = CellResult { ios: 0, ..good };
        assert!(matches!(
            outcome(Kind::Peer, &printed(&nothing)),
            Err(Problem::Failed(_))
        ));
    }

    #[test]
    fn a_refusal_and_nonsense_are_told_apart() {
        let refused = outcome(Kind::Peer, "{\"unsupported\":\"no writes\"}").unwrap_err();
        assert_eq!(refused, Problem::Unsupported("no writes".to_owned()));
        for nonsense in ["", "thread panicked", "{}"] {
            let problem = outcome(Kind::Own, nonsense).unwrap_err();
            assert!(matches!(problem, Problem::Failed(_)), "{nonsense}");
        }
    }
}
