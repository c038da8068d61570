//! What our engines have in common: the event of an operation, and callbacks that keep going.

use std::os::fd::RawFd;

use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver};

use crate::bench::cell::{CellSpec, Workload};
use crate::bench::page_buffer::{RandomNumbers, fill};
use crate::bench::slot::{Op, OpKind, Slot};

/// The filled buffers of all slots; none where nothing is moved.
pub(super) fn buffers(spec: &CellSpec) -> anyhow::Result<Vec<Option<Buffer>>> {
    let mut random = RandomNumbers::new(spec.seed);
    let mut filled = || {
        if spec.workload == Workload::Nop {
            return Ok(None);
        }
        let mut buffer = Buffer::aligned(spec.block as usize)?;
        fill(&mut buffer, &mut random);
        Ok(Some(buffer))
    };
    (0..spec.depth).map(|_| filled()).collect()
}

/// The event for `op`; the buffer travels along where no bytes are moved.
#[inline]
pub(super) fn event<C: IOCallback>(fd: RawFd, op: Op, buffer: Option<Buffer>) -> IOEvent<C> {
    let action = action(op);
    let offset = op.offset.cast_signed();
    match buffer {
        Some(buffer) => IOEvent::new(fd, buffer, action, offset),
        None => IOEvent::new_no_buf(fd, action, offset, 0),
    }
}

#[inline]
fn action(op: Op) -> IOAction {
    match op.kind {
        OpKind::Read => IOAction::Read,
        OpKind::Write => IOAction::Write,
        OpKind::DataSync => IOAction::DataSync,
        OpKind::Nop => IOAction::Nop,
    }
}

/// What the result of a cell states: the driver, if the choice was not the cell's.
pub(super) fn chosen(asked: Driver, got: Driver) -> Option<String> {
    (asked == Driver::Auto).then(|| got.to_string())
}

/// A callback that hands over its slot's next event, on the spot and in the same buffer.
pub(super) struct Resubmits(Slot);

impl Resubmits {
    /// The first event of a slot.
    pub(super) fn first(mut slot: Slot, fd: RawFd, buffer: Option<Buffer>) -> IOEvent<Self> {
        let mut event = event(fd, slot.begin(), buffer);
        event.set_callback(Self(slot));
        event
    }
}

impl IOCallback for Resubmits {
    #[inline]
    fn call(mut self, mut event: IOEvent<Self>) {
        if !self.0.end(event.get_result()) {
            return;
        }
        let op = self.0.begin();
        event.renew(action(op), op.offset.cast_signed());
        event.set_callback(self);
        // If it is refused, the slot is dropped with it, which the meter counts as an error.
        drop(io_engine::resubmit(event));
    }
}
