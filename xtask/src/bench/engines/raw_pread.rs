//! Plain blocking calls: one thread, or as many as make sense.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;

use super::{measure_limit, unsupported};
use crate::bench::cell::{CellOutcome, CellSpec, Workload};
use crate::bench::page_buffer::PageBuffer;
use crate::bench::slot::{OpKind, Slot};

/// One thread is one I/O in flight.
pub(super) fn on_one_thread(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    if spec.depth > 1 {
        return unsupported("one blocking thread has a depth of 1");
    }
    if spec.workload == Workload::Nop {
        return unsupported("there is no call that does nothing");
    }
    let file = spec.open()?;
    let buffers = super::buffers(spec);
    measure_limit(spec, |slots| {
        for (slot, buffer) in slots.into_iter().zip(buffers) {
            work(slot, buffer, &file);
        }
        Ok(())
    })
}

/// Two threads a core at most: more of them only wait for each other.
pub(super) fn on_a_pool(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    if spec.depth < 2 {
        return unsupported("a pool takes a depth of 2 or more");
    }
    if spec.workload == Workload::Nop {
        return unsupported("there is no call that does nothing");
    }
    let file = spec.open()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let buffers = super::buffers(spec);
    measure_limit(spec, |slots| {
        thread::scope(|scope| {
            for (slot, buffer) in slots.into_iter().zip(buffers).take(2 * cores) {
                let file = &file;
                scope.spawn(move || work(slot, buffer, file));
            }
        });
        Ok(())
    })
}

fn work(mut slot: Slot, mut buffer: PageBuffer, file: &File) {
    loop {
        let op = slot.begin();
        let done = match op.kind {
            OpKind::Read => file.read_at(&mut buffer, op.offset),
            OpKind::Write => file.write_at(&buffer, op.offset),
            OpKind::DataSync => file.sync_data().map(|()| 0),
            OpKind::Nop => Err(io::Error::from(io::ErrorKind::Unsupported)),
        };
        if !slot.end(done) {
            return;
        }
    }
}
