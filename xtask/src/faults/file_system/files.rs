//! The files of the failing file system, their names and numbers, and what has been done to callers.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo, ReplyData, ReplyEmpty, ReplyWrite};
use io_engine_core::sim::Dice;

use super::INJECTED;
use crate::faults::file_behaviour::{Behaviour, Call, Injected, Verdict};
use crate::faults::file_content::Content;

#[derive(Debug)]
pub(super) struct Inside {
    pub(super) names: HashMap<String, u64>,
    pub(super) files: HashMap<u64, File>,
    dice: Dice,
    pub(super) injected: Injected,
    /// Calls that hang; dropped they would be errors.
    pub(super) held: Vec<Held>,
}

/// How a call would be answered.
#[derive(Debug)]
pub(super) enum Held {
    Read(ReplyData, Vec<u8>),
    Write(ReplyWrite, u32),
    Sync(ReplyEmpty),
}

impl Held {
    pub(super) fn answer(self) {
        match self {
            Self::Read(reply, bytes) => reply.data(&bytes),
            Self::Write(reply, written) => reply.written(written),
            Self::Sync(reply) => reply.ok(),
        }
    }
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) behaviour: Behaviour,
    pub(super) content: Content,
    calls: u64,
    syncs: u64,
}

pub(super) const ROOT: u64 = 1;
/// The number of [`INJECTED`]; those of files follow.
pub(super) const TOLD: u64 = 2;
/// Nothing may be kept in the kernel: sizes change under it.
pub(super) const NO_TIME: Duration = Duration::ZERO;

impl Inside {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            names: HashMap::new(),
            files: HashMap::new(),
            dice: Dice::new(seed),
            injected: Injected::default(),
            held: Vec::new(),
        }
    }

    pub(super) fn told(&self) -> Vec<u8> {
        serde_json::to_vec(&self.injected).unwrap_or_default()
    }

    pub(super) fn number_of(&self, name: &OsStr) -> Option<u64> {
        if name == INJECTED {
            return Some(TOLD);
        }
        self.names.get(name.to_str()?).copied()
    }

    pub(super) fn create(&mut self, name: &str) -> u64 {
        let number = TOLD + 1 + self.files.len() as u64;
        let file = File {
            behaviour: Behaviour::of(name),
            content: Content::default(),
            calls: 0,
            syncs: 0,
        };
        self.names.insert(name.to_owned(), number);
        self.files.insert(number, file);
        number
    }

    pub(super) fn attributes(&self, number: u64) -> Option<FileAttr> {
        let (kind, size) = match number {
            ROOT => (FileType::Directory, 0),
            TOLD => (FileType::RegularFile, self.told().len() as u64),
            other => (
                FileType::RegularFile,
                self.files.get(&other)?.content.size(),
            ),
        };
        Some(attributes(number, kind, size))
    }

    /// What becomes of a sync, counted.
    pub(super) fn judge_sync(&mut self, number: u64) -> Option<Verdict> {
        let file = self.files.get_mut(&number)?;
        let verdict = file.behaviour.judge_sync(file.syncs);
        file.syncs += 1;
        match verdict {
            Verdict::Fails(_) => self.injected.failed_syncs += 1,
            Verdict::Never => self.injected.hung_syncs += 1,
            Verdict::Whole | Verdict::Part(_) | Verdict::Late(_) => {}
        }
        Some(verdict)
    }

    /// What becomes of a call, counted.
    pub(super) fn judge(
        &mut self,
        number: u64,
        is_write: bool,
        offset: u64,
        bytes: u32,
    ) -> Option<Verdict> {
        let file = self.files.get_mut(&number)?;
        let call = Call {
            is_write,
            offset,
            bytes,
            before: file.calls,
        };
        file.calls += 1;
        let verdict = file.behaviour.judge(call, &mut self.dice);
        self.injected.count(verdict);
        Some(verdict)
    }
}

fn attributes(number: u64, kind: FileType, size: u64) -> FileAttr {
    let time = SystemTime::UNIX_EPOCH;
    let is_folder = kind == FileType::Directory;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind,
        perm: if is_folder { 0o755 } else { 0o644 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
