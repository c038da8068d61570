//! What becomes of a call: the faults that strike it, and what it does to its file.

use super::call::{Call, Deed};
use super::dice::Dice;
use super::faults::{Fault, Stage};
use super::files::{Answer, Files};
use super::rules::Rules;
use crate::buffer::Buffer;

/// A disk, behind its lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) rules: Rules,
    pub(super) files: Files,
}

/// A call that the disk has accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    call: Call,
    fault: Option<Fault>,
    /// The last change that a sync covers: what came later it does not know of.
    covers: u64,
    /// What a write has brought that was carried out as soon as it was accepted.
    early: Option<Early>,
}

#[derive(Debug)]
struct Early {
    answer: i64,
    written: Buffer,
}

/// How long an answer may be late, in ticks of the backend.
const DELAY_TICKS_MAX: usize = 16;

impl State {
    /// The fault that strikes `call` in this stage.
    pub(super) fn strike(&mut self, stage: Stage, call: &Call) -> Option<Fault> {
        self.rules.strike(stage, call.target(), &mut self.dice)
    }

    /// Takes a call in. It is carried out between now and its end, as the dice have it.
    pub(super) fn accept(&mut self, call: Call) -> Accepted {
        let mut accepted = Accepted {
            fault: self.strike(Stage::CarryingOut, &call),
            call,
            covers: self.files.changes(),
            early: None,
        };
        if matches!(accepted.call.deed, Deed::Sync | Deed::DataSync) {
            self.files.begin_sync(accepted.call.fd);
        }
        if matches!(accepted.call.deed, Deed::Write { .. }) && self.dice.one_in(2) {
            let (answer, written) = self.write(&accepted);
            accepted.early = written.map(|written| Early { answer, written });
        }
        accepted
    }

    /// How many ticks later than it could its answer comes; `None` if it does not come before the disk
    /// is healed.
    pub(super) fn delay(&mut self, accepted: &Accepted) -> Option<u64> {
        match self.strike(Stage::Timing, &accepted.call) {
            Some(Fault::Hang) => None,
            Some(_) => Some(1 + self.dice.below(DELAY_TICKS_MAX) as u64),
            None => Some(0),
        }
    }

    /// The answer of a call, as a kernel would give it; it is carried out by now.
    ///
    /// # Panics
    /// If the bytes of a write are no longer those that were written.
    pub(super) fn answer(&mut self, accepted: &Accepted) -> i64 {
        let call = &accepted.call;
        if let Some(early) = &accepted.early {
            let mut now = room(early.written.len());
            call.memory.gather(&mut now);
            assert!(
                now[..] == early.written[..],
                "the buffer of a write was changed while the disk had it"
            );
            return early.answer;
        }
        match call.deed {
            Deed::Read { offset } => self.read(accepted, offset),
            Deed::Write { .. } => self.write(accepted).0,
            Deed::Sync | Deed::DataSync => self.sync(accepted),
            Deed::Allocate { mode, offset, len } => match errno_of(accepted.fault) {
                Some(errno) => failed(errno),
                None => done(self.files.allocate(call.fd, mode, (offset, len))),
            },
            Deed::Nop => errno_of(accepted.fault).map_or(0, failed),
        }
    }

    /// Which fault a stray answer is, if it comes together with that of this call.
    pub(super) fn stray(&mut self, accepted: &Accepted) -> Option<Fault> {
        self.strike(Stage::Answering, &accepted.call)
    }

    fn read(&mut self, accepted: &Accepted, offset: u64) -> i64 {
        let call = &accepted.call;
        if !call.is_aligned() {
            return failed(libc::EINVAL);
        }
        let limit = self.limit(accepted);
        if call.memory.len() == 0 {
            return 0;
        }
        // All of it is read, also where less is handed on: direct files have no part of a sector.
        let mut bytes = room(call.memory.len());
        let read = self.files.read(call.fd, offset, &mut bytes);
        let moved = read.map(|count| count.min(limit));
        if let Ok(count) = moved {
            call.memory.scatter(&bytes[..count]);
        }
        concluded(accepted, moved)
    }

    /// The answer, and the bytes that were there to be written.
    fn write(&mut self, accepted: &Accepted) -> (i64, Option<Buffer>) {
        let call = &accepted.call;
        let Deed::Write { offset } = call.deed else {
            return (0, None);
        };
        if !call.is_aligned() {
            return (failed(libc::EINVAL), None);
        }
        let limit = self.limit(accepted);
        let mut bytes = room(call.memory.len());
        call.memory.gather(&mut bytes);
        let written = match limit {
            0 => Ok(0),
            limit => self.files.write(call.fd, offset, &bytes[..limit]),
        };
        (concluded(accepted, written), Some(bytes))
    }

    fn sync(&mut self, accepted: &Accepted) -> i64 {
        let (fd, covers) = (accepted.call.fd, accepted.covers);
        if let Some(errno) = errno_of(accepted.fault) {
            if loses_bytes(accepted.fault) {
                self.files.fail_sync(fd, covers);
            }
            return failed(errno);
        }
        done(match is_data_sync(&accepted.call) {
            true => self.files.data_sync(fd, covers),
            false => self.files.sync(fd, covers),
        })
    }

    /// How many bytes of a transfer are moved.
    fn limit(&mut self, accepted: &Accepted) -> usize {
        let len = accepted.call.memory.len();
        match accepted.fault {
            Some(Fault::Short) => 1 + self.dice.below(len - 1),
            Some(Fault::Nothing | Fault::Again | Fault::Interrupted | Fault::Cancelled) => 0,
            Some(fault) if fault.errno().is_some() => match self.dice.below(3) {
                0 => 0,
                1 => self.dice.below(len),
                _ => len,
            },
            _ => len,
        }
    }
}

fn is_data_sync(call: &Call) -> bool {
    matches!(call.deed, Deed::DataSync)
}

/// A sync that ends like this has tried.
fn loses_bytes(fault: Option<Fault>) -> bool {
    matches!(fault, Some(Fault::Io | Fault::NoSpace | Fault::Quota))
}

fn errno_of(fault: Option<Fault>) -> Option<i32> {
    fault.and_then(Fault::errno)
}

/// An error that was injected comes whatever was moved; one of the file comes by itself.
fn concluded(accepted: &Accepted, moved: Answer<usize>) -> i64 {
    match (errno_of(accepted.fault), moved) {
        (Some(errno), _) | (None, Err(errno)) => failed(errno),
        (None, Ok(count)) => i64::try_from(count).expect("at most TRANSFER_BYTES_MAX"),
    }
}

fn done(answer: Answer<()>) -> i64 {
    answer.map_or_else(failed, |()| 0)
}

fn failed(errno: i32) -> i64 {
    -i64::from(errno)
}

/// Memory for a transfer, aligned for a real direct file.
fn room(len: usize) -> Buffer {
    match len {
        0 => Buffer::from(Vec::new()),
        len => Buffer::aligned(len).expect("memory for a transfer"),
    }
}
