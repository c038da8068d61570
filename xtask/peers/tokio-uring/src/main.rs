//! tokio-uring: tasks on one thread, one ring that tokio's epoll waits for.
#![allow(
    unsafe_code,
    reason = "the traits of its buffers promise what the compiler cannot check"
)]

use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context;
use peer_cell::{CellSpec, Engine, Memory, Op, OpKind, Slot, all_done, entries_for, keep_busy};
use tokio_uring::buf::{IoBuf, IoBufMut};
use tokio_uring::fs::File;
use tokio_uring::{Runtime, builder, no_op, spawn};

fn main() -> ExitCode {
    peer_cell::run(&[Engine {
        name: "tokio-uring",
        needs_ring: true,
        lacks: &[],
        carry,
    }])
}

fn carry(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let runtime = runtime(spec.depth).context("tokio-uring does not start")?;
    let file = Rc::new(File::from_std(spec.open()?));
    runtime.block_on(all_done(slots.into_iter().map(|slot| {
        let file = Rc::clone(&file);
        let buffer = Block(Memory::of(spec, slot.index()));
        spawn(keep_busy(slot, buffer, async move |op, buffer| {
            carry_out(&file, op, buffer).await
        }))
    })));
    Ok(())
}

/// A plain ring: it hangs with deferred task work, and cooperative task work brings it nothing.
fn runtime(depth: usize) -> io::Result<Runtime> {
    Runtime::new(builder().entries(entries_for(depth)))
}

async fn carry_out(file: &File, op: Op, buffer: Block) -> (io::Result<usize>, Block) {
    match op.kind {
        OpKind::Read => file.read_at(buffer, op.offset).await,
        OpKind::Write => file.write_at(buffer, op.offset).submit().await,
        OpKind::DataSync => (file.sync_data().await.map(|()| 0), buffer),
        OpKind::Nop => (no_op().await.map(|()| 0), buffer),
    }
}

struct Block(Memory);

// SAFETY: the bytes live on the heap, so that their address stays when the block moves, and all of
// them were written when the block was made.
unsafe impl IoBuf for Block {
    fn stable_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.0.len()
    }

    fn bytes_total(&self) -> usize {
        self.0.len()
    }
}

// SAFETY: as for `IoBuf`; the address is that of `stable_ptr`.
unsafe impl IoBufMut for Block {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    unsafe fn set_init(&mut self, _: usize) {}
}
