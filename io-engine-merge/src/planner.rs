//! From the facts of a batch to the requests to be made of it.

use std::collections::TryReserveError;

use crate::counters::{MergeCounters, RunEnd};
use crate::epoch::EpochPlan;
use crate::fact::{Fact, FactKind};
use crate::file_facts::FileFacts;
use crate::hazards::{Hazards, is_one_epoch};
use crate::limits::MergeLimits;
use crate::neighbours::Neighbours;
use crate::plan::{Link, Plan};
use crate::sort_key::SortKey;

/// Decides which events of a batch travel together. It knows numbers only: no event, no file, no
/// clock.
///
/// # What is joined
/// Reads, or writes, of one file, each beginning where the one before ends, in whatever order they
/// arrived, within the [`MergeLimits`] and the [`FileFacts`].
///
/// # What is not
/// What has to stay in order: two transfers that overlap, at least one of them a write, and
/// everything of a file on either side of a sync or an allocation. The result is that of the events
/// one by one.
///
/// # Cost
/// That of a sort, however many files and streams there are. Its memory is reused: 32 bytes for each
/// event of the largest batch so far, and up to 40 KiB. Where there is none to be
/// had, each event travels alone.
///
/// ```
/// use io_engine_merge::{Fact, FactKind, FileFacts, MergeLimits, Planner};
///
/// let transfer = |kind, start| Fact { file: 3, kind, start, end: start + 4096 };
/// let (read, write) = (FactKind::Read, FactKind::Write);
/// // The read must see the first write, and must not see the last.
/// let batch = [transfer(write, 0), transfer(read, 0), transfer(write, 0), transfer(write, 4096)];
///
/// let mut planner = Planner::new(MergeLimits::default());
/// let plan = planner.plan(&batch, |_file| FileFacts::UNKNOWN);
/// let firsts: Vec<usize> = plan.requests().map(|request| request.first()).collect();
/// assert_eq!(firsts, [0, 1, 2]);
/// assert_eq!(planner.counters().ended_at_hazard, 2);
/// ```
#[derive(Debug)]
pub struct Planner {
    limits: MergeLimits,
    neighbours: Neighbours,
    keys: Vec<SortKey>,
    links: Vec<Link>,
    /// Reads that overlap others, while runs are formed of those.
    left: Vec<u32>,
    hazards: Hazards,
    counters: MergeCounters,
}

/// Longer batches are not planned: places are numbers of 32 bits, and nobody gathers so many.
const BATCH_EVENTS_MAX: usize = 1 << 20;

impl Planner {
    /// A planner that has no memory yet. A number as `limits` is the most bytes of a request.
    #[must_use]
    pub fn new(limits: impl Into<MergeLimits>) -> Self {
        Self {
            limits: limits.into(),
            neighbours: Neighbours::default(),
            keys: Vec::new(),
            links: Vec::new(),
            left: Vec::new(),
            hazards: Hazards::default(),
            counters: MergeCounters::default(),
        }
    }

    /// What has been planned so far.
    #[must_use]
    pub fn counters(&self) -> MergeCounters {
        self.counters
    }

    /// Plans a batch: one fact per event, in the order of arrival. `of_file` says what a file allows;
    /// it is asked once per file and batch, and only about files that have two events or more.
    ///
    /// Without memory to plan with, each event travels alone; so it does in a batch of more than 2^20.
    ///
    /// # Panics
    /// If `of_file` does.
    pub fn plan(&mut self, facts: &[Fact], of_file: impl FnMut(u32) -> FileFacts) -> Plan<'_> {
        let events = facts.len() as u64;
        self.counters.events += events;
        self.counters.bytes += facts.iter().map(Fact::bytes).sum::<u64>();
        if facts.len() < 2 {
            self.count_apart(facts, RunEnd::BatchEnd);
            return Plan::each_alone(facts.len());
        }
        if facts.len() > BATCH_EVENTS_MAX || self.reserve(facts.len()).is_err() {
            self.counters.requests += events;
            self.counters.unplanned += events;
            return Plan::each_alone(facts.len());
        }
        if self.limits.joins_only_neighbours() && !self.neighbours.may_exist(facts) {
            self.count_apart(facts, RunEnd::Gap);
            return Plan::each_alone(facts.len());
        }
        self.join(facts, of_file)
    }

    /// Room for everything that planning so many events may need, so that nothing after it allocates.
    fn reserve(&mut self, events: usize) -> Result<(), TryReserveError> {
        self.keys.clear();
        self.keys.try_reserve(events)?;
        self.links.clear();
        self.links.try_reserve(events)?;
        self.left.clear();
        self.left.try_reserve(events)?;
        self.neighbours.reserve()?;
        self.hazards.reserve(events)
    }

    fn join(&mut self, facts: &[Fact], mut of_file: impl FnMut(u32) -> FileFacts) -> Plan<'_> {
        let events = (0..).zip(facts);
        self.keys
            .extend(events.map(|(arrival, fact)| SortKey::of(fact, arrival)));
        self.keys.sort_unstable();
        self.links.resize(facts.len(), Link::UNPLANNED);
        let runs_before = self.counters.runs;
        let mut plan = EpochPlan {
            facts,
            links: &mut self.links,
            left: &mut self.left,
            counters: &mut self.counters,
            limits: self.limits,
        };
        for group in self.keys.chunk_by_mut(same_group) {
            if group.len() == 1 {
                plan.form_runs(group, RunEnd::BatchEnd);
                continue;
            }
            let file = of_file(group[0].group());
            plan.limits = self.limits.within(file);
            if is_one_epoch(group, facts, file.size_min) {
                plan.form_runs(group, RunEnd::BatchEnd);
            } else {
                self.hazards.cut(group, facts, file.size_min);
                form_epochs(&mut plan, group);
            }
        }
        if self.counters.runs == runs_before {
            self.links.clear();
        }
        Plan::new(&self.links, facts.len())
    }

    /// Counts events of which each is a request.
    fn count_apart(&mut self, facts: &[Fact], end: RunEnd) {
        for fact in facts {
            if fact.may_join() {
                self.counters.run_ended(end);
            } else {
                self.counters.went_alone();
            }
        }
    }
}

fn same_group(one: &SortKey, next: &SortKey) -> bool {
    one.group() == next.group()
}

/// Plans all epochs of one file.
fn form_epochs(plan: &mut EpochPlan<'_>, group: &mut [SortKey]) {
    let mut epochs = group.chunk_by_mut(same_group).peekable();
    while let Some(epoch) = epochs.next() {
        let end = match epochs.peek() {
            Some(next) if plan.facts[next[0].arrival()].kind == FactKind::Fence => RunEnd::Fence,
            Some(_) => RunEnd::Hazard,
            None => RunEnd::BatchEnd,
        };
        plan.form_runs(epoch, end);
    }
}
