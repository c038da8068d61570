//! What the tests of this crate have in common: files with known content, backends, deadlines.
#![allow(
    dead_code,
    reason = "each test file takes what it needs, and is compiled on its own"
)]
#![allow(
    clippy::unwrap_used,
    reason = "an error here is the failure of the test that called"
)]

pub(crate) mod seccomp;

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use io_engine_aio::{
    AioBackend, AioSettings, Backend, Buffer, Completion, IOAction, IOEvent, Request, Wait,
};
use tempfile::TempDir;

/// No test takes longer; one that would is a hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const BLOCK: usize = 4096;

/// Runs `test` on a thread of its own and fails if it is not over in time.
#[track_caller]
pub(crate) fn within_deadline<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (tx, rx) = mpsc::channel();
    let thread = thread::spawn(move || tx.send(test()));
    match rx.recv_timeout(DEADLINE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running after {DEADLINE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("the value is sent before the thread ends"),
        },
    }
}

/// A backend; waits while other processes have taken the system's budget of AIO requests.
pub(crate) fn backend(depth: usize) -> AioBackend<()> {
    let start = Instant::now();
    loop {
        match AioBackend::new(AioSettings::with_depth(depth)) {
            Ok(backend) => return backend,
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                assert!(start.elapsed() < DEADLINE, "{error}");
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A file on a disk, as long as the value lives.
pub(crate) struct Scratch {
    dir: TempDir,
    pub(crate) file: Arc<File>,
}

impl Scratch {
    /// An empty file.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("file"))
            .unwrap();
        Self {
            dir,
            file: Arc::new(file),
        }
    }

    /// A file of this many blocks, each filled with [`pattern`].
    pub(crate) fn with_blocks(count: usize) -> Self {
        let scratch = Self::empty();
        let bytes: Vec<u8> = (0..count).flat_map(|n| [pattern(n); BLOCK]).collect();
        scratch.file.write_all_at(&bytes, 0).unwrap();
        scratch.file.sync_all().unwrap();
        scratch
    }

    /// The same file, opened with these flags.
    pub(crate) fn reopen(&self, flags: i32) -> std::io::Result<Arc<File>> {
        let mut options = File::options();
        options
            .read(flags & libc::O_WRONLY == 0)
            .custom_flags(flags);
        options.write(flags & libc::O_WRONLY != 0 || flags & libc::O_RDWR != 0);
        options.open(self.dir.path().join("file")).map(Arc::new)
    }

    /// With `O_DIRECT` where the file system has it, so that requests do stay in the kernel.
    pub(crate) fn direct(&self) -> Arc<File> {
        self.direct_or_cached(0)
    }

    /// As [`direct`](Self::direct), open for reading and writing.
    pub(crate) fn direct_for_writing(&self) -> Arc<File> {
        self.direct_or_cached(libc::O_RDWR)
    }

    fn direct_or_cached(&self, flags: i32) -> Arc<File> {
        self.reopen(libc::O_DIRECT | flags).unwrap_or_else(|error| {
            eprintln!("skipped: O_DIRECT: {error}; the file is used through the page cache");
            Arc::clone(&self.file)
        })
    }
}

/// The byte that fills block `n`.
pub(crate) fn pattern(n: usize) -> u8 {
    u8::try_from(n % 251).unwrap() + 1
}

pub(crate) fn read_of_block(file: &Arc<File>, n: usize) -> IOEvent<()> {
    let offset = i64::try_from(n * BLOCK).unwrap();
    IOEvent::new(
        file,
        Buffer::aligned(BLOCK).unwrap(),
        IOAction::Read,
        offset,
    )
}

pub(crate) fn write_of_block(file: &Arc<File>, n: usize) -> IOEvent<()> {
    let mut buffer = Buffer::aligned(BLOCK).unwrap();
    buffer.fill(pattern(n));
    let offset = i64::try_from(n * BLOCK).unwrap();
    IOEvent::new(file, buffer, IOAction::Write, offset)
}

pub(crate) fn push(ring: &mut AioBackend<()>, event: IOEvent<()>) {
    ring.push(Request::from(event)).expect("there is room");
}

/// The events of completions, in the order of their offsets.
pub(crate) fn events_of(done: &mut Vec<Completion<()>>) -> Vec<IOEvent<()>> {
    let mut events = Vec::new();
    done.drain(..).for_each(|one| one.report(&mut events));
    events.sort_by_key(IOEvent::offset);
    events
}

/// Drives until all have finished.
pub(crate) fn drain(ring: &mut AioBackend<()>) -> Vec<IOEvent<()>> {
    let mut done = Vec::new();
    while ring.in_flight() > 0 {
        let all = Wait::For(ring.in_flight());
        ring.drive(all, &mut done).unwrap();
    }
    events_of(&mut done)
}

/// Pushes one event and drives until it has finished.
pub(crate) fn carry_out(ring: &mut AioBackend<()>, event: IOEvent<()>) -> IOEvent<()> {
    push(ring, event);
    let mut events = drain(ring);
    assert_eq!(events.len(), 1);
    events.remove(0)
}

pub(crate) fn errno_of(event: &IOEvent<()>) -> Option<i32> {
    event.get_result().err().and_then(|e| e.raw_os_error())
}

#[track_caller]
pub(crate) fn assert_is_block(event: IOEvent<()>, n: usize) {
    let buffer = event.get_read_result().unwrap();
    assert_eq!(buffer.len(), BLOCK, "block {n}");
    assert!(buffer.iter().all(|byte| *byte == pattern(n)), "block {n}");
}
