//! A file system in memory whose files fail as their names say: what a mount's own process runs.

mod files;

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use clap::Args;
use fuser::{
    BsdFileFlags, Config, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::file_behaviour::Verdict;
use super::file_content::{Content, Range};
use files::{Held, Inside, NO_TIME, ROOT, TOLD};

/// The file that tells what has been injected, as JSON.
pub(crate) const INJECTED: &str = ".injected";

/// Whoever makes this file has every call answered that hangs. (To remove the file that hangs would wait
/// for its sync.)
pub(crate) const RELEASE: &str = ".release";

/// The arguments of the process behind a mount.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where to mount it
    dir: PathBuf,

    /// Lets the kernel split direct transfers and carry them out at once
    #[arg(long)]
    async_dio: bool,

    /// What the random faults follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Serves the mount until it is unmounted or killed.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // A mount that nobody ends would keep whoever looks at it waiting.
    set_parent_process_death_signal(Some(Signal::KILL)).context("PR_SET_PDEATHSIG")?;
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("io-engine-faults".to_owned())];
    let file_system = FailingFiles {
        async_dio: options.async_dio,
        inside: Mutex::new(Inside::new(options.seed)),
    };
    fuser::mount(file_system, &options.dir, &config)
        .with_context(|| format!("no FUSE mount at {}", options.dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug)]
struct FailingFiles {
    async_dio: bool,
    inside: Mutex<Inside>,
}

/// The page cache would answer in place of this file system, and take what is short for the end of
/// the file. That is so for direct transfers too, unless it is asked not to.
const PAST_THE_CACHE: FopenFlags = FopenFlags::FOPEN_DIRECT_IO;

/// Gives an answer later, on a thread of its own, so that others overtake it.
fn later(delay: Duration, answer: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        let due = Instant::now() + delay;
        while let Some(left) = due
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            thread::park_timeout(left);
        }
        answer();
    });
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

impl FailingFiles {
    fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        let mut inside = self
            .inside
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut inside)
    }
}

impl Filesystem for FailingFiles {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        if self.async_dio && config.add_capabilities(InitFlags::FUSE_ASYNC_DIO).is_err() {
            return Err(io::Error::other("this kernel has no FUSE_ASYNC_DIO"));
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.with(|inside| {
            let number = inside.number_of(name).filter(|_| parent.0 == ROOT)?;
            inside.attributes(number)
        });
        match found {
            Some(found) => reply.entry(&NO_TIME, &found, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|inside| inside.attributes(ino.0)) {
            Some(found) => reply.attr(&NO_TIME, &found),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let found = self.with(|inside| {
            if let (Some(size), Some(file)) = (size, inside.files.get_mut(&ino.0)) {
                file.content.set_size(size);
            }
            inside.attributes(ino.0)
        });
        match found {
            Some(found) => reply.attr(&NO_TIME, &found),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), PAST_THE_CACHE);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let name = name.to_str().filter(|_| parent.0 == ROOT);
        let created = self.with(|inside| {
            if name == Some(RELEASE) {
                inside.held.drain(..).for_each(Held::answer);
            }
            let number = inside.create(name?);
            inside.attributes(number)
        });
        let flags = PAST_THE_CACHE;
        match created {
            Some(made) => reply.created(&NO_TIME, &made, Generation(0), FileHandle(0), flags),
            None => reply.error(Errno::EPERM),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_str().unwrap_or_default();
        // The file itself stays for those who have it open.
        match self.with(|inside| inside.names.remove(name)) {
            Some(_) => reply.ok(),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.with(|inside| {
            if ino.0 == TOLD {
                return reply.data(Content::from(inside.told()).read(offset, size));
            }
            let Some(verdict) = inside.judge(ino.0, false, offset, size) else {
                return reply.error(Errno::ENOENT);
            };
            let content = &inside.files[&ino.0].content;
            match verdict {
                Verdict::Whole => reply.data(content.read(offset, size)),
                Verdict::Part(bytes) => reply.data(content.read(offset, bytes)),
                Verdict::Fails(failure) => reply.error(errno(failure)),
                Verdict::Late(delay) => {
                    let bytes = content.read(offset, size).to_vec();
                    later(delay, move || reply.data(&bytes));
                }
                Verdict::Never => {
                    let bytes = content.read(offset, size).to_vec();
                    inside.held.push(Held::Read(reply, bytes));
                }
            }
        });
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.with(|inside| {
            let Some(verdict) = inside.judge(ino.0, true, offset, bytes) else {
                return reply.error(Errno::ENOENT);
            };
            let Some(file) = inside.files.get_mut(&ino.0) else {
                return reply.error(Errno::ENOENT);
            };
            match verdict {
                Verdict::Whole => reply.written(file.content.write(offset, data)),
                Verdict::Part(part) => {
                    reply.written(file.content.write(offset, &data[..part as usize]));
                }
                Verdict::Fails(failure) => reply.error(errno(failure)),
                Verdict::Late(delay) => {
                    let written = file.content.write(offset, data);
                    later(delay, move || reply.written(written));
                }
                Verdict::Never => {
                    let written = file.content.write(offset, data);
                    inside.held.push(Held::Write(reply, written));
                }
            }
        });
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.with(|inside| match inside.judge_sync(ino.0) {
            Some(Verdict::Fails(failure)) => reply.error(errno(failure)),
            Some(Verdict::Never) => inside.held.push(Held::Sync(reply)),
            Some(Verdict::Whole | Verdict::Part(_) | Verdict::Late(_)) | None => reply.ok(),
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let range = Range { offset, length };
        let done = self.with(|inside| match inside.files.get_mut(&ino.0) {
            Some(file) => file.content.allocate(range, mode),
            None => Err(rustix::io::Errno::NOENT),
        });
        match done {
            Ok(()) => reply.ok(),
            Err(failure) => reply.error(errno(failure)),
        }
    }
}
