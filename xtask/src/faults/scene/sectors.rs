//! Requests that a device with large sectors cannot take are refused by name, their neighbours not.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use anyhow::{Context, ensure};
use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine_core::{AlignedPart, DirectAlignment, InvalidRequest};

use super::Options;
use super::answer::Answer;
use super::work::Work;

/// What is asked for, and which part of it is misaligned.
struct Attempt {
    offset: u64,
    len: usize,
    wrong: Option<AlignedPart>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let mut file = options.open()?;
    let size = file
        .seek(SeekFrom::End(0))
        .context("the size of the device")?;
    let demanded = DirectAlignment::of(file.as_raw_fd())
        .context("the device does not tell its alignment; is it open with O_DIRECT?")?;
    let sector = demanded.offset;
    ensure!(sector > 512, "sectors of {sector} bytes cannot be missed");
    let file = Arc::new(file);
    let mut work = Work::start(options)?;
    for action in [IOAction::Read, IOAction::Write] {
        for attempt in attempts(sector, size)? {
            try_it(&mut work, &file, action, &attempt)?;
        }
    }
    work.finish()
}

fn attempts(sector: u64, size: u64) -> anyhow::Result<[Attempt; 6]> {
    let whole = usize::try_from(sector)?;
    let one = |offset, len, wrong| Attempt { offset, len, wrong };
    Ok([
        one(0, whole, None),
        one(512, whole, Some(AlignedPart::Offset)),
        one(0, 512, Some(AlignedPart::Length)),
        one(sector, whole + 512, Some(AlignedPart::Length)),
        // Behind the end, where a kernel may not look at the alignment.
        one(size + 512, whole, Some(AlignedPart::Offset)),
        one(size - sector, whole, None),
    ])
}

fn try_it(
    work: &mut Work,
    file: &Arc<File>,
    action: IOAction,
    attempt: &Attempt,
) -> anyhow::Result<()> {
    let buffer = Buffer::aligned(attempt.len)?;
    let offset = i64::try_from(attempt.offset)?;
    work.send(IOEvent::new(file, buffer, action, offset))?;
    for (_, event) in work.rest()? {
        let got = event.get_result();
        let found = got.as_ref().err().and_then(misaligned);
        work.answer.injected += u64::from(attempt.wrong.is_some());
        let as_wanted = match attempt.wrong {
            Some(part) => found == Some(part),
            None => got.as_ref().is_ok_and(|bytes| *bytes == attempt.len),
        };
        if let Err(error) = &got {
            work.answer.count_error(error);
        }
        work.answer.demand(as_wanted, || {
            let (len, wrong) = (attempt.len, attempt.wrong);
            format!("{action:?} of {len} bytes at {offset}: {got:?}; misaligned is {wrong:?}")
        });
    }
    Ok(())
}

fn misaligned(error: &io::Error) -> Option<AlignedPart> {
    let invalid = error.get_ref()?.downcast_ref::<InvalidRequest>()?;
    if let InvalidRequest::Misaligned { what, .. } = invalid {
        return Some(*what);
    }
    None
}
