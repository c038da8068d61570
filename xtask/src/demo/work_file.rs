//! The file that a driver works on.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::Context;
use io_engine_core::DirectAlignment;
use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, fcntl_setfl};

use crate::usage_error::UsageError;

use super::job::{Job, Target};

/// Opens the user's file for reading, or a new file without a name: it is gone when the demo ends,
/// however it ends.
pub(crate) fn open(job: &Job) -> anyhow::Result<File> {
    let (file, place) = match &job.target {
        Target::Own { dir } => (tempfile::tempfile_in(dir), dir),
        Target::Users { path } => (File::open(path), path),
    };
    let file = file.with_context(|| place.display().to_string())?;
    if let Target::Own { .. } = &job.target {
        // Writing beyond the end of a file is serial in most file systems, which would hide the
        // drivers. Where it is not supported, the writes make the space.
        let _ = fallocate(&file, FallocateFlags::empty(), 0, job.total_bytes);
    }
    if job.is_direct {
        make_direct(&file, job.block_bytes, place)?;
    }
    Ok(file)
}

fn make_direct(file: &File, block_bytes: usize, place: &Path) -> anyhow::Result<()> {
    let flags = fcntl_getfl(file).context("F_GETFL")?;
    fcntl_setfl(file, flags | OFlags::DIRECT).map_err(|error| {
        let place = place.display();
        UsageError(format!(
            "--direct: {place} does not allow O_DIRECT: {error}"
        ))
    })?;
    let demanded = DirectAlignment::of(file.as_raw_fd()).map_or(1, |alignment| alignment.offset);
    if !(block_bytes as u64).is_multiple_of(demanded) {
        let place = place.display();
        return Err(UsageError(format!(
            "--block: for O_DIRECT in {place} a multiple of {demanded} bytes, not {block_bytes}"
        ))
        .into());
    }
    Ok(())
}
