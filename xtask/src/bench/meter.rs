//! Measuring an engine at almost no cost to it, and in the same way for every engine.
//!
//! Each unit of depth has a [`Slot`] that counts into a cache line of its own. One thread keeps
//! the time: it looks at the counters and at what the process has used at the end of the warm-up
//! and at the end of the run. So nothing in the hot path reads a clock, except for the sampled
//! latencies: as many as cost at most about half a percent of a core.
#![allow(unreachable_pub, reason = "public in the library of the peers")]

use std::fs::File;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;

use super::cell::{CellResult, CellSpec, Workload};
use super::slot::Slot;
use super::usage::{Usage, UsageProbe, peak_rss_kib};

/// Runs an engine and measures it.
#[derive(Debug)]
pub struct Meter;

/// One I/O of so many has its latency taken, at the most rarely.
const SAMPLE_PERIOD_MAX: u32 = 16;
/// Taking a latency costs some 100 ns, so this many a second are half a percent of a core.
const SAMPLES_PER_SECOND: u64 = 50_000;
/// The longest latency that the percentiles tell from a longer one.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// Where the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    WarmUp,
    Measuring,
    Over,
}

/// What the slots and the keeper of the time share.
#[derive(Debug)]
pub(super) struct Shared {
    dial: OwnLine<Dial>,
    cursor: OwnLine<AtomicU64>,
    done: Box<[OwnLine<AtomicU64>]>,
    latencies: Mutex<Histogram<u64>>,
    /// From here on the latencies are taken most rarely.
    samples_max: u64,
    errors: Mutex<Errors>,
    slots_left: Mutex<usize>,
    slot_was_last: Condvar,
}

/// Apart from what others write, as it is read for every I/O.
#[derive(Debug)]
struct Dial {
    phase: AtomicU8,
    /// A power of two less one: the bits of a tick that must be 0.
    sample_mask: AtomicU32,
}

#[derive(Debug, Default)]
struct Errors {
    count: u64,
    first: Option<String>,
}

/// Keeps what it holds out of the cache line of its neighbours.
#[derive(Debug, Default)]
#[repr(align(64))]
struct OwnLine<T>(T);

impl Meter {
    /// Gives `body` the slots of the cell, and measures while it keeps them busy: it must begin an
    /// operation with each, and begin the next one until the slot says to stop. It returns what
    /// the engine chose, if it was left the choice.
    ///
    /// Must be called before the first thread is started, or system calls are missed.
    pub fn run(
        spec: &CellSpec,
        body: impl FnOnce(Vec<Slot>) -> anyhow::Result<Option<String>>,
    ) -> anyhow::Result<CellResult> {
        let mut probe = UsageProbe::new(spec.syscall_tracepoint)?;
        let log = LogTail::cut(spec)?;
        let shared = Arc::new(Shared::new(spec)?);
        let slots = (0..spec.depth).map(|index| Slot::new(spec, &shared, index));
        let slots: Vec<Slot> = slots.collect();
        let (ended, has_ended) = sync_channel::<()>(0);
        let (measured, driver) = std::thread::scope(|scope| {
            let shared = &*shared;
            let keeper = scope.spawn(move || shared.keep_time(spec, &mut probe, &has_ended));
            let driver = body(slots);
            drop(ended);
            let measured = keeper
                .join()
                .unwrap_or_else(|_| bail!("the time keeper panicked"));
            anyhow::Ok((measured?, driver?))
        })?;
        drop(log);
        shared.result(spec, measured, driver)
    }
}

/// What one look sees.
#[derive(Clone, Copy, Debug)]
struct Look {
    ios: u64,
    usage: Usage,
}

impl Shared {
    fn new(spec: &CellSpec) -> anyhow::Result<Self> {
        let dial = Dial {
            phase: AtomicU8::new(Phase::WarmUp as u8),
            sample_mask: AtomicU32::new(SAMPLE_PERIOD_MAX - 1),
        };
        Ok(Self {
            dial: OwnLine(dial),
            cursor: OwnLine::default(),
            done: (0..spec.depth).map(|_| OwnLine::default()).collect(),
            latencies: Mutex::new(Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?),
            samples_max: 2 * SAMPLES_PER_SECOND * spec.measure_ms / 1000,
            errors: Mutex::default(),
            slots_left: Mutex::new(spec.depth),
            slot_was_last: Condvar::new(),
        })
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        match self.dial.0.phase.load(Ordering::Relaxed) {
            0 => Phase::WarmUp,
            1 => Phase::Measuring,
            _ => Phase::Over,
        }
    }

    fn enter(&self, phase: Phase) {
        self.dial.0.phase.store(phase as u8, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_sampled(&self, tick: u32) -> bool {
        tick & self.dial.0.sample_mask.load(Ordering::Relaxed) == 0
    }

    #[inline]
    pub(super) fn next_block(&self) -> u64 {
        self.cursor.0.fetch_add(1, Ordering::Relaxed)
    }

    /// A slot has one writer at a time, so that no read-modify-write is needed.
    #[inline]
    pub(super) fn count(&self, slot: usize) {
        let done = &self.done[slot].0;
        done.store(done.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn record(&self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let mut latencies = self.latencies();
        latencies.saturating_record(ns);
        if latencies.len() == self.samples_max {
            // The run is much faster than its warm-up was.
            self.sample_one_of(SAMPLE_PERIOD_MAX);
        }
    }

    /// `period` is a power of two.
    fn sample_one_of(&self, period: u32) {
        self.dial.0.sample_mask.store(period - 1, Ordering::Relaxed);
    }

    pub(super) fn report(&self, error: String) {
        let mut errors = self.errors();
        errors.count += 1;
        errors.first.get_or_insert(error);
    }

    pub(super) fn slot_dropped(&self) {
        let mut left = self.slots_left();
        *left -= 1;
        if *left == 0 {
            self.slot_was_last.notify_all();
        }
    }

    pub(super) fn wait_until_no_slot_is_left(&self) {
        let is_left = |left: &mut usize| *left > 0;
        let left = self.slot_was_last.wait_while(self.slots_left(), is_left);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }

    fn slots_left(&self) -> MutexGuard<'_, usize> {
        self.slots_left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn latencies(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ios(&self) -> u64 {
        self.done
            .iter()
            .map(|done| done.0.load(Ordering::Relaxed))
            .sum()
    }

    fn look(&self, probe: &mut UsageProbe) -> anyhow::Result<Look> {
        Ok(Look {
            ios: self.ios(),
            usage: probe.read()?,
        })
    }

    /// The looks at the beginning and at the end of the measuring; `None` if the engine ended
    /// before the warm-up. Whatever happens, the slots are told to stop.
    fn keep_time(
        &self,
        spec: &CellSpec,
        probe: &mut UsageProbe,
        has_ended: &Receiver<()>,
    ) -> anyhow::Result<Option<Looks>> {
        let looks = self.measure(spec, probe, has_ended);
        self.enter(Phase::Over);
        looks
    }

    fn measure(
        &self,
        spec: &CellSpec,
        probe: &mut UsageProbe,
        has_ended: &Receiver<()>,
    ) -> anyhow::Result<Option<Looks>> {
        // Its first half has the start of the engine in it.
        let half = spec.warm_up_ms / 2;
        if ends_within(half, has_ended) {
            return Ok(None);
        }
        let halfway = self.look(probe)?;
        if ends_within(spec.warm_up_ms - half, has_ended) {
            return Ok(None);
        }
        let before = self.look(probe)?;
        let lasted = before.usage.at.duration_since(halfway.usage.at);
        self.sample_one_of(sample_period(before.ios - halfway.ios, lasted));
        self.enter(Phase::Measuring);
        let is_cut_short = ends_within(spec.measure_ms, has_ended);
        let after = self.look(probe)?;
        Ok(Some(Looks {
            before,
            after,
            is_cut_short,
        }))
    }
}

/// The two looks that a measurement is the difference of.
#[derive(Clone, Copy, Debug)]
struct Looks {
    before: Look,
    after: Look,
    is_cut_short: bool,
}

impl Shared {
    fn result(
        &self,
        spec: &CellSpec,
        looks: Option<Looks>,
        driver: Option<String>,
    ) -> anyhow::Result<CellResult> {
        let mut errors = self.errors();
        if errors.count == 0 && looks.is_none_or(|looks| looks.is_cut_short) {
            bail!("the engine returned without an error before the run was over");
        }
        let mut result = CellResult {
            errors: errors.count,
            first_error: errors.first.take(),
            peak_rss_kib: peak_rss_kib()?,
            driver,
            ..CellResult::default()
        };
        let Some(Looks { before, after, .. }) = looks else {
            return Ok(result);
        };
        result.ios = after.ios - before.ios;
        if spec.workload != Workload::Nop {
            result.bytes = result.ios * u64::from(spec.block);
        }
        let (used, had) = (after.usage, before.usage);
        result.seconds = used.at.duration_since(had.at).as_secs_f64();
        result.cpu_user_us = (used.user - had.user).as_secs_f64() * 1e6;
        result.cpu_system_us = (used.system - had.system).as_secs_f64() * 1e6;
        result.system_calls = used.system_calls.zip(had.system_calls).map(|(a, b)| a - b);
        let latencies = self.latencies();
        result.samples = latencies.len();
        result.p50_ns = latencies.value_at_quantile(0.50);
        result.p99_ns = latencies.value_at_quantile(0.99);
        result.p999_ns = latencies.value_at_quantile(0.999);
        Ok(result)
    }
}

/// Waits, and says whether the engine ended before the time was over.
fn ends_within(ms: u64, has_ended: &Receiver<()>) -> bool {
    match has_ended.recv_timeout(Duration::from_millis(ms)) {
        Err(RecvTimeoutError::Timeout) => false,
        Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
    }
}

/// How many I/Os there are to each whose latency is taken, at this pace; a power of two.
fn sample_period(ios: u64, within: Duration) -> u32 {
    let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
    let period = ios.saturating_mul(1000) / ms / SAMPLES_PER_SECOND;
    let period = u32::try_from(period).unwrap_or(u32::MAX);
    period.clamp(1, SAMPLE_PERIOD_MAX).next_power_of_two()
}

/// What a log appends to the file, which is cut off before the run and behind it.
#[derive(Debug)]
struct LogTail {
    file: File,
    len: u64,
}

impl LogTail {
    fn cut(spec: &CellSpec) -> anyhow::Result<Option<Self>> {
        if spec.workload != Workload::Log {
            return Ok(None);
        }
        let path = spec.path.display();
        let open = || {
            let file = File::options().write(true).open(&spec.path)?;
            file.set_len(spec.file_bytes)?;
            Ok::<File, std::io::Error>(file)
        };
        let file = open().with_context(|| {
            format!("{path}: a log appends, which takes a regular file that can be written")
        })?;
        let len = spec.file_bytes;
        Ok(Some(Self { file, len }))
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        if let Err(error) = self.file.set_len(self.len) {
            eprintln!("the appended part of the log stays: {error}");
        }
    }
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
