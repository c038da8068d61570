//! kimojio: tasks on one thread that sleeps in its one ring.

use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::anyhow;
use kimojio::Runtime;
use kimojio::configuration::Configuration;
use kimojio::operations::{nop, pread, pwrite, spawn_task};
use peer_cell::{CellSpec, Engine, Memory, Op, OpKind, Slot, Workload, all_done, keep_busy};

fn main() -> ExitCode {
    peer_cell::run(&[Engine {
        name: "kimojio",
        needs_ring: true,
        lacks: &[(Workload::Log, "kimojio has fsync, but no datasync")],
        carry,
    }])
}

fn carry(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let file = Rc::new(spec.open()?);
    let buffers = slots.iter().map(|slot| Memory::of(spec, slot.index()));
    let buffers: Vec<Memory> = buffers.collect();
    let ended = Runtime::new(0, Configuration::new()).block_on(async move {
        all_done(slots.into_iter().zip(buffers).map(|(slot, buffer)| {
            let file = Rc::clone(&file);
            spawn_task(keep_busy(slot, buffer, async move |op, buffer| {
                carry_out(&file, op, buffer).await
            }))
        }))
        .await;
    });
    match ended {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(anyhow!("kimojio ended before its tasks")),
    }
}

async fn carry_out(file: &File, op: Op, mut buffer: Memory) -> (io::Result<usize>, Memory) {
    let moved = match op.kind {
        OpKind::Read => pread(file, &mut buffer, op.offset).await,
        OpKind::Write => pwrite(file, &buffer, op.offset).await,
        OpKind::Nop => nop().await.map(|()| 0),
        OpKind::DataSync => return (Err(io::ErrorKind::Unsupported.into()), buffer),
    };
    (moved.map_err(io::Error::from), buffer)
}
