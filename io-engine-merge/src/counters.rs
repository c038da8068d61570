//! What merging has done, in numbers.

use std::ops::AddAssign;

/// What has been planned since the beginning, in numbers that only grow.
///
/// Every read or write that may join others begins a run or joins one, and every run, be it of one
/// event, ends for one of five reasons. Where no event of a batch touches another, all of them count as
/// ended at a gap. So
/// `requests == ended_at_gap + ended_at_limit + ended_at_hazard + ended_at_fence + ended_at_batch_end
/// + alone + unplanned`.
///
/// ```
/// use io_engine_merge::{Fact, FactKind, FileFacts, MergeLimits, Planner};
///
/// let write = |start| Fact { file: 3, kind: FactKind::Write, start, end: start + 4096 };
/// let mut planner = Planner::new(MergeLimits::default());
/// let batch = [write(0), write(4096), write(1 << 20)];
/// let _plan = planner.plan(&batch, |_| FileFacts::UNKNOWN);
/// let counters = planner.counters();
/// assert_eq!((counters.events, counters.requests, counters.runs), (3, 2, 1));
/// assert_eq!((counters.ended_at_gap, counters.ended_at_batch_end), (1, 1));
/// assert_eq!(counters.bytes_copied, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCounters {
    /// Events that came in.
    pub events: u64,
    /// Requests that went out.
    pub requests: u64,
    /// The bytes that the events asked for.
    pub bytes: u64,
    /// Requests that hold two events or more.
    pub runs: u64,
    /// Reads that get their bytes from the buffer of another one.
    pub shared_reads: u64,
    /// The bytes that those get, by a copy. Nothing else is ever copied.
    pub bytes_copied: u64,
    /// Bytes between two reads that were read over and thrown away.
    pub hole_bytes: u64,
    /// Runs that the next event of their file and direction did not touch.
    pub ended_at_gap: u64,
    /// Runs that the next event would have made too long.
    pub ended_at_limit: u64,
    /// Runs that an overlap with a write ended: what overlaps keeps its order.
    pub ended_at_hazard: u64,
    /// Runs that a sync or an allocation of their file ended.
    pub ended_at_fence: u64,
    /// Runs that were the last of their file and direction in a batch.
    pub ended_at_batch_end: u64,
    /// Events that fit into no run: syncs, transfers that go on, those above the byte limit.
    pub alone: u64,
    /// Events that were sent alone because there was no memory to plan with.
    pub unplanned: u64,
}

/// Why a run got no further event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Gap,
    Limit,
    Hazard,
    Fence,
    BatchEnd,
}

impl MergeCounters {
    #[inline]
    pub(crate) fn run_ended(&mut self, end: RunEnd) {
        self.requests += 1;
        match end {
            RunEnd::Gap => self.ended_at_gap += 1,
            RunEnd::Limit => self.ended_at_limit += 1,
            RunEnd::Hazard => self.ended_at_hazard += 1,
            RunEnd::Fence => self.ended_at_fence += 1,
            RunEnd::BatchEnd => self.ended_at_batch_end += 1,
        }
    }

    #[inline]
    pub(crate) fn went_alone(&mut self) {
        self.requests += 1;
        self.alone += 1;
    }
}

/// Adds number by number, for the sum over several contexts.
impl AddAssign for MergeCounters {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.runs += other.runs;
        self.shared_reads += other.shared_reads;
        self.bytes_copied += other.bytes_copied;
        self.hole_bytes += other.hole_bytes;
        self.ended_at_gap += other.ended_at_gap;
        self.ended_at_limit += other.ended_at_limit;
        self.ended_at_hazard += other.ended_at_hazard;
        self.ended_at_fence += other.ended_at_fence;
        self.ended_at_batch_end += other.ended_at_batch_end;
        self.alone += other.alone;
        self.unplanned += other.unplanned;
    }
}
