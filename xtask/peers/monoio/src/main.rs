//! monoio: tasks on one thread that sleeps in its one ring.
#![allow(
    unsafe_code,
    reason = "the traits of its buffers promise what the compiler cannot check"
)]

use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context;
use io_uring_of_monoio::IoUring;
use monoio::buf::{IoBuf, IoBufMut};
use monoio::fs::File;
use monoio::{IoUringDriver, Runtime, RuntimeBuilder, spawn};
use peer_cell::{
    CellSpec, Engine, Memory, Op, OpKind, Slot, Workload, all_done, entries_for, keep_busy,
};

fn main() -> ExitCode {
    peer_cell::run(&[Engine {
        name: "monoio",
        needs_ring: true,
        lacks: &[(Workload::Nop, "monoio has no nop")],
        carry,
    }])
}

fn carry(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let mut runtime = runtime(spec.depth).context("monoio does not start")?;
    let file = spec.open()?;
    runtime.block_on(async {
        let file = Rc::new(File::from_std(file)?);
        all_done(slots.into_iter().map(|slot| {
            let file = Rc::clone(&file);
            let buffer = Block(Memory::of(spec, slot.index()));
            spawn(keep_busy(slot, buffer, async move |op, buffer| {
                carry_out(&file, op, buffer).await
            }))
        }))
        .await;
        Ok(())
    })
}

fn runtime(depth: usize) -> io::Result<Runtime<IoUringDriver>> {
    let builder = || RuntimeBuilder::<IoUringDriver>::new().with_entries(entries_for(depth));
    let mut ring = IoUring::builder();
    ring.setup_single_issuer().setup_defer_taskrun();
    let newer = builder().uring_builder(ring).build();
    newer.or_else(|_| builder().build())
}

async fn carry_out(file: &File, op: Op, buffer: Block) -> (io::Result<usize>, Block) {
    match op.kind {
        OpKind::Read => file.read_at(buffer, op.offset).await,
        OpKind::Write => file.write_at(buffer, op.offset).await,
        OpKind::DataSync => (file.sync_data().await.map(|()| 0), buffer),
        OpKind::Nop => (Err(io::ErrorKind::Unsupported.into()), buffer),
    }
}

struct Block(Memory);

// SAFETY: the bytes live on the heap, so that their address stays when the block moves, and all of
// them were written when the block was made.
unsafe impl IoBuf for Block {
    fn read_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.0.len()
    }
}

// SAFETY: as for `IoBuf`; the address is that of `read_ptr`.
unsafe impl IoBufMut for Block {
    fn write_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn bytes_total(&mut self) -> usize {
        self.0.len()
    }

    unsafe fn set_init(&mut self, _: usize) {}
}
