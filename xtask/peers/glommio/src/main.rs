//! glommio: tasks on one thread that sleeps in its rings, with registered memory for direct I/O.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, bail};
use glommio::io::{BufferedFile, DmaBuffer, DmaFile, OpenOptions};
use glommio::{
    GlommioError, LocalExecutor, LocalExecutorBuilder, Placement, allocate_dma_buffer, spawn_local,
};
use peer_cell::{
    CellSpec, Engine, Memory, Op, OpKind, Slot, Workload, all_done, entries_for, keep_busy,
};

fn main() -> ExitCode {
    peer_cell::run(&[Engine {
        name: "glommio",
        needs_ring: true,
        lacks: &[(Workload::Nop, "glommio has no nop")],
        carry,
    }])
}

/// What glommio registers with the kernel unless told otherwise.
const MEMORY_MIN: usize = 10 << 20;

fn carry(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let executor = executor(spec).context("glommio does not start")?;
    executor.run(async {
        if spec.direct {
            direct(spec, slots).await
        } else {
            buffered(spec, slots).await
        }
    })
}

/// Pinned nowhere, and with memory for twice what is in flight: reads take theirs from it, too.
fn executor(spec: &CellSpec) -> anyhow::Result<LocalExecutor> {
    let in_flight = spec.depth.saturating_mul(spec.block as usize);
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .ring_depth(entries_for(spec.depth) as usize)
        .io_memory(MEMORY_MIN.max(in_flight.saturating_mul(2)))
        .make();
    executor.map_err(|error| anyhow::Error::msg(error.to_string()))
}

fn options(spec: &CellSpec) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(spec.writes());
    options
}

async fn direct(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let file = options(spec).dma_open(&spec.path).await;
    let file = Rc::new(opened(file, &spec.path)?);
    all_done(slots.into_iter().map(|slot| {
        let file = Rc::clone(&file);
        let source = direct_source(spec, slot.index());
        spawn_local(keep_busy(slot, source, async move |op, source| {
            carry_out_directly(&file, op, source).await
        }))
    }))
    .await;
    Ok(())
}

/// What a slot writes. For reads glommio has memory of its own, and takes no other.
fn direct_source(spec: &CellSpec, slot: usize) -> Option<Rc<DmaBuffer>> {
    spec.writes().then(|| {
        let mut buffer = allocate_dma_buffer(spec.block as usize);
        let bytes = Memory::of(spec, slot);
        buffer.as_bytes_mut().copy_from_slice(&bytes);
        Rc::new(buffer)
    })
}

async fn carry_out_directly(
    file: &DmaFile,
    op: Op,
    source: Option<Rc<DmaBuffer>>,
) -> (io::Result<usize>, Option<Rc<DmaBuffer>>) {
    let moved = match (op.kind, &source) {
        (OpKind::Read, _) => {
            let read = file.read_at_aligned(op.offset, op.len as usize).await;
            read.map(|bytes| bytes.len())
        }
        (OpKind::Write, Some(bytes)) => file.write_rc_at(Rc::clone(bytes), op.offset).await,
        (OpKind::DataSync, _) => file.fdatasync().await.map(|()| 0),
        (OpKind::Write, None) | (OpKind::Nop, _) => Err(not_asked_for()),
    };
    (moved.map_err(io::Error::from), source)
}

async fn buffered(spec: &CellSpec, slots: Vec<Slot>) -> anyhow::Result<()> {
    let file = options(spec).buffered_open(&spec.path).await;
    let file = Rc::new(opened(file, &spec.path)?);
    all_done(slots.into_iter().map(|slot| {
        let file = Rc::clone(&file);
        let source = spec.writes().then(|| Memory::of(spec, slot.index()));
        spawn_local(keep_busy(slot, source, async move |op, source| {
            carry_out_buffered(&file, op, source).await
        }))
    }))
    .await;
    Ok(())
}

async fn carry_out_buffered(
    file: &BufferedFile,
    op: Op,
    source: Option<Memory>,
) -> (io::Result<usize>, Option<Memory>) {
    let moved = match (op.kind, &source) {
        (OpKind::Read, _) => {
            let read = file.read_at(op.offset, op.len as usize).await;
            read.map(|bytes| bytes.len())
        }
        // It takes a `Vec` and keeps it, so that every write costs one.
        (OpKind::Write, Some(bytes)) => file.write_at(bytes.to_vec(), op.offset).await,
        (OpKind::DataSync, _) => file.fdatasync().await.map(|()| 0),
        (OpKind::Write, None) | (OpKind::Nop, _) => Err(not_asked_for()),
    };
    (moved.map_err(io::Error::from), source)
}

/// A write in a cell that only reads, or a nop.
fn not_asked_for() -> GlommioError<()> {
    io::Error::from(io::ErrorKind::Unsupported).into()
}

fn opened<T>(file: glommio::Result<T, ()>, path: &Path) -> anyhow::Result<T> {
    match file {
        Ok(file) => Ok(file),
        Err(error) => bail!("{} cannot be opened: {error}", path.display()),
    }
}
