//! What comes back, against the model of the files.

use std::io;

use io_engine::sim::Fault;
use io_engine::tasks::{IOAction, IOEvent};

use crate::numbered::Numbered;
use crate::{DIRECT, ERRORS, Pending, Run, Subject};

impl Run {
    pub(crate) fn check(&mut self, pending: &Pending, event: IOEvent<Numbered>) {
        let done = event.transferred();
        let error = event.get_result().err();
        if let Some(error) = &error {
            self.check_error(pending, error);
        }
        match pending.action {
            IOAction::Read => self.check_read(pending, event),
            IOAction::Write => {
                let Subject { model, length, .. } = &mut self.files[pending.file];
                let (at, bytes) = (pending.range.start, &pending.bytes);
                assert!(
                    error.is_some() || done == bytes.len(),
                    "a short write is Ok"
                );
                model.has_written(at, &bytes[..done]);
                model.may_have_written(at + done, &bytes[done..]);
                if done > 0 {
                    length.has_grown(at + done);
                }
                length.may_grow(at + bytes.len());
            }
            IOAction::PunchHole | IOAction::ZeroRange if error.is_none() => {
                let Subject { model, length, .. } = &mut self.files[pending.file];
                model.is_zeroed(pending.range.clone());
                if pending.action == IOAction::ZeroRange {
                    length.has_grown(pending.range.end);
                }
            }
            IOAction::Allocate if error.is_none() => {
                self.files[pending.file].length.has_grown(pending.range.end);
            }
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange
            | IOAction::Sync
            | IOAction::DataSync
            | IOAction::Nop => assert_eq!(done, 0),
        }
    }

    /// Only errors that were injected, or that the disk is full.
    fn check_error(&self, pending: &Pending, error: &io::Error) {
        let injected = self.disk.injected();
        let Some(number) = error.raw_os_error() else {
            assert_eq!(error.kind(), io::ErrorKind::WriteZero, "{error}");
            assert_eq!(pending.action, IOAction::Write);
            return assert!(injected.of(Fault::Nothing) > 0);
        };
        let is_full = number == libc::ENOSPC && pending.action != IOAction::Read;
        let known = ERRORS.iter().find(|(errno, _)| *errno == number);
        let (_, fault) = known.unwrap_or_else(|| panic!("{error} was never injected"));
        assert!(is_full || !self.is_healed, "{error} on a healed disk");
        assert!(
            is_full || injected.of(*fault) > 0,
            "{error} was not injected"
        );
    }

    fn check_read(&mut self, pending: &Pending, event: IOEvent<Numbered>) {
        let (done, asked) = (event.transferred(), pending.range.len());
        let is_ok = event.get_result().is_ok();
        let ends = event.is_end_of_file();
        let buffer = event.into_buffer().unwrap();
        let len_max = self.len_max(pending.file);
        let model = &mut self.files[pending.file].model;
        if let Err(differs) = model.has_read(pending.range.start, &buffer[..done]) {
            panic!("file {}: {differs}", pending.file);
        }
        self.verified_bytes += done as u64;
        if !is_ok {
            return;
        }
        assert_eq!(done < asked, ends, "a short read is Ok, and not at the end");
        let end = pending.range.start + done;
        if ends {
            assert_eq!(buffer.len(), done, "the buffer is cut");
            assert!(end <= len_max.max(pending.range.start), "it ends too late");
            // No bytes are an end, and so are two answers that come to one place.
            let has_lied = self.disk.injected().of(Fault::Nothing) > 0 || pending.file == DIRECT;
            let may_lie = has_lied && !self.is_healed;
            assert!(may_lie || end >= pending.len_min, "it ends too early");
        }
    }

    /// The file is no longer than this, whatever is under way has made of it.
    fn len_max(&self, file: usize) -> usize {
        let others = self.pending.values().filter(|other| other.file == file);
        let ends = others.map(|other| other.range.end).max();
        self.files[file].length.max().max(ends.unwrap_or(0))
    }
}
