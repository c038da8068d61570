//! What an answer says, against what can be.

use std::io::ErrorKind;
use std::ops::Range;

use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOEvent};

use super::super::mailbox::Ticket;
use super::super::operation::Operation;
use super::super::table::Pending;
use super::{Sender, said};

impl Sender {
    pub(super) fn take_called(&mut self, pending: Pending, mut event: IOEvent<Ticket>) {
        if self.is_to_go_on(&pending, &event) {
            self.ledger.short += 1;
            event.set_callback(Ticket::new(pending.number, &self.mailbox));
            self.again.push_back((pending.number, event));
            self.table.add(pending);
            return;
        }
        if let Err(error) = event.get_result() {
            if self.terms.may_come_late && error.kind() == ErrorKind::BrokenPipe {
                self.ledger.refused += 1;
                return self.is_undetermined(&pending);
            }
            let what = || said(pending.number, &pending.operation);
            self.ledger.has_failed(&error, what);
            return self.is_undetermined(&pending);
        }
        if let Some(end) = pending.operation.grows_to() {
            self.terms.length.has_grown(end);
        }
        match pending.operation.action {
            IOAction::Read => self.check_read(&pending, event),
            IOAction::Write => self.check_write(&pending, event),
            IOAction::PunchHole | IOAction::ZeroRange => {
                let range = self.within(&pending.operation);
                self.model.is_zeroed(range);
            }
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::Sync
            | IOAction::DataSync
            | IOAction::Nop => {}
        }
    }

    /// Whether a short transfer was reported, as it was wished, and is to be handed over again.
    fn is_to_go_on(&self, pending: &Pending, event: &IOEvent<Ticket>) -> bool {
        let is_short = event
            .get_result()
            .is_ok_and(|done| done < pending.operation.len);
        let is_transfer = pending.operation.action.moves_bytes();
        self.terms.reports_short && is_transfer && is_short && !event.is_end_of_file()
    }

    /// The operation failed: each of its bytes is as before, or as it should have become.
    pub(super) fn is_undetermined(&mut self, pending: &Pending) {
        let range = self.within(&pending.operation);
        match pending.operation.action {
            IOAction::Write => {
                let bytes = expected_of(&mut self.expected, &pending.operation);
                self.model.may_have_written(range.start, bytes);
            }
            IOAction::PunchHole | IOAction::ZeroRange => self.model.may_be_zeroed(range),
            IOAction::Read
            | IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::Sync
            | IOAction::DataSync
            | IOAction::Nop => {}
        }
    }

    fn check_write(&mut self, pending: &Pending, event: IOEvent<Ticket>) {
        let range = self.within(&pending.operation);
        let done = event.transferred();
        let mut buffer = event.into_buffer();
        self.check_canary(pending, buffer.as_mut());
        let expected = expected_of(&mut self.expected, &pending.operation);
        let what = || said(pending.number, &pending.operation);
        if done != expected.len() {
            let finding = || format!("{}: Ok with {done} bytes", what());
            self.ledger.is_wrong(finding);
        }
        if buffer.as_deref() != Some(expected) {
            let finding = || format!("{}: its buffer has changed", what());
            self.ledger.is_wrong(finding);
        }
        self.model.has_written(range.start, expected);
    }

    fn check_read(&mut self, pending: &Pending, event: IOEvent<Ticket>) {
        let range = self.within(&pending.operation);
        let (done, ends) = (event.transferred(), event.is_end_of_file());
        let len_max = self.terms.length.max();
        let mut buffer = event.into_buffer();
        self.check_canary(pending, buffer.as_mut());
        let found = buffer.as_deref().unwrap_or(&[]);
        let mut wrong = None;
        if found.len() != done || (done < range.len()) != ends {
            wrong = Some(format!(
                "Ok with {done} bytes, {} in the buffer, end of file: {ends}",
                found.len()
            ));
        }
        let end = pending.operation.begin + done;
        if ends && end > len_max.max(pending.operation.begin) {
            wrong = Some(format!("the end at {end}, but there are at most {len_max}"));
        }
        if ends && end < pending.len_min {
            let within = self.terms.short_within;
            let is_within = within.is_some_and(|sector| !end.is_multiple_of(sector));
            if self.terms.expects_errors || is_within {
                self.ledger.early_ends += 1;
            } else {
                let len_min = pending.len_min;
                wrong = Some(format!("the end at {end}, but there are {len_min} bytes"));
            }
        }
        if let Err(differs) = self.model.has_read(range.start, found) {
            wrong = Some(format!(
                "in the share from {} on, {differs}",
                self.share.start
            ));
        }
        self.ledger.verified_bytes += done as u64;
        if let Some(wrong) = wrong {
            let finding = || format!("{}: {wrong}", said(pending.number, &pending.operation));
            self.ledger.is_wrong(finding);
        }
    }

    fn check_canary(&mut self, pending: &Pending, buffer: Option<&mut Buffer>) {
        if buffer.is_none_or(|buffer| !pending.operation.is_intact(buffer)) {
            let what = said(pending.number, &pending.operation);
            let finding = || format!("{what}: bytes behind its buffer were overwritten");
            self.ledger.is_wrong(finding);
        }
    }

    /// The range of `operation` in the share.
    fn within(&self, operation: &Operation) -> Range<usize> {
        let begin = operation.begin.saturating_sub(self.share.start);
        begin..begin + operation.len
    }
}

/// What `operation` writes, in memory that is used again and again.
fn expected_of<'a>(memory: &'a mut Vec<u8>, operation: &Operation) -> &'a [u8] {
    if memory.len() < operation.len {
        memory.resize(operation.len, 0);
    }
    let bytes = &mut memory[..operation.len];
    operation.fill(bytes);
    bytes
}
