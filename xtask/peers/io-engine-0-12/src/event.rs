//! From a slot to an event of io-engine 0.12, and back.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, bail};
use io_buffer::Buffer;
use io_engine_published::{CbArgs, IOAction, IOEvent};
use peer_cell::{CellSpec, Memory, Op, OpKind, Slot};
use rustix::io::Errno;

/// What travels with an event and comes back with its result.
pub(crate) struct Ticket(Slot);

impl CbArgs for Ticket {}

/// The engine takes its events in boxes.
pub(crate) type Event = Box<IOEvent<Ticket>>;

/// What a callback is told. The buffer has the length that was moved; with an error there is none.
pub(crate) struct Finished {
    pub(crate) ticket: Ticket,
    pub(crate) result: Result<Option<Buffer>, Errno>,
}

/// Makes the events of a file.
#[derive(Clone, Copy)]
pub(crate) struct Events {
    fd: RawFd,
}

const PAGE: u32 = 4096;

impl Events {
    /// The file must stay open until the last event has ended.
    pub(crate) fn of(file: &File) -> Self {
        let fd = file.as_raw_fd();
        Self { fd }
    }

    /// The first event of a slot, with a buffer that all of them will have in turn.
    pub(crate) fn first(self, spec: &CellSpec, slot: Slot) -> anyhow::Result<Event> {
        let len = i32::try_from(spec.block).context("a block of 2 GiB is too large")?;
        let mut buffer = Buffer::aligned_by(len, PAGE).map_err(io::Error::from)?;
        buffer.copy_from(0, &Memory::of(spec, slot.index()));
        self.event(slot, buffer)
    }

    /// The next event of a slot; none if the slot is at its end.
    pub(crate) fn next(self, finished: Finished) -> anyhow::Result<Option<Event>> {
        let Ticket(mut slot) = finished.ticket;
        let (moved, buffer) = match finished.result {
            Ok(Some(buffer)) => (Ok(buffer.len()), Some(buffer)),
            Ok(None) => (Ok(0), None),
            Err(error) => (Err(error.into()), None),
        };
        let goes_on = slot.end(moved);
        match buffer {
            Some(buffer) if goes_on => self.event(slot, buffer).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    fn event(self, mut slot: Slot, buffer: Buffer) -> anyhow::Result<Event> {
        let Op { kind, offset, .. } = slot.begin();
        let action = match kind {
            OpKind::Read => IOAction::Read,
            OpKind::Write => IOAction::Write,
            OpKind::DataSync | OpKind::Nop => bail!("io-engine 0.12 has no {kind:?}"),
        };
        let offset = i64::try_from(offset).context("an offset beyond what a file can have")?;
        let mut event = Box::new(IOEvent::new(self.fd, buffer, action, offset));
        event.set_args(Ticket(slot));
        Ok(event)
    }
}
