//! compio: tasks on one thread that sleeps in its one ring.
#![allow(
    unsafe_code,
    reason = "the traits of its buffers promise what the compiler cannot check"
)]

use std::io;
use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context;
use compio::buf::{BufResult, IoBuf, IoBufMut, SetLen};
use compio::driver::{DriverType, ProactorBuilder};
use compio::fs::{File, OpenOptions};
use compio::io::{AsyncReadAt, AsyncWriteAt};
use compio::runtime::{Runtime, RuntimeBuilder, spawn};
use peer_cell::{
    CellSpec, Engine, Memory, Op, OpKind, Slot, Workload, all_done, entries_for, keep_busy,
};
use rustix::fs::OFlags;

fn main() -> ExitCode {
    peer_cell::run(&[Engine {
        name: "compio",
        needs_ring: true,
        lacks: &[(Workload::Nop, "compio has no nop")],
        carry,
    }])
}

fn carry(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let runtime = runtime(spec.depth).context("compio does not start")?;
    runtime.block_on(async {
        let file = open(spec).await;
        let file = file.with_context(|| format!("{} cannot be opened", spec.path.display()))?;
        let file = Rc::new(file);
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

fn runtime(depth: usize) -> io::Result<Runtime> {
    let mut driver = ProactorBuilder::new();
    driver
        .driver_type(DriverType::IoUring)
        .capacity(entries_for(depth));
    let mut newer = driver.clone();
    newer.single_issuer(true).defer_taskrun(true);
    let build = |driver| RuntimeBuilder::new().with_proactor(driver).build();
    build(newer).or_else(|_| build(driver))
}

async fn open(spec: &CellSpec) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(spec.writes());
    if spec.direct {
        options.custom_flags(OFlags::DIRECT.bits().cast_signed());
    }
    options.open(&spec.path).await
}

async fn carry_out(mut file: &File, op: Op, buffer: Block) -> (io::Result<usize>, Block) {
    let BufResult(moved, buffer) = match op.kind {
        OpKind::Read => file.read_at(buffer, op.offset).await,
        OpKind::Write => file.write_at(buffer, op.offset).await,
        OpKind::DataSync => BufResult(file.sync_data().await.map(|()| 0), buffer),
        OpKind::Nop => BufResult(Err(io::ErrorKind::Unsupported.into()), buffer),
    };
    (moved, buffer)
}

struct Block(Memory);

impl IoBuf for Block {
    fn as_init(&self) -> &[u8] {
        &self.0
    }
}

impl SetLen for Block {
    unsafe fn set_len(&mut self, _: usize) {}
}

impl IoBufMut for Block {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let bytes: *mut [u8] = &raw mut *self.0;
        // SAFETY: the slice is borrowed mutably from `self` for as long as the result is, bytes and
        // bytes that may be uninitialised have one layout, and compio only ever writes bytes there.
        unsafe { &mut *(bytes as *mut [MaybeUninit<u8>]) }
    }
}
