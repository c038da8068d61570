//! What the demo is to do, checked before anything is built or written.

use std::fmt;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::BinaryBytes;
use io_engine_core::check_depth;

use crate::usage_error::UsageError;

use super::content::{self, Expected};
use super::options::Options;
use super::work_file;
use crate::progress::Operations;

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A file of the demo's own in this folder, written and then read.
    Own { dir: PathBuf },
    /// A file of the user's, only read.
    Users { path: PathBuf },
}

/// A demo that can work as far as anybody can tell before it runs.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) target: Target,
    pub(crate) total_bytes: u64,
    pub(crate) block_bytes: usize,
    pub(crate) depth: usize,
    pub(crate) is_direct: bool,
    pub(crate) stall_limit: Duration,
}

const OWN_BYTES: u64 = 64 << 20;

/// What all buffers together may take.
const BUFFER_BYTES_MAX: u64 = 4 << 30;

/// No device in use works in smaller sectors.
const SECTOR_BYTES: u64 = 512;

impl Job {
    pub(crate) fn from_options(options: &Options) -> anyhow::Result<Self> {
        let (target, total_bytes, may_end_short) = match &options.file {
            Some(path) => users_target(path, options.size)?,
            None => own_target(options)?,
        };
        check_block(options, total_bytes)?;
        check_depth(options.depth).map_err(|error| UsageError(format!("--depth: {error}")))?;
        let rest = total_bytes % options.block;
        let job = Self {
            target,
            total_bytes: total_bytes - if may_end_short { 0 } else { rest },
            block_bytes: usize::try_from(options.block)?,
            depth: options.depth,
            is_direct: options.direct,
            stall_limit: options.stall_limit,
        };
        // Opens the target once, so that what the file system refuses is known now.
        work_file::open(&job)?;
        Ok(job)
    }

    pub(crate) fn block_count(&self) -> u64 {
        self.total_bytes.div_ceil(self.block_bytes as u64)
    }

    /// The bytes of a block: the last one of a user's file may be short.
    pub(crate) fn bytes_of(&self, block: u64) -> usize {
        let left = self.total_bytes - block * self.block_bytes as u64;
        usize::try_from(left).map_or(self.block_bytes, |left| left.min(self.block_bytes))
    }

    /// Every operation of one driver, and those before the first.
    pub(crate) fn operation_counts(&self) -> (u64, u64) {
        match self.target {
            Target::Own { .. } => (0, 2 * self.block_count() + 1),
            Target::Users { .. } => (self.block_count(), self.block_count()),
        }
    }

    /// What reading is to find. A file of the user's is read once by plain `pread` for it.
    pub(crate) fn expected(&self, progress: &Operations) -> anyhow::Result<Expected> {
        match &self.target {
            Target::Own { .. } => Ok(Expected::Pattern { seed: 0 }),
            Target::Users { path } => {
                progress.begin("pread, to compare with");
                let file = File::open(path).with_context(|| path.display().to_string())?;
                content::digests(&file, self.total_bytes, self.block_bytes, &mut || {
                    progress.advance(1);
                })
                .with_context(|| path.display().to_string())
            }
        }
    }
}

/// The target, its bytes, and whether the last block may be short, because the file ends there.
type Found = (Target, u64, bool);

fn own_target(options: &Options) -> anyhow::Result<Found> {
    let dir = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let is_folder = fs::metadata(&dir).is_ok_and(|found| found.is_dir());
    if !is_folder {
        refuse(format!("--dir: {} is not a folder", dir.display()))?;
    }
    let total_bytes = options.size.unwrap_or(OWN_BYTES);
    let space = rustix::fs::statvfs(&dir).with_context(|| dir.display().to_string())?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if total_bytes > free {
        refuse(format!(
            "--size: {} asked for, {} free in {}",
            BinaryBytes(total_bytes),
            BinaryBytes(free),
            dir.display()
        ))?;
    }
    Ok((Target::Own { dir }, total_bytes, false))
}

fn users_target(path: &Path, wanted: Option<u64>) -> anyhow::Result<Found> {
    let named = |error| UsageError(format!("--file: {}: {error}", path.display()));
    let metadata = fs::metadata(path).map_err(named)?;
    if !metadata.is_file() && !metadata.file_type().is_block_device() {
        refuse(format!(
            "--file: {} is neither a regular file nor a block device",
            path.display()
        ))?;
    }
    let mut file = File::open(path).map_err(named)?;
    let bytes = file.seek(SeekFrom::End(0)).map_err(named)?;
    if bytes == 0 {
        refuse(format!("--file: {} is empty", path.display()))?;
    }
    let total_bytes = wanted.unwrap_or(bytes).min(bytes);
    let path = path.to_owned();
    Ok((Target::Users { path }, total_bytes, total_bytes == bytes))
}

fn check_block(options: &Options, total_bytes: u64) -> Result<(), UsageError> {
    let block = options.block;
    if block > total_bytes {
        return refuse(format!(
            "--block: one block is {block} bytes, the whole only {total_bytes}"
        ));
    }
    if options.direct && !block.is_multiple_of(SECTOR_BYTES) {
        return refuse(format!(
            "--block: with --direct a multiple of {SECTOR_BYTES} bytes, not {block}"
        ));
    }
    if block > io_engine_core::TRANSFER_BYTES_MAX as u64 {
        return refuse(format!(
            "--block: {} at most, not {block}",
            io_engine_core::TRANSFER_BYTES_MAX
        ));
    }
    let buffers = block.saturating_mul(options.depth as u64);
    if buffers > BUFFER_BYTES_MAX {
        return refuse(format!(
            "--depth times --block: {} of buffers, {} at most",
            BinaryBytes(buffers),
            BinaryBytes(BUFFER_BYTES_MAX)
        ));
    }
    Ok(())
}

fn refuse(why: String) -> Result<(), UsageError> {
    Err(UsageError(why))
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match &self.target {
            Target::Own { dir } => ("a temporary file in", dir),
            Target::Users { path } => ("only reading", path),
        };
        write!(
            f,
            "{} in blocks of {}, {} in flight, {}, {what} {}",
            BinaryBytes(self.total_bytes),
            BinaryBytes(self.block_bytes as u64),
            self.depth,
            if self.is_direct {
                "O_DIRECT"
            } else {
                "through the page cache"
            },
            path.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn job(arguments: &[&str]) -> anyhow::Result<Job> {
        let command = Options::augment_args(Command::new("demo")).no_binary_name(true);
        let matches = command.try_get_matches_from(arguments)?;
        Job::from_options(&Options::from_arg_matches(&matches)?)
    }

    fn refusal(arguments: &[&str]) -> String {
        let error = job(arguments).unwrap_err();
        assert!(error.is::<UsageError>(), "{error:#}");
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    #[test]
    fn the_defaults_are_a_job() {
        let job = job(&[]).unwrap();
        assert_eq!(job.block_count(), (64 << 20) / 4096);
        assert_eq!((job.depth, job.block_bytes), (32, 4096));
    }

    #[test]
    fn every_argument_that_cannot_work_is_named() {
        assert!(refusal(&["--depth", "0"]).starts_with("--depth"));
        assert!(refusal(&["--depth", "40000"]).starts_with("--depth"));
        assert!(refusal(&["--direct", "--block", "1000"]).starts_with("--block"));
        assert!(refusal(&["--size", "1K"]).starts_with("--block"));
        assert!(refusal(&["--size", "4G", "--block", "3G"]).starts_with("--block"));
        assert!(refusal(&["--size", "1000000000G"]).starts_with("--size"));
        assert!(refusal(&["--dir", "no such folder"]).starts_with("--dir"));
        assert!(refusal(&["--file", "no such file"]).starts_with("--file"));
        assert!(refusal(&["--file", "."]).starts_with("--file"));
        assert!(refusal(&["--depth", "32768", "--block", "1M"]).starts_with("--depth"));
    }

    #[test]
    fn the_last_block_of_a_users_file_may_be_short() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        assert!(refusal(&["--file", file.path().to_str().unwrap()]).contains("empty"));
        file.write_all(&[1; 10_000]).unwrap();
        let path = file.path().to_str().unwrap();
        let whole = job(&["--file", path]).unwrap();
        assert_eq!(whole.block_count(), 3);
        assert_eq!((whole.bytes_of(0), whole.bytes_of(2)), (4096, 1808));
        let part = job(&["--file", path, "--size", "5000"]).unwrap();
        assert_eq!(part.total_bytes, 4096, "whole blocks, as the file goes on");
    }

    #[test]
    fn a_file_of_the_demos_own_has_whole_blocks() {
        let job = job(&["--size", "10000", "--block", "4096"]).unwrap();
        assert_eq!((job.total_bytes, job.block_count()), (8192, 2));
    }
}
