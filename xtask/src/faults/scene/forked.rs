//! A fork while requests are in flight: the child has the ring and its memory, and ends.
#![allow(unsafe_code, reason = "fork has no safe interface")]

use std::sync::Arc;

use anyhow::Context;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use super::Options;
use super::answer::Answer;
use super::blocks::{content, end_writes, send_read, send_write};
use super::work::Work;

/// Long enough for the parent to go on beside it.
const CHILD_LIVES_MICROSECONDS: libc::useconds_t = 3_000;

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut work = Work::start(options)?;
    for round in 0..options.rounds {
        for block in 0..options.blocks {
            send_write(&mut work, options, &file, block, round)?;
        }
        work.push_on()?;
        fork_meanwhile(&mut work)?;
        end_writes(&mut work)?;
        for block in 0..options.blocks {
            send_read(&mut work, options, &file, block)?;
        }
        work.push_on()?;
        fork_meanwhile(&mut work)?;
        for (number, event) in work.rest()? {
            let block = number % options.blocks;
            match event.get_read_result() {
                Ok(bytes) => {
                    work.answer.verified_bytes += bytes.len() as u64;
                    let right = *bytes == *content(options, block, round);
                    work.answer
                        .demand(right, || format!("block {block} after a fork"));
                }
                Err(error) => work.answer.count_error(&error),
            }
        }
    }
    work.finish()
}

/// Counts only if something was in flight: a fork of an idle engine proves nothing.
fn fork_meanwhile(work: &mut Work) -> anyhow::Result<()> {
    let in_flight = work.outstanding();
    // SAFETY: the child sleeps and ends with calls that may be made between fork and exec; it
    // touches no lock and no memory that another thread of the parent may have held.
    let forked = unsafe { fork() }.context("fork")?;
    match forked {
        ForkResult::Child => {
            // SAFETY: takes a number.
            unsafe { libc::usleep(CHILD_LIVES_MICROSECONDS) };
            // SAFETY: takes a number and does not return; nothing of the parent's is run down.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            work.answer.injected += u64::from(in_flight > 0);
            // A signal may end the wait early; the child ends all the same.
            let ended = waitpid(child, None);
            work.answer.demand(ended.is_ok(), || {
                format!("waiting for the child: {ended:?}")
            });
            Ok(())
        }
    }
}
