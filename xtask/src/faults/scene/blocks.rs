//! Blocks are written, synced, read back and checked. What was not acknowledged may be anything.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine_core::sim::Dice;

use super::Options;
use super::answer::Answer;
use super::storm::Storm;
use super::work::{Reply, Work};

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Acknowledged: it has the content of this round.
    Written(u64),
    /// An error, or never tried.
    Nothing,
}

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let storm = options.alarm.map(Storm::begin).transpose()?;
    let mut work = Work::start(options)?;
    let before = if options.only_reads {
        Known::Written(0)
    } else {
        Known::Nothing
    };
    let mut known = vec![before; options.blocks];
    for round in 0..options.rounds {
        if !options.only_reads {
            write_all(&mut work, options, &file, round, &mut known)?;
        }
        read_all(&mut work, options, &file, &known)?;
        if work.outstanding() > 0 {
            break;
        }
    }
    let storm = storm.map(Storm::end).transpose()?;
    let mut answer = work.finish()?;
    answer.injected += storm.unwrap_or_default();
    look_past_the_engine(options, &file, &known, &mut answer);
    Ok(answer)
}

/// The bytes of a block in a round.
pub(super) fn content(options: &Options, block: usize, round: u64) -> Vec<u8> {
    let mut bytes = vec![0; options.block_bytes];
    Dice::new(options.seed ^ ((block as u64) << 24) ^ (round << 56)).fill(&mut bytes);
    bytes
}

pub(super) fn offset(options: &Options, block: usize) -> i64 {
    i64::try_from(block * options.block_bytes).unwrap_or(i64::MAX)
}

/// Sends a write of what the block has in a round.
pub(super) fn send_write(
    work: &mut Work,
    options: &Options,
    file: &Arc<File>,
    block: usize,
    round: u64,
) -> anyhow::Result<()> {
    let bytes = buffer(options, Some(&content(options, block, round)))?;
    let at = offset(options, block);
    work.send(IOEvent::new(file, bytes, IOAction::Write, at))?;
    Ok(())
}

/// Sends a read of the block.
pub(super) fn send_read(
    work: &mut Work,
    options: &Options,
    file: &Arc<File>,
    block: usize,
) -> anyhow::Result<()> {
    let memory = buffer(options, None)?;
    let at = offset(options, block);
    work.send(IOEvent::new(file, memory, IOAction::Read, at))?;
    Ok(())
}

/// Waits for writes, of which some may fail.
pub(super) fn end_writes(work: &mut Work) -> anyhow::Result<()> {
    for (_, event) in work.rest()? {
        if let Err(error) = event.get_write_result() {
            work.answer.count_error(&error);
        }
    }
    Ok(())
}

pub(super) fn buffer(options: &Options, bytes: Option<&[u8]>) -> anyhow::Result<Buffer> {
    let mut buffer = Buffer::aligned(options.block_bytes)?;
    if let Some(bytes) = bytes {
        buffer.copy_from_slice(bytes);
    }
    Ok(buffer)
}

fn write_all(
    work: &mut Work,
    options: &Options,
    file: &Arc<File>,
    round: u64,
    known: &mut [Known],
) -> anyhow::Result<()> {
    for window in windows(options) {
        let first = work.next_number();
        for block in window.clone() {
            // Until it is acknowledged, the block has the old bytes or the new ones or both.
            known[block] = Known::Nothing;
            send_write(work, options, file, block, round)?;
        }
        for (number, event) in work.rest()? {
            match event.get_write_result() {
                Ok(()) => known[window.start + number - first] = Known::Written(round),
                Err(error) => work.answer.count_error(&error),
            }
        }
        sync(work, file, known)?;
    }
    Ok(())
}

/// After a sync that failed, nothing is known of what was written before it.
fn sync(work: &mut Work, file: &Arc<File>, known: &mut [Known]) -> anyhow::Result<()> {
    work.send(IOEvent::sync(file))?;
    for (_, event) in work.rest()? {
        if let Err(error) = event.get_result() {
            work.answer.count_error(&error);
            known.fill(Known::Nothing);
        }
    }
    Ok(())
}

fn read_all(
    work: &mut Work,
    options: &Options,
    file: &Arc<File>,
    known: &[Known],
) -> anyhow::Result<()> {
    for window in windows(options) {
        let first = work.next_number();
        for block in window.clone() {
            send_read(work, options, file, block)?;
        }
        for (number, event) in work.rest()? {
            let block = window.start + number - first;
            check(work, options, block, known[block], event);
        }
    }
    Ok(())
}

fn check(work: &mut Work, options: &Options, block: usize, known: Known, event: IOEvent<Reply>) {
    let bytes = match event.get_read_result() {
        Ok(bytes) => bytes,
        Err(error) => return work.answer.count_error(&error),
    };
    let Known::Written(round) = known else {
        return;
    };
    let right = *bytes == *content(options, block, round);
    work.answer.demand(right, || {
        format!(
            "block {block}: {} bytes, not those of round {round}",
            bytes.len()
        )
    });
    work.answer.verified_bytes += bytes.len() as u64;
}

/// The blocks in parts whose buffers are in memory at once.
fn windows(options: &Options) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..options.blocks).step_by(options.window.max(1));
    starts.map(|start| start..options.blocks.min(start + options.window.max(1)))
}

/// A file that fails at random is asked again so often.
const ATTEMPTS: usize = 200;

/// Reads once more with plain calls: an engine that is wrong twice in the same way is found.
fn look_past_the_engine(options: &Options, file: &File, known: &[Known], answer: &mut Answer) {
    let mut memory = match buffer(options, None) {
        Ok(memory) => memory,
        Err(error) => return answer.remarks.push(format!("{error:#}")),
    };
    for (block, known) in known.iter().enumerate() {
        let Known::Written(round) = known else {
            continue;
        };
        let at = (block * options.block_bytes) as u64;
        if read_patiently(options, file, &mut memory, at) {
            let right = *memory == *content(options, block, *round);
            answer.demand(right, || {
                format!("block {block} differs in the file itself")
            });
        }
    }
}

/// Whether all of it could be read. With direct I/O a part would have to be aligned, so it is all
/// or nothing.
fn read_patiently(options: &Options, file: &File, memory: &mut Buffer, at: u64) -> bool {
    let mut done = 0;
    for _ in 0..ATTEMPTS {
        match file.read_at(&mut memory[done..], at + done as u64) {
            Ok(bytes) if done + bytes == memory.len() => return true,
            Ok(bytes) if !options.direct => done += bytes,
            Ok(_) | Err(_) => {}
        }
    }
    false
}
