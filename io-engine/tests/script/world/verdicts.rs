//! Whether what an event has come to can be.

use std::io;

use io_engine::tasks::{IOAction, IOEvent};

use super::super::expected::{Pending, loses_bytes};
use super::super::told::Numbered;
use super::{World, file_of};

impl World {
    pub(super) fn is_finished(&mut self, number: u64, event: IOEvent<Numbered>, is_ending: bool) {
        let pending = self.pending.remove(&number);
        let pending = pending.expect("a callback is called once, and after it was submitted");
        assert!(!pending.is_with_callback);
        self.summary.finished += 1;
        if !pending.is_valid {
            let error = event.get_result().expect_err("an event that cannot work");
            return assert!(pending.explains(&error, None), "{error}: {pending:?}");
        }
        let is_short = event
            .get_result()
            .is_ok_and(|done| done < pending.range.len());
        let goes_on = pending.action.moves_bytes() && is_short && !event.is_end_of_file();
        if !goes_on {
            return self.check(&pending, event);
        }
        assert!(self.setup.reports_short_transfers, "short: {pending:?}");
        if is_ending || self.dice.one_in(8) {
            return self.check(&pending, event);
        }
        let mut event = event;
        event.set_callback(Numbered::leading_to(None, number, &self.log));
        self.pending.insert(number, pending);
        if let Err(full) = self.engine.submit(event) {
            // What other callbacks have handed over has taken the place, so it stays short.
            assert_eq!(self.engine.in_flight(), self.engine.depth());
            let pending = self.pending.remove(&number);
            self.check(&pending.expect("it was just put back"), full.into_inner());
            let dropped = std::mem::take(&mut self.log.lock().dropped);
            assert_eq!(dropped, [number]);
        }
    }

    fn check(&mut self, pending: &Pending, event: IOEvent<Numbered>) {
        let result = event.get_result();
        if let Err(error) = &result {
            let kept = self.kept[pending.handle];
            assert!(pending.explains(error, kept), "{error}: {pending:?}");
            self.summary.failed += 1;
        }
        let contents = &mut self.files[file_of(pending.handle)];
        let (begun, range) = (pending.begun, pending.range.clone());
        match pending.action {
            IOAction::Read => self.check_read(pending, event),
            IOAction::Write => {
                let end = range.start + event.transferred();
                contents.has_become(range.start..end, begun, self.now);
                if end > range.start {
                    contents.has_grown(end);
                }
            }
            IOAction::PunchHole | IOAction::ZeroRange if result.is_ok() => {
                contents.has_become(range.clone(), begun, self.now);
                if pending.action == IOAction::ZeroRange {
                    contents.has_grown(range.end);
                }
            }
            IOAction::Allocate if result.is_ok() => contents.has_grown(range.end),
            IOAction::Sync | IOAction::DataSync => self.check_sync(pending, &result),
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange
            | IOAction::Nop => {}
        }
    }

    fn check_read(&mut self, pending: &Pending, event: IOEvent<Numbered>) {
        let (done, is_ok) = (event.transferred(), event.get_result().is_ok());
        let ends = event.is_end_of_file();
        let Some(buffer) = event.into_buffer() else {
            return assert!(!is_ok, "the buffer of a read that was answered");
        };
        // What is under way beside it may make the file longer, and has been told to the model.
        let contents = &mut self.files[file_of(pending.handle)];
        let start = pending.range.start;
        if let Err(differs) = contents.has_read(start, &buffer[..done], self.now) {
            panic!("{differs}; {pending:?}");
        }
        self.summary.verified_bytes += done as u64;
        if is_ok && ends {
            let end = start + done;
            assert_eq!(
                buffer.len(),
                done,
                "the buffer is cut at the end of the file"
            );
            assert!(
                end <= contents.len_max.max(start),
                "it ends too late: {pending:?}"
            );
            let is_told_the_truth = !pending.may_be_lied_to();
            let is_there = end >= pending.len_min;
            assert!(
                is_there || !is_told_the_truth,
                "too early: {end}, {pending:?}"
            );
        }
    }

    fn check_sync(&mut self, pending: &Pending, result: &io::Result<usize>) {
        let contents = &mut self.files[file_of(pending.handle)];
        let kept = &mut self.kept[pending.handle];
        match result {
            Ok(_) => {
                assert_eq!(*kept, None, "a failed sync was forgotten: {pending:?}");
                contents.was_saved(pending.len_min, pending.begun);
                self.summary.synced += 1;
            }
            Err(error) => {
                contents.was_not_saved();
                let errno = error.raw_os_error().filter(|errno| loses_bytes(*errno));
                *kept = kept.or(errno);
            }
        }
    }
}
