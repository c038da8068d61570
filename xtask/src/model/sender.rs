//! A sender: hands over its script, one event after the other, and holds every answer against the model
//! of its part of the file.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, FileHandle};
use io_engine_core::conformance::{FileLength, FileModel};

use super::ledger::Ledger;
use super::mailbox::{Answer, Mailbox, Ticket};
use super::operation::Operation;
use super::round::Script;
use super::table::{Pending, Table};
use super::watchdog::Moves;

/// What the senders of a round have in common.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) file: FileHandle,
    pub(crate) length: Arc<FileLength>,
    pub(crate) window: usize,
    /// The medium fails.
    pub(crate) expects_errors: bool,
    /// A short transfer is handed over again.
    pub(crate) reports_short: bool,
    /// The engine is closed while events are sent: one that comes too late may have been accepted, and
    /// its callback is told so.
    pub(crate) may_come_late: bool,
    pub(crate) moves: Moves,
}

#[derive(Debug)]
pub(crate) struct Sender {
    terms: Terms,
    share: Range<usize>,
    operations: Vec<Operation>,
    next: usize,
    /// The content of its share; places are offsets in the share.
    pub(super) model: FileModel,
    table: Arc<Table>,
    mailbox: Arc<Mailbox>,
    answers: Receiver<Answer>,
    /// To be handed over again, as they are.
    again: VecDeque<(usize, IOEvent<Ticket>)>,
    /// Came back, and their callbacks are dropped on purpose.
    given_up: Vec<usize>,
    /// What a write should have written, to compare.
    expected: Vec<u8>,
    is_closed: bool,
    pub(super) ledger: Ledger,
}

/// What a sender would do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Hand this over; if it comes back, say [`Sender::hold`] or [`Sender::refused`].
    Event(usize, IOEvent<Ticket>),
    /// Wait for an answer.
    Wait,
    /// Nothing: all was handed over. A short transfer that comes back may change that.
    Done,
}

impl Sender {
    pub(crate) fn new(script: &Script, terms: &Terms) -> Self {
        let (mailbox, answers) = Mailbox::with_room(terms.window);
        Self {
            share: script.share.clone(),
            operations: script.operations.clone(),
            next: 0,
            model: FileModel::default(),
            table: Arc::default(),
            mailbox,
            answers,
            again: VecDeque::new(),
            given_up: Vec::new(),
            expected: Vec::new(),
            is_closed: false,
            ledger: Ledger::expecting_errors(terms.expects_errors),
            terms: terms.clone(),
        }
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    pub(crate) fn share(&self) -> &Range<usize> {
        &self.share
    }

    /// Whether every event that was handed over has its answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.table.len() == 0
    }

    /// How many operations were begun.
    pub(crate) fn begun(&self) -> usize {
        self.next
    }

    pub(crate) fn next(&mut self) -> Next {
        if self.is_closed {
            return Next::Done;
        }
        if let Some((number, event)) = self.again.pop_front() {
            self.mailbox.sends();
            return Next::Event(number, event);
        }
        let number = self.next;
        let Some(&operation) = self.operations.get(number) else {
            return Next::Done;
        };
        if self.table.len() >= self.terms.window || self.table.excludes(&operation) {
            return Next::Wait;
        }
        self.next += 1;
        let len_min = self.terms.length.min();
        if let Some(end) = operation.grows_to() {
            self.terms.length.may_grow(end);
        }
        self.table.add(Pending {
            number,
            operation,
            len_min,
        });
        self.mailbox.sends();
        Next::Event(number, self.event(number, &operation))
    }

    fn event(&self, number: usize, operation: &Operation) -> IOEvent<Ticket> {
        let file = self.terms.file.clone();
        let offset = i64::try_from(operation.begin).expect("files of the check are small");
        let mut event = match operation.buffer() {
            Some(buffer) => IOEvent::new(file, buffer, operation.action, offset),
            None => IOEvent::new_no_buf(file, operation.action, offset, operation.len as u64),
        };
        event.set_callback(Ticket::new(number, &self.mailbox));
        event
    }

    /// The engine had no room: the event is the next once more.
    pub(crate) fn hold(&mut self, number: usize, event: IOEvent<Ticket>) {
        self.mailbox.takes_back();
        self.again.push_front((number, event));
    }

    /// The engine is closed; nothing is sent from here on.
    pub(crate) fn refused(&mut self, number: usize, event: IOEvent<Ticket>) {
        self.mailbox.takes_back();
        self.is_closed = true;
        self.give_up(number, event);
        while let Some((number, event)) = self.again.pop_front() {
            self.give_up(number, event);
        }
    }

    fn give_up(&mut self, number: usize, event: IOEvent<Ticket>) {
        self.ledger.refused += 1;
        self.given_up.push(number);
        if let Some(pending) = self.table.take(number)
            && event.transferred() > 0
        {
            self.is_undetermined(&pending);
        }
    }

    /// Takes the answers that are there, and says how many.
    pub(crate) fn collect(&mut self) -> u64 {
        let mut taken = 0;
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer);
            taken += 1;
        }
        self.terms.moves.add(taken);
        taken
    }

    /// Waits for an answer, and takes those that are there.
    pub(crate) fn wait(&mut self) {
        if let Ok(answer) = self.answers.recv() {
            self.take(answer);
            self.terms.moves.add(1);
        }
        self.collect();
    }

    /// The engine is gone: what has no answer yet gets none.
    pub(crate) fn finish(&mut self) {
        self.collect();
        while let Some((number, event)) = self.again.pop_front() {
            self.give_up(number, event);
        }
        self.collect();
        self.ledger.requests = self.mailbox.sent();
        self.ledger.callbacks = self.mailbox.called();
        for pending in self.table.take_all() {
            self.has_lost(&pending, "its callback was never called");
        }
        let overflow = self.mailbox.overflow();
        if overflow > 0 {
            self.ledger.duplicated += overflow - 1;
            let finding = || format!("{overflow} callbacks more than events");
            self.ledger.is_duplicated(finding);
        }
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Dropped(number) => self.take_dropped(number),
            Answer::Called(number, event) => match self.table.take(number) {
                Some(pending) => self.take_called(pending, event),
                None => self.is_duplicated(number),
            },
        }
    }

    fn take_dropped(&mut self, number: usize) {
        if let Some(index) = self.given_up.iter().position(|up| *up == number) {
            self.given_up.swap_remove(index);
            return;
        }
        match self.table.take(number) {
            Some(pending) => self.has_lost(&pending, "its callback was dropped, not called"),
            None => self.is_duplicated(number),
        }
    }

    fn is_duplicated(&mut self, number: usize) {
        let operation = self.operations.get(number);
        self.ledger.is_duplicated(|| match operation {
            Some(operation) => format!("{}: a second callback", said(number, operation)),
            None => format!("a callback of number {number}, which was never sent"),
        });
    }

    fn has_lost(&mut self, pending: &Pending, how: &str) {
        let finding = || format!("{}: {how}", said(pending.number, &pending.operation));
        self.ledger.is_lost(finding);
        self.is_undetermined(pending);
    }

    fn take_called(&mut self, pending: Pending, mut event: IOEvent<Ticket>) {
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
    fn is_undetermined(&mut self, pending: &Pending) {
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
            match self.terms.expects_errors {
                true => self.ledger.short += 1,
                false => {
                    let len_min = pending.len_min;
                    wrong = Some(format!("the end at {end}, but there are {len_min} bytes"));
                }
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

/// An operation in words.
pub(crate) fn said(number: usize, operation: &Operation) -> String {
    let Operation {
        action, begin, len, ..
    } = operation;
    let end = begin + len;
    format!("operation {number}, {action:?} of the bytes {begin}..{end}")
}
