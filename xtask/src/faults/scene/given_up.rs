//! An end with a deadline, while the device answers nothing.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use io_engine::ShutdownError;
use io_engine::tasks::IOEvent;

use super::Options;
use super::answer::Answer;
use super::blocks::send_read;
use super::work::Work;

/// How long the device is waited for.
const LIMIT: Duration = Duration::from_millis(300);
/// What the end may take beyond that on a busy machine.
const LATE_MAX: Duration = Duration::from_millis(1500);
/// What is handed over is with the kernel by then, as far as it takes it.
const SENDING_TAKES: Duration = Duration::from_millis(200);
/// How long late answers may take to come.
const LATE_ANSWERS_TAKE: Duration = Duration::from_millis(100);

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut work = Work::start(options)?;
    for block in 0..options.blocks {
        send_read(&mut work, options, &file, block)?;
    }
    work.send(IOEvent::sync(&file))?;
    work.push_on()?;
    thread::park_timeout(SENDING_TAKES);
    let inside = work.outstanding();
    let (ended, took) = work.end_within(LIMIT);
    work.answer
        .demand(ended == Err(ShutdownError::StillInFlight(inside)), || {
            format!("{inside} events were inside: {ended:?}")
        });
    work.answer.demand(took <= LIMIT + LATE_MAX, || {
        format!("the end took {took:?}, not {LIMIT:?}")
    });
    // It hangs as well, until the device answers everything: bytes for memory that nobody has any more, and
    // for whose requests no callback may be called again.
    let _ = file.read_at(&mut vec![0; options.block_bytes], 0);
    thread::park_timeout(LATE_ANSWERS_TAKE);
    work.finish()
}
