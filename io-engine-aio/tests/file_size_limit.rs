//! Writes beyond `RLIMIT_FSIZE`. In a file of its own, because the limit is the process's.
#![allow(unsafe_code, reason = "setrlimit has no safe interface in std")]

mod harness;

use harness::*;
use io_engine_aio::{Buffer, IOAction, IOEvent, block_signals_in_this_thread};

const LIMIT: u64 = 1 << 20;

fn limit_file_size() {
    let limit = libc::rlimit {
        rlim_cur: LIMIT,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads one rlimit, which this frame owns.
    let answer = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(answer, 0);
}

#[test]
fn with_signals_blocked_a_write_beyond_the_limit_is_an_error_and_not_the_end() {
    within_deadline(|| {
        let scratch = Scratch::empty();
        limit_file_size();
        block_signals_in_this_thread();
        let mut ring = backend(1);
        for file in [scratch.file.clone(), scratch.direct_for_writing()] {
            let write = |offset: u64| {
                let buffer = Buffer::aligned(2 * BLOCK).unwrap();
                IOEvent::new(&file, buffer, IOAction::Write, offset.cast_signed())
            };
            let straddling = carry_out(&mut ring, write(LIMIT - BLOCK as u64));
            assert_eq!(straddling.get_result().unwrap(), BLOCK);
            let beyond = carry_out(&mut ring, write(LIMIT));
            assert_eq!(errno_of(&beyond), Some(libc::EFBIG));
        }
    });
}
