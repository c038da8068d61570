//! What many write for themselves: threads that make blocking calls, behind a crossbeam channel.
//!
//! Once with as few threads as suit the page cache, and once with as many as suit a disk: no size
//! suits both.

use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::thread::{self, available_parallelism};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use peer_cell::blocking_call::carry_out;
use peer_cell::{CellSpec, Engine, Memory, Op, Slot};

fn main() -> ExitCode {
    let engine = |name, carry| Engine {
        name,
        needs_ring: false,
        lacks: &[],
        carry,
    };
    peer_cell::run(&[
        engine("pread-pool", |spec, slots| {
            let cores = available_parallelism()?.get();
            carry(spec, slots, 2 * cores)
        }),
        engine("pread-pool-wide", |spec, slots| {
            carry(spec, slots, THREADS_MAX)
        }),
    ])
}

/// Of the wide pool, which has a thread for each I/O in flight up to this number.
const THREADS_MAX: usize = 128;

/// What goes to a thread and comes back.
struct Job {
    slot: Slot,
    op: Op,
    buffer: Memory,
    moved: io::Result<usize>,
}

fn carry(spec: &CellSpec, slots: Vec<Slot>, threads: usize) -> anyhow::Result<()> {
    let file = spec.open()?;
    // One place per I/O in flight, so that no send blocks.
    let (to_threads, jobs) = bounded(spec.depth);
    let (done, from_threads) = bounded(spec.depth);
    thread::scope(|scope| {
        for _ in 0..threads.min(spec.depth) {
            let (jobs, done) = (jobs.clone(), done.clone());
            let file = &file;
            scope.spawn(move || work(file, &jobs, &done));
        }
        drop((jobs, done));
        let in_flight = slots.len();
        for mut slot in slots {
            let job = Job {
                op: slot.begin(),
                buffer: Memory::of(spec, slot.index()),
                moved: Ok(0),
                slot,
            };
            to_threads.send(job).context(GONE)?;
        }
        keep_going(in_flight, &to_threads, &from_threads)?;
        drop(to_threads);
        Ok(())
    })
}

const GONE: &str = "the threads of the pool are gone";

fn keep_going(
    mut in_flight: usize,
    to_threads: &Sender<Job>,
    from_threads: &Receiver<Job>,
) -> anyhow::Result<()> {
    while in_flight > 0 {
        let mut job = from_threads.recv().context(GONE)?;
        if job.slot.end(std::mem::replace(&mut job.moved, Ok(0))) {
            job.op = job.slot.begin();
            to_threads.send(job).context(GONE)?;
        } else {
            in_flight -= 1;
        }
    }
    Ok(())
}

fn work(file: &File, jobs: &Receiver<Job>, done: &Sender<Job>) {
    for mut job in jobs {
        job.moved = carry_out(file, job.op, &mut job.buffer);
        if done.send(job).is_err() {
            return;
        }
    }
}
