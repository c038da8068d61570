//! The file under the check, on a real medium or on the simulated disk, and the way to it that is not the
//! engine's.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use io_engine::sim::{Dice, Fault, Injected, SimDisk, SimFile};
use io_engine::tasks::IOAction;
use io_engine::{DirectAlignment, FileHandle};
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use super::round::{FIXED_BYTES_MAX, Round};
use super::script::Abilities;
use crate::usage_error::UsageError;

/// Where the check takes place.
#[derive(Debug)]
pub(crate) enum Medium {
    Sim { is_direct: bool },
    Real(RealFile),
}

/// A file of the kernel's, open twice: for the engine, and to look at behind its back.
#[derive(Debug)]
pub(crate) struct RealFile {
    path: PathBuf,
    file: Arc<File>,
    plain: File,
    /// Its length, if that cannot be changed, as that of a block device.
    fixed_bytes: Option<usize>,
    is_direct: bool,
    /// The medium fails, also under what is done behind the engine's back.
    fails: bool,
}

/// The file of one round.
#[derive(Clone, Debug)]
pub(crate) enum Stage<'a> {
    Sim { disk: SimDisk, file: SimFile },
    Real(&'a RealFile),
}

/// A medium that fails is asked so often.
const ATTEMPTS: usize = 200;

/// What a simulated file demands, opened for direct I/O.
const SIM_SECTOR: usize = 512;

/// The errors that the engine hides from its user.
const HIDDEN: [Fault; 7] = [
    Fault::Short,
    Fault::Again,
    Fault::Interrupted,
    Fault::Cancelled,
    Fault::Delay,
    Fault::Prefix,
    Fault::Busy,
];

/// Those that reach callbacks.
const SEEN: [Fault; 5] = [
    Fault::Nothing,
    Fault::Io,
    Fault::NoSpace,
    Fault::Quota,
    Fault::Rejected,
];

/// The allocating actions with what they ask of the kernel.
const ALLOCATIONS: [(IOAction, FallocateFlags); 4] = [
    (IOAction::Allocate, FallocateFlags::empty()),
    (IOAction::AllocateKeepSize, FallocateFlags::KEEP_SIZE),
    (
        IOAction::PunchHole,
        FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE),
    ),
    (IOAction::ZeroRange, FallocateFlags::ZERO_RANGE),
];

impl RealFile {
    /// Opens `path`, which is made if it is missing.
    pub(crate) fn open(path: &Path, is_direct: bool, fails: bool) -> anyhow::Result<Self> {
        let said = || path.display().to_string();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let plain = again(fails, || options.open(path)).with_context(said)?;
        if is_direct {
            let flags = i32::try_from(OFlags::DIRECT.bits()).context("O_DIRECT")?;
            options.custom_flags(flags);
        }
        let file = again(fails, || options.open(path)).map_err(|error| match is_direct {
            true => anyhow::Error::from(UsageError(format!(
                "--direct: {} cannot be opened with O_DIRECT: {error}",
                path.display()
            ))),
            false => anyhow::Error::from(error).context(said()),
        })?;
        let mut real = Self {
            path: path.to_owned(),
            file: Arc::new(file),
            plain,
            fixed_bytes: None,
            is_direct,
            fails,
        };
        real.fixed_bytes = real.find_fixed_bytes().with_context(said)?;
        Ok(real)
    }

    fn find_fixed_bytes(&self) -> anyhow::Result<Option<usize>> {
        match again(self.fails, || self.plain.set_len(0)) {
            Ok(()) => Ok(None),
            Err(error) if is_refusal(&error) => {
                let bytes = rustix::fs::seek(&self.plain, rustix::fs::SeekFrom::End(0))?;
                let bytes = usize::try_from(bytes)?.min(FIXED_BYTES_MAX);
                anyhow::ensure!(bytes > 0, "it has no bytes and cannot be given any");
                Ok(Some(bytes))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tries which allocations its file system has.
    fn allocations(&self) -> Vec<IOAction> {
        let has = |flags| {
            let tried = fallocate(&self.plain, flags, 0, 4096);
            !matches!(tried, Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV))
        };
        let all = ALLOCATIONS.iter().filter(|(_, flags)| has(*flags));
        all.map(|(action, _)| *action).collect()
    }

    /// Gives the file the length with which a round begins, and no content. Of a file of a fixed
    /// length, what is in it is the content.
    fn begin(&self, round: &Round) -> io::Result<Vec<u8>> {
        if self.fixed_bytes.is_none() {
            again(self.fails, || self.plain.set_len(0))?;
            again(self.fails, || self.plain.set_len(round.begin_bytes as u64))?;
            return Ok(Vec::new());
        }
        let mut found = vec![0; round.file_bytes];
        again(self.fails, || self.plain.read_exact_at(&mut found, 0))?;
        Ok(found)
    }

    /// How long it is, and what is in it; `None` stands for a part that cannot be read.
    fn content(&self, bytes_max: usize) -> io::Result<(usize, Vec<Part>)> {
        let len = match self.fixed_bytes {
            Some(bytes) => bytes,
            None => {
                let bytes = again(self.fails, || self.plain.metadata())?.len();
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }
        };
        let part_bytes = if self.fails { 4096 } else { bytes_max };
        let mut parts = Vec::new();
        let mut begin = 0;
        while begin < len.min(bytes_max) {
            let mut bytes = vec![0; part_bytes.min(len - begin)];
            let read = again(self.fails, || {
                self.plain.read_exact_at(&mut bytes, begin as u64)
            });
            match read {
                Ok(()) => parts.push(Part {
                    begin,
                    bytes: bytes.clone(),
                }),
                Err(error) if !self.fails => return Err(error),
                Err(_) => {}
            }
            begin += bytes.len();
        }
        Ok((len, parts))
    }
}

/// Some bytes that are in the file.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) begin: usize,
    pub(crate) bytes: Vec<u8>,
}

/// On a medium that fails, an error may be gone the next time.
fn again<T>(fails: bool, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut attempts = if fails { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match call() {
            Err(error) if attempts > 0 && !is_refusal(&error) => {}
            answer => return answer,
        }
    }
}

/// Whether it is not the medium that fails, but the file that does not have such a call.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::NotFound
    )
}

impl Medium {
    pub(crate) fn abilities(&self) -> Abilities {
        match self {
            Self::Sim { is_direct } => Abilities {
                unit: if *is_direct { SIM_SECTOR } else { 1 },
                allocations: ALLOCATIONS.iter().map(|(action, _)| *action).collect(),
            },
            Self::Real(real) => Abilities {
                unit: match real.is_direct {
                    // Where the file system does not say, a page is enough for all of them.
                    true => DirectAlignment::of(real.file.as_raw_fd())
                        .and_then(|demanded| usize::try_from(demanded.offset).ok())
                        .unwrap_or(4096),
                    false => 1,
                },
                allocations: real.allocations(),
            },
        }
    }

    /// Within pieces of how many bytes a disk may be short: none does so but a simulated one, whose
    /// sectors are no minimum.
    pub(crate) fn short_within(&self) -> Option<usize> {
        match self {
            Self::Sim { is_direct } => is_direct.then_some(SIM_SECTOR),
            Self::Real(_) => None,
        }
    }

    pub(crate) fn fixed_bytes(&self) -> Option<usize> {
        match self {
            Self::Sim { .. } => None,
            Self::Real(real) => real.fixed_bytes,
        }
    }

    /// The file for `round`, and what is in it.
    pub(crate) fn begin(&self, round: &Round, fails: bool) -> anyhow::Result<(Stage<'_>, Vec<u8>)> {
        match self {
            Self::Sim { is_direct } => {
                let disk = SimDisk::new(round.seed);
                let file = match is_direct {
                    true => disk.open_direct("file"),
                    false => disk.open("file"),
                };
                disk.put(file, &vec![0; round.begin_bytes]);
                inject(&disk, round, fails);
                Ok((Stage::Sim { disk, file }, Vec::new()))
            }
            Self::Real(real) => {
                let said = || format!("{}: it cannot be emptied", real.path.display());
                let found = real.begin(round).with_context(said)?;
                Ok((Stage::Real(real), found))
            }
        }
    }
}

/// The faults of a round follow from its seed: those that the engine hides in every second one, and
/// those that are seen if they are expected.
fn inject(disk: &SimDisk, round: &Round, fails: bool) {
    let mut dice = Dice::new(!round.seed);
    let mut any_of = |faults: &[Fault], rare: usize| {
        for fault in faults {
            if dice.one_in(2) {
                disk.inject(fault.one_in(rare + dice.below(30)));
            }
        }
        dice.one_in(4)
    };
    if fails || round.seed.is_multiple_of(2) {
        any_of(&HIDDEN, 4);
    }
    if fails && any_of(&SEEN, 8) {
        disk.set_capacity(round.file_bytes as u64 / 2);
    }
}

impl Stage<'_> {
    pub(crate) fn handle(&self) -> FileHandle {
        match self {
            Self::Sim { file, .. } => FileHandle::from(*file),
            Self::Real(real) => FileHandle::from(&real.file),
        }
    }

    pub(crate) fn disk(&self) -> Option<&SimDisk> {
        match self {
            Self::Sim { disk, .. } => Some(disk),
            Self::Real(_) => None,
        }
    }

    pub(crate) fn injected(&self) -> Injected {
        self.disk().map(SimDisk::injected).unwrap_or_default()
    }

    /// How long the file is and what is in it, by other means than the engine.
    pub(crate) fn content(&self, bytes_max: usize) -> io::Result<(usize, Vec<Part>)> {
        match self {
            Self::Real(real) => real.content(bytes_max),
            Self::Sim { disk, file } => {
                let bytes = disk.content(*file);
                Ok((bytes.len(), vec![Part { begin: 0, bytes }]))
            }
        }
    }
}
