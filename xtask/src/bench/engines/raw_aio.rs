//! The limit of Linux AIO: a loop written by hand over its system calls.
#![allow(unsafe_code, reason = "system calls that have no wrapper")]

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, ensure};

use super::{measure_limit, transferred, unsupported};
use crate::bench::cell::{CellOutcome, CellSpec, Workload};
use crate::bench::page_buffer::PageBuffer;
use crate::bench::slot::{Op, OpKind, Slot};

pub(super) fn run(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    if spec.workload == Workload::Nop {
        return unsupported("AIO has no nop");
    }
    let context = match AioContext::new(spec.depth) {
        Ok(context) => context,
        Err(error) => return unsupported(format!("io_setup: {error}; see fs.aio-max-nr")),
    };
    let file = spec.open()?;
    let buffers = super::buffers(spec);
    measure_limit(spec, |slots| {
        let seats = slots.into_iter().zip(buffers);
        let mut seats: Vec<Seat> = seats
            .map(|(slot, buffer)| Seat::new(slot, buffer, file.as_raw_fd()))
            .collect();
        let outcome = turn(&context, &mut seats);
        if outcome.is_err() {
            // The kernel may still write to them.
            std::mem::forget(seats);
        }
        outcome
    })
}

struct Seat {
    slot: Slot,
    buffer: PageBuffer,
    control_block: libc::iocb,
}

impl Seat {
    fn new(slot: Slot, buffer: PageBuffer, fd: RawFd) -> Self {
        // SAFETY: an `iocb` is numbers only, and all of them may be 0.
        let mut control_block: libc::iocb = unsafe { std::mem::zeroed() };
        control_block.aio_data = slot.index() as u64;
        control_block.aio_fildes = fd.cast_unsigned();
        Self {
            slot,
            buffer,
            control_block,
        }
    }
}

fn turn(context: &AioContext, seats: &mut [Seat]) -> anyhow::Result<()> {
    let depth = seats.len();
    let mut ready: Vec<*mut libc::iocb> = Vec::with_capacity(depth);
    for seat in seats.iter_mut() {
        ready.push(begin(seat)?);
    }
    let mut answers = vec![Answer::default(); depth];
    let mut in_kernel = 0;
    while in_kernel + ready.len() > 0 {
        in_kernel += submit(context, &mut ready, in_kernel)?;
        let reaped = context.reap(&mut answers).context("io_getevents failed")?;
        in_kernel -= reaped;
        for answer in &answers[..reaped] {
            let index = answer.user_data;
            let seat = usize::try_from(index)
                .ok()
                .and_then(|index| seats.get_mut(index));
            let seat = seat.context("an answer to nobody")?;
            if seat.slot.end(transferred(answer.result)) {
                ready.push(begin(seat)?);
            }
        }
    }
    Ok(())
}

#[inline]
fn begin(seat: &mut Seat) -> anyhow::Result<*mut libc::iocb> {
    let Op { kind, offset, len } = seat.slot.begin();
    let block = &mut seat.control_block;
    block.aio_offset = i64::try_from(offset).context("an offset beyond what files have")?;
    block.aio_nbytes = u64::from(len);
    block.aio_buf = seat.buffer.as_mut_ptr() as u64;
    // The numbers of `IOCB_CMD_*` in the kernel's linux/aio_abi.h.
    block.aio_lio_opcode = match kind {
        OpKind::Read => 0,
        OpKind::Write => 1,
        OpKind::DataSync => {
            block.aio_buf = 0;
            3
        }
        OpKind::Nop => anyhow::bail!("AIO has no nop"),
    };
    Ok(block)
}

/// Hands over all that is ready, or as much as the kernel takes if others are to be waited for.
fn submit(
    context: &AioContext,
    ready: &mut Vec<*mut libc::iocb>,
    in_kernel: usize,
) -> anyhow::Result<usize> {
    let mut taken = 0;
    while taken < ready.len() {
        match context.submit(&mut ready[taken..]) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ensure!(in_kernel + taken > 0, "io_submit takes nothing: {error}");
                break;
            }
            Err(error) => return Err(error).context("io_submit failed"),
        }
    }
    ready.drain(..taken);
    Ok(taken)
}

/// `struct io_event` of the kernel.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Answer {
    user_data: u64,
    control_block: u64,
    result: i64,
    result2: i64,
}

const _: () = assert!(size_of::<Answer>() == 32);

struct AioContext(libc::c_ulong);

impl AioContext {
    fn new(depth: usize) -> io::Result<Self> {
        let mut id: libc::c_ulong = 0;
        // SAFETY: the kernel writes one number, which `id` has room for.
        let status = unsafe { libc::syscall(libc::SYS_io_setup, depth, &raw mut id) };
        checked(status).map(|_| Self(id))
    }

    fn submit(&self, blocks: &mut [*mut libc::iocb]) -> io::Result<usize> {
        let (count, blocks) = (blocks.len(), blocks.as_mut_ptr());
        // SAFETY: the kernel reads `count` pointers and the control blocks that they point to,
        // during the call. Their buffers belong to one request each until it is answered: a seat
        // begins the next one only then, and seats with requests in flight are never freed.
        checked(unsafe { libc::syscall(libc::SYS_io_submit, self.0, count, blocks) })
    }

    /// Waits for one answer at least.
    fn reap(&self, answers: &mut [Answer]) -> io::Result<usize> {
        let (room, answers) = (answers.len(), answers.as_mut_ptr());
        let forever = std::ptr::null_mut::<libc::timespec>();
        // SAFETY: the kernel writes at most `room` answers to memory that holds as many.
        let status = unsafe {
            libc::syscall(
                libc::SYS_io_getevents,
                self.0,
                1usize,
                room,
                answers,
                forever,
            )
        };
        match checked(status) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            reaped => reaped,
        }
    }
}

impl Drop for AioContext {
    fn drop(&mut self) {
        // SAFETY: the context is this value's own and not used again.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.0) };
    }
}

fn checked(status: libc::c_long) -> io::Result<usize> {
    usize::try_from(status).map_err(|_| io::Error::last_os_error())
}
