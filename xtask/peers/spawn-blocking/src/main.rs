//! What tokio offers for files: tasks that send blocking calls to its pool of threads.
//!
//! Once with as many threads as tokio starts on its own, which suits a disk, and once with as few as
//! suit the page cache: no size suits both.

use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context;
use peer_cell::blocking_call;
use peer_cell::{CellSpec, Engine, Memory, Op, Slot};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, spawn_blocking};

fn main() -> ExitCode {
    let engine = |name, carry| Engine {
        name,
        needs_ring: false,
        lacks: &[],
        carry,
    };
    peer_cell::run(&[
        engine("spawn-blocking", |spec, slots| {
            carry(spec, slots, &mut Builder::new_multi_thread())
        }),
        engine("spawn-blocking-few", |spec, slots| {
            let threads = 2 * available_parallelism()?.get();
            let mut builder = Builder::new_multi_thread();
            carry(spec, slots, builder.max_blocking_threads(threads))
        }),
    ])
}

fn carry(spec: &CellSpec, slots: Vec<Slot>, builder: &mut Builder) -> anyhow::Result<()> {
    let runtime = builder.build().context("tokio does not start")?;
    let file = Arc::new(spec.open()?);
    let tasks = slots.into_iter().map(|slot| {
        let buffer = Memory::of(spec, slot.index());
        runtime.spawn(keep_busy(Arc::clone(&file), slot, buffer))
    });
    let tasks: Vec<JoinHandle<anyhow::Result<()>>> = tasks.collect();
    runtime.block_on(async {
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

async fn keep_busy(file: Arc<File>, mut slot: Slot, mut buffer: Memory) -> anyhow::Result<()> {
    loop {
        let op = slot.begin();
        let file = Arc::clone(&file);
        let call = spawn_blocking(move || carry_out(&file, op, buffer));
        let (moved, returned) = call.await?;
        if !slot.end(moved) {
            return Ok(());
        }
        buffer = returned;
    }
}

fn carry_out(file: &File, op: Op, mut buffer: Memory) -> (io::Result<usize>, Memory) {
    let moved = blocking_call::carry_out(file, op, &mut buffer);
    (moved, buffer)
}
