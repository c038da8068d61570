//! The limit: a loop written by hand over one ring, with nothing in it that could be left out.
#![allow(unsafe_code, reason = "queue entries point to memory")]

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Context;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, SubmissionQueue, Submitter, opcode, squeue};

use super::{measure_limit, transferred, unsupported};
use crate::bench::cell::{CellOutcome, CellSpec};
use crate::bench::page_buffer::PageBuffer;
use crate::bench::slot::{Op, OpKind, Slot};

/// Below it a batch is no more than what comes anyway.
const BATCH_DEPTH_MIN: usize = 8;
/// How long a wait for a batch may hold up its first completion.
const BATCH_WAIT_US: u32 = 20;

/// Wakes for every completion.
pub(super) fn one_by_one(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    let ring = match new_ring(spec.depth) {
        Ok(ring) => ring,
        Err(error) => return no_ring(spec.depth, &error),
    };
    measure(spec, ring, Patience::One)
}

/// Wakes for a quarter of what is in flight, or for what there is after a short while.
pub(super) fn in_batches(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    if spec.depth < BATCH_DEPTH_MIN {
        return unsupported(format!("a depth of {BATCH_DEPTH_MIN} or more"));
    }
    match new_ring(spec.depth) {
        Ok(ring) if ring.params().is_feature_min_timeout() => measure(spec, ring, Patience::Batch),
        Ok(_) => unsupported("a minimum wait takes Linux 6.12"),
        Err(error) => no_ring(spec.depth, &error),
    }
}

#[derive(Clone, Copy, Debug)]
enum Patience {
    One,
    Batch,
}

struct Seat {
    slot: Slot,
    buffer: PageBuffer,
}

/// With the best flags that the kernel takes.
fn new_ring(depth: usize) -> io::Result<IoUring> {
    let entries = u32::try_from(depth).unwrap_or(u32::MAX);
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    builder
        .build(entries)
        .or_else(|_| IoUring::builder().setup_coop_taskrun().build(entries))
        .or_else(|_| IoUring::builder().build(entries))
}

fn no_ring(depth: usize, error: &io::Error) -> anyhow::Result<CellOutcome> {
    unsupported(format!("no io_uring with {depth} entries: {error}"))
}

fn measure(spec: &CellSpec, mut ring: IoUring, patience: Patience) -> anyhow::Result<CellOutcome> {
    let file = spec.open()?;
    let buffers = super::buffers(spec);
    measure_limit(spec, |slots| {
        let seats = slots.into_iter().zip(buffers);
        let mut seats: Vec<Seat> = seats.map(|(slot, buffer)| Seat { slot, buffer }).collect();
        let outcome = turn(&mut ring, file.as_raw_fd(), &mut seats, patience);
        if outcome.is_err() {
            // The kernel may still write to them.
            std::mem::forget(seats);
        }
        outcome
    })
}

fn turn(
    ring: &mut IoUring,
    fd: RawFd,
    seats: &mut [Seat],
    patience: Patience,
) -> anyhow::Result<()> {
    let (submitter, mut queue, mut completions) = ring.split();
    for (seat, index) in seats.iter_mut().zip(0..) {
        begin(seat, index, fd, &mut queue)?;
    }
    let mut in_flight = seats.len();
    queue.sync();
    while in_flight > 0 {
        enter(&submitter, patience, in_flight).context("io_uring_enter failed")?;
        // They take their positions from the kernel and give it theirs, once for the whole batch.
        completions.sync();
        queue.sync();
        for completion in &mut completions {
            let index = completion.user_data();
            let seat = usize::try_from(index)
                .ok()
                .and_then(|index| seats.get_mut(index));
            let seat = seat.context("a completion of nobody")?;
            if seat.slot.end(transferred(i64::from(completion.result()))) {
                begin(seat, index, fd, &mut queue)?;
            } else {
                in_flight -= 1;
            }
        }
        queue.sync();
    }
    Ok(())
}

#[inline]
fn begin(
    seat: &mut Seat,
    index: u64,
    fd: RawFd,
    queue: &mut SubmissionQueue<'_>,
) -> anyhow::Result<()> {
    let entry = entry(seat.slot.begin(), Fd(fd), &mut seat.buffer).user_data(index);
    // SAFETY: the buffer is `len` bytes long and belongs to this one request until its completion:
    // a seat begins the next one only then. `turn` ends with nothing in flight; when it ends with
    // an error, its caller gives the seats up for ever.
    unsafe { queue.push(&entry) }.context("the ring has fewer entries than it was asked for")
}

#[inline]
fn entry(op: Op, fd: Fd, buffer: &mut PageBuffer) -> squeue::Entry {
    match op.kind {
        OpKind::Read => {
            let read = opcode::Read::new(fd, buffer.as_mut_ptr(), op.len);
            read.offset(op.offset).build()
        }
        OpKind::Write => {
            let write = opcode::Write::new(fd, buffer.as_mut_ptr(), op.len);
            write.offset(op.offset).build()
        }
        OpKind::DataSync => opcode::Fsync::new(fd)
            .flags(io_uring::types::FsyncFlags::DATASYNC)
            .build(),
        OpKind::Nop => opcode::Nop::new().build(),
    }
}

#[inline]
fn enter(submitter: &Submitter<'_>, patience: Patience, in_flight: usize) -> io::Result<()> {
    let entered = match patience {
        Patience::One => submitter.submit_and_wait(1),
        Patience::Batch => {
            // Without an end to the whole wait, the minimum would be the end of it.
            let end = Timespec::new().sec(1);
            let args = SubmitArgs::new()
                .timespec(&end)
                .min_wait_usec(BATCH_WAIT_US);
            submitter.submit_with_args((in_flight / 4).max(1), &args)
        }
    };
    match entered {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
    }
}
