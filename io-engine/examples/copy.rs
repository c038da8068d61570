//! Copies a file through the engine, with a progress bar, and compares the two afterwards.
//!
//! `cargo run --release -p io-engine --example copy -- SRC DST`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Wait};

const BLOCK_BYTES: usize = 256 * 1024;
const DEPTH: usize = 16;

/// What the callbacks share.
struct Copy {
    source: Arc<File>,
    target: Arc<File>,
    bytes: u64,
    next_offset: AtomicU64,
    written: AtomicU64,
    error: Mutex<Option<io::Error>>,
}

/// What an event was for. A buffer goes round: read, written, read again for another block.
enum Step {
    Read(Arc<Copy>),
    Written(Arc<Copy>),
    Synced(Arc<Copy>),
}

impl IOCallback for Step {
    fn call(self, event: IOEvent<Self>) {
        let (copy, next) = match self {
            Self::Read(copy) => {
                let next = write_what_was_read(&copy, event);
                (copy, next)
            }
            Self::Written(copy) => {
                let next = read_after_writing(&copy, event);
                (copy, next)
            }
            Self::Synced(copy) => {
                let done = event.get_write_result().map(|()| None);
                (copy, done)
            }
        };
        match next {
            Ok(Some(event)) => {
                if let Err(refused) = io_engine::resubmit(event) {
                    copy.fail(io::Error::other(refused.to_string()));
                }
            }
            Ok(None) => {}
            Err(error) => copy.fail(error),
        }
    }
}

type Next = io::Result<Option<IOEvent<Step>>>;

fn write_what_was_read(copy: &Arc<Copy>, event: IOEvent<Step>) -> Next {
    let offset = event.offset();
    let buffer = event.get_read_result()?;
    if buffer.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the source became shorter meanwhile",
        ));
    }
    let mut event = IOEvent::new(&copy.target, buffer, IOAction::Write, offset);
    event.set_callback(Step::Written(Arc::clone(copy)));
    Ok(Some(event))
}

fn read_after_writing(copy: &Arc<Copy>, event: IOEvent<Step>) -> Next {
    event.get_write_result()?;
    copy.written.fetch_add(event.get_size(), Ordering::Relaxed);
    event
        .into_buffer()
        .map_or(Ok(None), |buffer| read_next(copy, buffer))
}

/// The read of the next block, or `None` when there is none or the copy has failed.
fn read_next(copy: &Arc<Copy>, mut buffer: Buffer) -> Next {
    let offset = copy
        .next_offset
        .fetch_add(BLOCK_BYTES as u64, Ordering::Relaxed);
    if offset >= copy.bytes || copy.has_failed() {
        return Ok(None);
    }
    // The end of the file may have cut it.
    buffer.set_len(buffer.capacity())?;
    let offset = i64::try_from(offset).map_err(io::Error::other)?;
    let mut event = IOEvent::new(&copy.source, buffer, IOAction::Read, offset);
    event.set_callback(Step::Read(Arc::clone(copy)));
    Ok(Some(event))
}

impl Copy {
    /// Keeps the first error.
    fn fail(&self, error: io::Error) {
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(error);
    }

    fn has_failed(&self) -> bool {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn take_error(&self) -> Option<io::Error> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, target] = &arguments[..] else {
        eprintln!("usage: copy SRC DST");
        return ExitCode::from(2);
    };
    match copy(source, target) {
        Ok(bytes) => {
            println!("{bytes} bytes copied and compared");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "error: {} to {}: {error}",
                source.display(),
                target.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn copy(source: &Path, target: &Path) -> Result<u64, Box<dyn Error>> {
    let from = File::open(source)?;
    let metadata = from.metadata()?;
    if !metadata.is_file() {
        return Err("the source is no regular file".into());
    }
    // Opening the target cuts it to nothing, so whether it is the source has to be known before.
    if let Ok(existing) = fs::metadata(target)
        && (existing.dev(), existing.ino()) == (metadata.dev(), metadata.ino())
    {
        return Err("source and target are the same file".into());
    }
    let copy = Arc::new(Copy {
        source: Arc::new(from),
        target: Arc::new(File::create(target)?),
        bytes: metadata.len(),
        next_offset: AtomicU64::new(0),
        written: AtomicU64::new(0),
        error: Mutex::new(None),
    });
    run(&copy)?;
    if !are_equal(source, target)? {
        return Err("the copy differs; is somebody writing to the source?".into());
    }
    Ok(copy.bytes)
}

fn run(copy: &Arc<Copy>) -> Result<(), Box<dyn Error>> {
    let bar = ProgressBar::new(copy.bytes).with_style(ProgressStyle::with_template(
        "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}",
    )?);
    let mut engine = EventLoop::<Step>::new(DEPTH, Driver::Auto)?;
    for _ in 0..DEPTH {
        if let Some(event) = read_next(copy, Buffer::aligned(BLOCK_BYTES)?)? {
            engine.submit(event)?;
        }
    }
    while engine.in_flight() > 0 {
        engine.run(Wait::For(1))?;
        bar.set_position(copy.written.load(Ordering::Relaxed));
    }
    if !copy.has_failed() {
        let mut sync = IOEvent::sync(&copy.target);
        sync.set_callback(Step::Synced(Arc::clone(copy)));
        engine.submit(sync)?;
        engine.run(Wait::For(1))?;
    }
    bar.finish_and_clear();
    copy.take_error().map_or(Ok(()), |error| Err(error.into()))
}

/// Compares the files by other means than the engine.
fn are_equal(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut from_a, mut from_b) = (vec![0; BLOCK_BYTES], Vec::new());
    loop {
        let read = a.read(&mut from_a)?;
        from_b.resize(read, 0);
        if read == 0 {
            return Ok(b.read(&mut [0])? == 0);
        }
        if b.read_exact(&mut from_b).is_err() || from_b != from_a[..read] {
            return Ok(false);
        }
    }
}
