//! One unit of depth: what to do next, and counting that it was done.
#![allow(unreachable_pub, reason = "public in the library of the peers")]

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::cell::{CellSpec, Workload};
use super::meter::{Phase, Shared};
use super::page_buffer::RandomNumbers;
use super::pattern::Pattern;

/// One I/O in flight at a time; whoever carries the I/O carries the slot.
///
/// It is one word, so that it costs a task or a callback nothing to carry it. A slot that has
/// begun and is dropped before it was told to stop is counted as an error: the engine has lost it.
#[derive(Debug)]
pub struct Slot(Box<State>);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The operation.
    pub kind: OpKind,
    /// Where in the file; 0 where there is no place.
    pub offset: u64,
    /// How many bytes; 0 where none are moved.
    pub len: u32,
}

/// The operations of the workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Fill the buffer.
    Read,
    /// Write the buffer.
    Write,
    /// `fdatasync` of the file.
    DataSync,
    /// Nothing.
    Nop,
}

#[derive(Debug)]
struct State {
    shared: Arc<Shared>,
    random: RandomNumbers,
    started: Option<Instant>,
    index: usize,
    expected: usize,
    /// The blocks in use; for a log the first block behind them.
    blocks: u64,
    tick: u32,
    block: u32,
    workload: Workload,
    pattern: Pattern,
    log_step: LogStep,
    /// Begun, and not told to stop since.
    is_going: bool,
}

/// Tells when every slot of the run has been dropped: for engines whose callbacks carry the slots
/// away.
#[derive(Debug)]
pub struct SlotsLeft(Arc<Shared>);

impl SlotsLeft {
    /// Waits until no slot is left.
    pub fn wait(&self) {
        self.0.wait_until_no_slot_is_left();
    }
}

/// What a slot does next in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogStep {
    Append,
    DataSync,
}

impl Slot {
    pub(super) fn new(spec: &CellSpec, shared: &Arc<Shared>, index: usize) -> Self {
        // Neighbouring seeds would give neighbouring sequences; a scrambled one is far away.
        let mut seeds = RandomNumbers::new(spec.seed ^ ((index as u64) << 32));
        // The log grows behind the part in use, which stays as it is.
        let blocks = match spec.workload {
            Workload::Log => spec.file_bytes.div_ceil(u64::from(spec.block)),
            Workload::Nop
            | Workload::RandomRead
            | Workload::RandomWrite
            | Workload::SequentialRead
            | Workload::SequentialWrite
            | Workload::Mixed => spec.blocks(),
        };
        Self(Box::new(State {
            shared: Arc::clone(shared),
            random: RandomNumbers::new(seeds.next()),
            started: None,
            index,
            expected: 0,
            blocks,
            // The slots take their samples at different times.
            tick: u32::try_from(index % 16).unwrap_or(0),
            block: spec.block,
            workload: spec.workload,
            pattern: spec.pattern,
            log_step: LogStep::Append,
            is_going: false,
        }))
    }

    /// Which of the slots it is, from 0 on.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Tells when every slot of this slot's run has been dropped.
    pub fn slots_left(&self) -> SlotsLeft {
        SlotsLeft(Arc::clone(&self.0.shared))
    }

    /// The next operation; its latency is taken from here on if it is its turn.
    #[inline]
    pub fn begin(&mut self) -> Op {
        let state = &mut *self.0;
        let op = match state.workload {
            Workload::Nop => Op {
                kind: OpKind::Nop,
                offset: 0,
                len: 0,
            },
            Workload::RandomRead => state.at_random(OpKind::Read),
            Workload::RandomWrite => state.at_random(OpKind::Write),
            Workload::Mixed => state.mixed(),
            Workload::SequentialRead => state.in_order(OpKind::Read),
            Workload::SequentialWrite => state.in_order(OpKind::Write),
            Workload::Log => state.log(),
        };
        state.expected = op.len as usize;
        state.is_going = true;
        if op.kind != OpKind::DataSync {
            state.tick = state.tick.wrapping_add(1);
            if state.shared.is_sampled(state.tick) {
                state.started = Some(Instant::now());
            }
        }
        op
    }

    /// Counts the operation that [`begin`](Self::begin) gave out, with the bytes that it moved (0
    /// for a sync and a nop), and says whether to go on.
    ///
    /// An error or too few bytes ends the slot: it says no for good.
    #[inline]
    pub fn end(&mut self, transferred: io::Result<usize>) -> bool {
        let state = &mut *self.0;
        state.is_going = match transferred {
            Ok(bytes) if bytes == state.expected => state.succeed(),
            failed => state.fail(failed),
        };
        state.is_going
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = &*self.0;
        if state.is_going && state.shared.phase() != Phase::Over {
            let index = state.index;
            state.shared.report(format!("the engine lost slot {index}"));
        }
        state.shared.slot_dropped();
    }
}

impl State {
    #[inline]
    fn at_random(&mut self, kind: OpKind) -> Op {
        let half = self.random.next() >> 32;
        self.at_block((half * self.blocks) >> 32, kind)
    }

    #[inline]
    fn mixed(&mut self) -> Op {
        let number = self.random.next();
        let is_read = ((number & 0xFFFF_FFFF) * 10) >> 32 < 7;
        let kind = if is_read { OpKind::Read } else { OpKind::Write };
        self.at_block(((number >> 32) * self.blocks) >> 32, kind)
    }

    #[inline]
    fn in_order(&self, kind: OpKind) -> Op {
        let number = self.shared.next_block();
        self.at_block(self.pattern.block(number, self.blocks), kind)
    }

    #[inline]
    fn at_block(&self, block: u64, kind: OpKind) -> Op {
        Op {
            kind,
            offset: block * u64::from(self.block),
            len: self.block,
        }
    }

    fn log(&mut self) -> Op {
        if self.log_step == LogStep::DataSync {
            self.log_step = LogStep::Append;
            return Op {
                kind: OpKind::DataSync,
                offset: 0,
                len: 0,
            };
        }
        self.log_step = LogStep::DataSync;
        self.at_block(self.blocks + self.shared.next_block(), OpKind::Write)
    }

    /// Counts it, and says whether to go on.
    #[inline]
    fn succeed(&mut self) -> bool {
        let phase = self.shared.phase();
        // After the append of a pair the sync is still to come.
        if self.log_step == LogStep::Append {
            self.shared.count(self.index);
            if let Some(started) = self.started.take()
                && phase == Phase::Measuring
            {
                self.shared.record(started.elapsed());
            }
        }
        phase != Phase::Over
    }

    #[cold]
    fn fail(&mut self, failed: io::Result<usize>) -> bool {
        self.started = None;
        self.shared.report(match failed {
            Ok(bytes) => format!("{bytes} of {} bytes were moved", self.expected),
            Err(error) => error.to_string(),
        });
        false
    }
}
