//! One phase of one driver: a number of operations, so many of them in flight, each checked.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::content::Expected;
use super::job::Job;
use super::random_order::RandomOrder;

/// What the operations of a phase are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every block, first to last.
    Write,
    /// One `fdatasync`.
    DataSync,
    /// Every block, in random order.
    Read,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::DataSync => "datasync",
            Self::Read => "random read",
        }
    }
}

/// What the callbacks of a phase share. They run on one thread, so nothing here is contended.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) kind: Kind,
    pub(crate) file: Arc<File>,
    pub(crate) expected: Expected,
    pub(crate) job: Job,
    operations: u64,
    order: RandomOrder,
    taken: AtomicU64,
    called: AtomicU64,
    /// For each lane the block that it has in flight, or [`IDLE`].
    in_flight: Box<[AtomicU64]>,
    results: Mutex<Results>,
    ended: SyncSender<Instant>,
}

/// What a phase has come to so far.
#[derive(Debug)]
pub(crate) struct Results {
    /// From submission to callback, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) verified: u64,
    pub(crate) failed: u64,
    /// The first few of what failed.
    pub(crate) failures: Vec<String>,
}

/// No request finished for too long. What is missing is still in flight.
#[derive(Debug)]
pub(crate) struct Stalled {
    /// Offsets in bytes.
    pub(crate) missing: Vec<u64>,
}

/// A lane without a block.
const IDLE: u64 = u64::MAX;

/// More failures than this tell nothing new.
const FAILURES_SHOWN: usize = 10;

/// An hour; what takes longer counts as this.
const LATENCY_NANOSECONDS_MAX: u64 = 3_600_000_000_000;

/// How often the progress is looked at.
const TICK: Duration = Duration::from_millis(50);

impl Phase {
    /// A phase and its end, which comes with the moment of the last callback.
    pub(crate) fn new(
        kind: Kind,
        job: &Job,
        file: &Arc<File>,
        expected: &Expected,
    ) -> (Arc<Self>, Receiver<Instant>) {
        let operations = match kind {
            Kind::Write | Kind::Read => job.block_count(),
            Kind::DataSync => 1,
        };
        let lanes = usize::try_from(operations).map_or(job.depth, |all| all.min(job.depth));
        let (ended, end) = sync_channel(1);
        let latencies = Histogram::new_with_bounds(1, LATENCY_NANOSECONDS_MAX, 3)
            .expect("a valid range and precision");
        let phase = Self {
            kind,
            file: Arc::clone(file),
            expected: expected.clone(),
            job: job.clone(),
            operations,
            order: RandomOrder::new(operations, 0x5EED),
            taken: AtomicU64::new(0),
            called: AtomicU64::new(0),
            in_flight: (0..lanes).map(|_| AtomicU64::new(IDLE)).collect(),
            results: Mutex::new(Results {
                latencies,
                verified: 0,
                failed: 0,
                failures: Vec::new(),
            }),
            ended,
        };
        (Arc::new(phase), end)
    }

    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    pub(crate) fn lane_count(&self) -> usize {
        self.in_flight.len()
    }

    /// The next block for a lane, or `None` when all are taken.
    pub(crate) fn take(&self, lane: usize) -> Option<u64> {
        let place = self.taken.fetch_add(1, Ordering::Relaxed);
        if place >= self.operations {
            return None;
        }
        let block = match self.kind {
            Kind::Write | Kind::DataSync => place,
            Kind::Read => self.order.at(place),
        };
        self.in_flight[lane].store(block, Ordering::Relaxed);
        Some(block)
    }

    /// A callback was called for the block that the lane had in flight. The last one ends the
    /// phase.
    pub(crate) fn give_back(
        &self,
        lane: usize,
        latency: Duration,
        verdict: Result<(), String>,
        now: Instant,
    ) {
        self.in_flight[lane].store(IDLE, Ordering::Relaxed);
        let mut results = self.results();
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        results.latencies.saturating_record(nanoseconds);
        match verdict {
            Ok(()) => results.verified += 1,
            Err(failure) => {
                results.failed += 1;
                if results.failures.len() < FAILURES_SHOWN {
                    results.failures.push(failure);
                }
            }
        }
        drop(results);
        if self.called.fetch_add(1, Ordering::Release) + 1 == self.operations {
            // Nobody waits any more if the phase was given up.
            let _ = self.ended.try_send(now);
        }
    }

    /// Something failed that is no block.
    pub(crate) fn note(&self, failure: String) {
        let mut results = self.results();
        results.failed += 1;
        results.failures.push(failure);
    }

    pub(crate) fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the last callback, calling `advance` with how many more have been called.
    pub(crate) fn wait(
        &self,
        end: &Receiver<Instant>,
        advance: &mut dyn FnMut(u64),
    ) -> Result<Instant, Stalled> {
        let mut seen = 0;
        let mut moved = Instant::now();
        loop {
            let ended = end.recv_timeout(TICK);
            let called = self.called.load(Ordering::Acquire);
            if called > seen {
                advance(called - seen);
                seen = called;
                moved = Instant::now();
            }
            match ended {
                Ok(at) => return Ok(at),
                Err(RecvTimeoutError::Timeout) if moved.elapsed() < self.job.stall_limit => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(Stalled {
                        missing: self.missing(),
                    });
                }
            }
        }
    }

    fn missing(&self) -> Vec<u64> {
        let blocks = self
            .in_flight
            .iter()
            .map(|lane| lane.load(Ordering::Relaxed));
        let mut offsets: Vec<u64> = blocks
            .filter(|block| *block != IDLE)
            .map(|block| block * self.job.block_bytes as u64)
            .collect();
        offsets.sort_unstable();
        offsets
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::Target;
    use super::*;

    fn phase(kind: Kind) -> (Arc<Phase>, Receiver<Instant>) {
        let job = Job {
            target: Target::Own { dir: ".".into() },
            total_bytes: 10 * 4096,
            block_bytes: 4096,
            depth: 4,
            is_direct: false,
            stall_limit: Duration::from_millis(200),
        };
        let file = Arc::new(tempfile::tempfile().unwrap());
        Phase::new(kind, &job, &file, &Expected::Pattern { seed: 1 })
    }

    #[test]
    fn a_missing_callback_is_told_by_its_offset_and_does_not_hang() {
        let (phase, end) = phase(Kind::Write);
        let now = Instant::now();
        for lane in 0..4 {
            phase.take(lane).unwrap();
        }
        phase.give_back(0, Duration::ZERO, Ok(()), now);
        phase.give_back(2, Duration::ZERO, Ok(()), now);
        let mut advanced = 0;
        let stalled = phase.wait(&end, &mut |more| advanced += more).unwrap_err();
        assert_eq!(stalled.missing, [4096, 3 * 4096]);
        assert_eq!(advanced, 2);
    }

    #[test]
    fn the_last_callback_ends_the_phase() {
        let (phase, end) = phase(Kind::Read);
        let now = Instant::now();
        let mut blocks = Vec::new();
        while let Some(block) = phase.take(0) {
            blocks.push(block);
            let verdict = if block == 3 {
                Err("wrong".to_owned())
            } else {
                Ok(())
            };
            phase.give_back(0, Duration::from_micros(5), verdict, now);
        }
        assert_eq!(phase.wait(&end, &mut |_| {}).unwrap(), now);
        blocks.sort_unstable();
        assert_eq!(blocks, (0..10).collect::<Vec<u64>>());
        let results = phase.results();
        assert_eq!((results.verified, results.failed), (9, 1));
        assert_eq!(results.latencies.len(), 10);
        let middle = results.latencies.value_at_quantile(0.5);
        assert!((4_990..=5_010).contains(&middle), "{middle}");
    }

    #[test]
    fn a_sync_is_one_operation() {
        let (phase, _end) = phase(Kind::DataSync);
        assert_eq!((phase.operations(), phase.lane_count()), (1, 1));
    }
}
