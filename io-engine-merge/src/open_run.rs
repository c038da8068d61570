//! A run while it grows: which event may still join it.

use crate::counters::{MergeCounters, RunEnd};
use crate::fact::{Fact, FactKind};
use crate::limits::MergeLimits;
use crate::plan::{Link, NONE};

/// One event and its place in the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    pub(crate) fact: &'a Fact,
    pub(crate) place: u32,
}

/// How an event may join a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// At the end, after so many bytes that nobody asked for.
    After { hole_bytes: u64 },
    /// The last segment has all its bytes.
    Within,
    /// Both are reads and overlap: it hinders nobody, and may join another run.
    Beside,
    /// It begins elsewhere, or it does not fit in any more; the run has ended.
    Not(RunEnd),
}

/// A run to which events are added in the order of their starts.
#[derive(Debug)]
pub(crate) struct OpenRun {
    start: u64,
    end: u64,
    first: u32,
    last: u32,
    /// Which of its events arrived first.
    oldest: u32,
    segments: u32,
    /// Events and holes.
    entries: u32,
    sharing: Option<Sharing>,
}

/// The list of events that share, to be appended to that of the segments.
#[derive(Clone, Copy, Debug)]
struct Sharing {
    first: u32,
    last: u32,
}

impl OpenRun {
    pub(crate) fn begin(event: Arrived<'_>) -> Self {
        Self {
            start: event.fact.start,
            end: event.fact.end,
            first: event.place,
            last: event.place,
            oldest: event.place,
            segments: 1,
            entries: 1,
            sharing: None,
        }
    }

    /// Whether `fact`, of the same file, epoch and direction, may join; it begins no earlier than
    /// any event in here.
    #[inline]
    pub(crate) fn fit(&self, fact: &Fact, limits: MergeLimits) -> Fit {
        let Some(hole_bytes) = fact.start.checked_sub(self.end) else {
            let is_within = limits.shares_reads() && fact.end <= self.end;
            let has_room = (self.entries as usize) < limits.events_max();
            return if is_within && has_room {
                Fit::Within
            } else {
                Fit::Beside
            };
        };
        let tolerated = match fact.kind {
            FactKind::Read => limits.gap_bytes_max() as u64,
            FactKind::Write
            | FactKind::LoneRead
            | FactKind::LoneWrite
            | FactKind::Fence
            | FactKind::Bystander => 0,
        };
        if hole_bytes > tolerated {
            return Fit::Not(RunEnd::Gap);
        }
        let entries = self.entries as usize + 1 + usize::from(hole_bytes > 0);
        if fact.end - self.start > limits.bytes_max() as u64 || entries > limits.events_max() {
            return Fit::Not(RunEnd::Limit);
        }
        Fit::After { hole_bytes }
    }

    /// Adds an event that fits after a hole of `hole_bytes`, which is mostly none.
    #[inline]
    pub(crate) fn append(&mut self, event: Arrived<'_>, hole_bytes: u64, links: &mut [Link]) {
        links[self.last as usize].next = event.place;
        self.last = event.place;
        self.oldest = self.oldest.min(event.place);
        self.end = event.fact.end;
        self.segments += 1;
        self.entries += 1 + u32::from(hole_bytes > 0);
    }

    /// Adds an event that fits within the last segment.
    pub(crate) fn share(&mut self, event: Arrived<'_>, links: &mut [Link]) {
        links[event.place as usize].leader = self.segments - 1;
        self.oldest = self.oldest.min(event.place);
        self.entries += 1;
        match &mut self.sharing {
            Some(sharing) => {
                links[sharing.last as usize].next = event.place;
                sharing.last = event.place;
            }
            None => {
                self.sharing = Some(Sharing {
                    first: event.place,
                    last: event.place,
                });
            }
        }
    }

    /// Writes the run into the plan.
    #[inline]
    pub(crate) fn close(self, end: RunEnd, links: &mut [Link], counters: &mut MergeCounters) {
        if let Some(sharing) = self.sharing {
            links[self.last as usize].next = sharing.first;
        }
        links[self.oldest as usize].first = self.first;
        debug_assert!(links[self.first as usize].leader == NONE);
        counters.run_ended(end);
        counters.runs += u64::from(self.entries > 1);
    }
}
