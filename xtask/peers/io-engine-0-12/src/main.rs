//! The published io-engine 0.12: a thread that submits, a thread that reaps, channels between.
//!
//! Building it takes libclang.

mod event;
mod faults;
mod wiring;

use std::os::fd::AsRawFd;
use std::process::ExitCode;

use anyhow::Context;
use crossfire::spsc;
use io_engine_published::merge::MergeSubmitter;
use io_engine_published::{Driver, IOAction};
use peer_cell::{CellSpec, Engine, Slot, Workload};

use event::{Event, Events};
use wiring::Start;

/// As the first argument: reads of a file that fails, in place of a cell.
const FAULTS: &str = "--faults";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((FAULTS, rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return match faults::run(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    peer_cell::run(&[
        engine("io-engine-0.12-uring", true, |spec, slots| {
            from_outside(spec, slots, Driver::Uring, wiring::inline)
        }),
        engine("io-engine-0.12-aio", false, |spec, slots| {
            from_outside(spec, slots, Driver::Aio, wiring::inline)
        }),
        engine("io-engine-0.12-workers-uring", true, |spec, slots| {
            from_outside(spec, slots, Driver::Uring, wiring::one_worker)
        }),
        engine("io-engine-0.12-workers-aio", false, |spec, slots| {
            from_outside(spec, slots, Driver::Aio, wiring::one_worker)
        }),
        engine("io-engine-0.12-merge-uring", true, |spec, slots| {
            merged(spec, slots, Driver::Uring)
        }),
        engine("io-engine-0.12-merge-aio", false, |spec, slots| {
            merged(spec, slots, Driver::Aio)
        }),
        engine("io-engine-0.12-resubmit-uring", true, |spec, slots| {
            from_callbacks(spec, slots, Driver::Uring)
        }),
        engine("io-engine-0.12-resubmit-aio", false, |spec, slots| {
            from_callbacks(spec, slots, Driver::Aio)
        }),
    ])
}

fn engine(
    name: &'static str,
    needs_ring: bool,
    carry: fn(&CellSpec, Vec<Slot>) -> anyhow::Result<()>,
) -> Engine {
    Engine {
        name,
        needs_ring,
        lacks: &[
            (Workload::Nop, "io-engine 0.12 has no nop"),
            (Workload::Log, "io-engine 0.12 has fsync, but no datasync"),
        ],
        carry,
    }
}

const DOES_NOT_START: &str = "io-engine 0.12 does not start";
const GONE: &str = "the threads of io-engine 0.12 are gone";

/// This thread, the caller's, keeps the depth in flight.
fn from_outside(
    spec: &CellSpec,
    slots: Vec<Slot>,
    driver: Driver,
    start: Start,
) -> anyhow::Result<()> {
    let file = spec.open()?;
    let events = Events::of(&file);
    // One place per I/O in flight in every channel, so that no send blocks.
    let (done, finished) = spsc::bounded_blocking(spec.depth);
    let submitter = start(driver, spec.depth, done).context(DOES_NOT_START)?;
    let mut in_flight = slots.len();
    for slot in slots {
        let first = events.first(spec, slot)?;
        submitter.send(first).ok().context(GONE)?;
    }
    while in_flight > 0 {
        match events.next(finished.recv().context(GONE)?)? {
            Some(event) => submitter.send(event).ok().context(GONE)?,
            None => in_flight -= 1,
        }
    }
    Ok(())
}

/// The most bytes of a merged request, as with the others.
const MERGED_BYTES_MAX: usize = 1 << 20;

/// As [`from_outside`], through a `MergeSubmitter`: what has finished at once begins again at once.
fn merged(spec: &CellSpec, slots: Vec<Slot>, driver: Driver) -> anyhow::Result<()> {
    let file = spec.open()?;
    let events = Events::of(&file);
    let (done, finished) = spsc::bounded_blocking(spec.depth);
    let sender = wiring::inline(driver, spec.depth, done).context(DOES_NOT_START)?;
    let action = match spec.writes() {
        true => IOAction::Write,
        false => IOAction::Read,
    };
    // What it cannot send is dropped, and its slot counted as lost.
    let lost = |_, _| {};
    let mut submitter =
        MergeSubmitter::new(file.as_raw_fd(), sender, MERGED_BYTES_MAX, action, lost);
    let mut in_flight = slots.len();
    for slot in slots {
        let first = events.first(spec, slot)?;
        submitter.add_event(*first).ok().context(GONE)?;
    }
    submitter.flush().ok().context(GONE)?;
    while in_flight > 0 {
        let mut next = Some(finished.recv().context(GONE)?);
        while let Some(one) = next {
            match events.next(one)? {
                Some(event) => submitter.add_event(*event).ok().context(GONE)?,
                None => in_flight -= 1,
            }
            next = finished.try_recv().ok();
        }
        submitter.flush().ok().context(GONE)?;
    }
    Ok(())
}

/// The callbacks keep it in flight, on the thread that reaps.
fn from_callbacks(spec: &CellSpec, slots: Vec<Slot>, driver: Driver) -> anyhow::Result<()> {
    let file = spec.open()?;
    let events = Events::of(&file);
    let in_flight = slots.len();
    let first = slots.into_iter().map(|slot| events.first(spec, slot));
    let first = first.collect::<anyhow::Result<Vec<Event>>>()?;
    let ended = wiring::resubmitting(driver, spec.depth, first, events).context(DOES_NOT_START)?;
    for _ in 0..in_flight {
        ended.recv().context(GONE)??;
    }
    Ok(())
}
