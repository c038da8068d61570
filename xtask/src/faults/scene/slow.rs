//! Answers that come late and overtake each other: nobody spins for them, and each finds its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};

use super::Options;
use super::answer::Answer;
use super::blocks::{content, end_writes, send_read, send_write};
use super::work::Work;

/// More of one processor than this is spinning. An engine may look for a moment before it sleeps.
const BUSY_PERCENT_MAX: u128 = 60;

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut work = Work::start(options)?;
    for block in 0..options.blocks {
        send_write(&mut work, options, &file, block, 0)?;
    }
    end_writes(&mut work)?;
    let (begun, busy_before) = (Instant::now(), processor_time()?);
    for _ in 0..options.rounds {
        read_all(&mut work, options, &file)?;
    }
    let (took, busy) = (
        begun.elapsed(),
        processor_time()?.saturating_sub(busy_before),
    );
    let percent = busy.as_micros() * 100 / took.as_micros().max(1);
    work.answer.demand(percent <= BUSY_PERCENT_MAX, || {
        format!("{percent} % of a processor while waiting, {BUSY_PERCENT_MAX} % at most")
    });
    work.answer
        .remarks
        .push(format!("{percent} % of a processor"));
    work.finish()
}

fn read_all(work: &mut Work, options: &Options, file: &Arc<std::fs::File>) -> anyhow::Result<()> {
    let first = work.next_number();
    for block in 0..options.blocks {
        send_read(work, options, file, block)?;
    }
    let mut highest = 0;
    for (number, event) in work.rest()? {
        work.answer.injected += u64::from(number < highest);
        highest = highest.max(number);
        let block = number - first;
        match event.get_read_result() {
            Ok(bytes) => {
                work.answer.verified_bytes += bytes.len() as u64;
                let right = *bytes == *content(options, block, 0);
                work.answer
                    .demand(right, || format!("block {block} has the bytes of another"));
            }
            Err(error) => work.answer.count_error(&error),
        }
    }
    Ok(())
}

fn processor_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?;
    let of = |time: nix::sys::time::TimeVal| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or_default());
        seconds + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
    };
    Ok(of(usage.user_time()) + of(usage.system_time()))
}
