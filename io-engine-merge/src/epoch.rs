//! Forming the runs of one epoch: events of one file that may change places.

use std::cmp::Reverse;

use crate::counters::{MergeCounters, RunEnd};
use crate::fact::{Fact, FactKind};
use crate::limits::MergeLimits;
use crate::open_run::{Arrived, Fit, OpenRun};
use crate::plan::Link;
use crate::sort_key::SortKey;

/// How often runs are formed of the reads that overlap others; what is left then goes alone.
const LAYERS_MAX: usize = 4;

/// Where the runs of an epoch are written.
pub(crate) struct EpochPlan<'a> {
    pub(crate) facts: &'a [Fact],
    pub(crate) links: &'a mut [Link],
    pub(crate) left: &'a mut Vec<u32>,
    pub(crate) counters: &'a mut MergeCounters,
    pub(crate) limits: MergeLimits,
}

/// What became of an event that was to join a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joining {
    /// It is in the run, or has begun the next.
    Done,
    /// It overlaps the run and hinders nobody.
    Beside,
}

impl<'a> EpochPlan<'a> {
    /// Forms the runs of `epoch`, which is sorted by start. What is open at its end, has ended because
    /// of `end`.
    pub(crate) fn form_runs(&mut self, epoch: &mut [SortKey], end: RunEnd) {
        if self.limits.shares_reads() {
            longest_first(epoch, self.facts);
        }
        self.left.clear();
        let (mut reading, mut writing) = (None, None);
        for key in epoch {
            let event = self.arrived(key.arrival_number());
            if !event.fact.may_join() || event.fact.bytes() > self.limits.bytes_max() as u64 {
                self.alone(event.place);
                continue;
            }
            let open = match event.fact.kind {
                FactKind::Write => &mut writing,
                FactKind::Read
                | FactKind::LoneRead
                | FactKind::LoneWrite
                | FactKind::Fence
                | FactKind::Bystander => &mut reading,
            };
            if self.add(open, event) == Joining::Beside {
                self.left.push(event.place);
            }
        }
        self.close(reading, end);
        self.close(writing, end);
        if !self.left.is_empty() {
            self.form_layers(end);
        }
    }

    /// Reads that overlap those of the layer before, sorted by start as they were.
    fn form_layers(&mut self, end: RunEnd) {
        for _ in 1..LAYERS_MAX {
            let (mut reading, mut kept) = (None, 0);
            for index in 0..self.left.len() {
                let event = self.arrived(self.left[index]);
                if self.add(&mut reading, event) == Joining::Beside {
                    self.left[kept] = event.place;
                    kept += 1;
                }
            }
            self.close(reading, end);
            self.left.truncate(kept);
        }
        while let Some(place) = self.left.pop() {
            self.alone(place);
        }
    }

    #[inline]
    fn add(&mut self, open: &mut Option<OpenRun>, event: Arrived<'_>) -> Joining {
        let Some(run) = open else {
            *open = Some(OpenRun::begin(event));
            return Joining::Done;
        };
        match run.fit(event.fact, self.limits) {
            Fit::After { hole_bytes } => {
                self.counters.hole_bytes += hole_bytes;
                run.append(event, hole_bytes, self.links);
            }
            Fit::Within => {
                self.counters.shared_reads += 1;
                self.counters.bytes_copied += event.fact.bytes();
                run.share(event, self.links);
            }
            Fit::Beside => return Joining::Beside,
            Fit::Not(end) => {
                let ended = std::mem::replace(run, OpenRun::begin(event));
                ended.close(end, self.links, self.counters);
            }
        }
        Joining::Done
    }

    #[inline]
    fn close(&mut self, open: Option<OpenRun>, end: RunEnd) {
        if let Some(run) = open {
            run.close(end, self.links, self.counters);
        }
    }

    #[inline]
    fn alone(&mut self, place: u32) {
        self.links[place as usize].first = place;
        self.counters.went_alone();
    }

    #[inline]
    fn arrived(&self, place: u32) -> Arrived<'a> {
        Arrived {
            fact: &self.facts[place as usize],
            place,
        }
    }
}

/// Of those with the same start the longest comes first, so that it can share with the others.
fn longest_first(epoch: &mut [SortKey], facts: &[Fact]) {
    let same_start =
        |one: &SortKey, next: &SortKey| facts[one.arrival()].start == facts[next.arrival()].start;
    for same in epoch.chunk_by_mut(same_start) {
        if same.len() > 1 {
            same.sort_unstable_by_key(|key| (Reverse(facts[key.arrival()].end), key.arrival()));
        }
    }
}
