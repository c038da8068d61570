//! Reads of a file that fails, as the documentation of io-engine 0.12 has them handled: each event that
//! comes back goes through `IOEvent::callback`, and those that it asks to send again are sent again.
//!
//! `peer-io-engine-0-12 --faults DRIVER PATH EVENTS BYTES`; PATH `-` is a descriptor that is not open.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, bail};
use crossfire::spsc;
use io_buffer::Buffer;
use io_engine_published::{CbArgs, Driver, IOAction, IOEvent, setup};
use serde::Serialize;

/// What travels with an event.
struct Number(usize);

impl CbArgs for Number {}

/// What has become of the events.
#[derive(Default, Serialize)]
struct Outcome {
    submitted: usize,
    /// Came back from the threads of the engine, some more than once.
    returned: usize,
    callbacks: usize,
    duplicated: usize,
    lost: usize,
    /// Callbacks that were told of an error.
    errors: usize,
}

/// More events than that are not in flight.
const DEPTH: usize = 16;
/// What has not come back for so long does not come back.
const PATIENCE: Duration = Duration::from_secs(3);
/// Far beyond the descriptors of this process.
const NOT_OPEN: i32 = 9999;
const PAGE: u32 = 4096;

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [driver, path, events, bytes] = arguments else {
        bail!("usage: --faults uring|aio PATH EVENTS BYTES");
    };
    let driver = match driver.as_str() {
        "uring" => Driver::Uring,
        "aio" => Driver::Aio,
        other => bail!("no driver {other:?}; there are uring and aio"),
    };
    let events = events.parse().context("the number of events")?;
    let bytes = bytes.parse().context("the bytes of each")?;
    let file = match path.as_str() {
        "-" => None,
        path => Some(File::open(path).context(path.to_owned())?),
    };
    let outcome = read(driver, file.as_ref(), events, bytes)?;
    serde_json::to_writer(io::stdout(), &outcome)?;
    Ok(())
}

fn read(driver: Driver, file: Option<&File>, events: usize, bytes: i32) -> anyhow::Result<Outcome> {
    let fd = file.map_or(NOT_OPEN, AsRawFd::as_raw_fd);
    let size = file
        .map(File::metadata)
        .transpose()?
        .map_or(0, |known| known.len());
    let (submitter, submitted) = spsc::bounded_blocking(events.max(1));
    let (reaped, returned) = spsc::bounded_blocking(events.max(1));
    setup(DEPTH, submitted, reaped, driver).context("io-engine 0.12 does not start")?;
    for number in 0..events {
        let buffer = Buffer::aligned_by(bytes, PAGE).map_err(io::Error::from)?;
        let offset = i64::try_from(number)? * i64::from(bytes);
        let mut event = Box::new(IOEvent::new(fd, buffer, IOAction::Read, offset));
        event.set_args(Number(number));
        let sent = submitter.send(event);
        sent.ok()
            .context("the threads of io-engine 0.12 are gone")?;
    }
    let mut outcome = Outcome {
        submitted: events,
        ..Outcome::default()
    };
    let called = std::cell::RefCell::new(vec![0_usize; events]);
    let errors = std::cell::Cell::new(0);
    while called.borrow().iter().any(|times| *times == 0)
        && let Ok(event) = returned.recv_timeout(PATIENCE)
    {
        outcome.returned += 1;
        let is_short = |offset| offset < size;
        let again = event.callback(is_short, |Number(number), _, result| {
            called.borrow_mut()[number] += 1;
            errors.set(errors.get() + usize::from(result.is_err()));
        });
        if let Err(event) = again {
            let sent = submitter.send(event);
            sent.ok()
                .context("the threads of io-engine 0.12 are gone")?;
        }
    }
    let called = called.into_inner();
    outcome.callbacks = called.iter().sum();
    outcome.lost = called.iter().filter(|times| **times == 0).count();
    outcome.duplicated = called.iter().filter(|times| **times > 1).count();
    outcome.errors = errors.get();
    Ok(outcome)
}
