//! A sender: hands over its script, one event after the other, and holds every answer against the model
//! of its part of the file.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use io_engine::FileHandle;
use io_engine::tasks::IOEvent;
use io_engine_core::conformance::{FileLength, FileModel};

use super::ledger::Ledger;
use super::mailbox::{Answer, Mailbox, Ticket};
use super::operation::Operation;
use super::round::Script;
use super::table::{Pending, Table};
use super::watchdog::Moves;

mod verdict;

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
    /// Of a simulated direct file: two short reads in a row that come to the same place within a sector are
    /// taken for the end of the file. That is how the engine finds such an end; ends of this kind are
    /// counted, and not wrong.
    pub(crate) short_within: Option<usize>,
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
}

/// An operation in words.
pub(crate) fn said(number: usize, operation: &Operation) -> String {
    let Operation {
        action, begin, len, ..
    } = operation;
    let end = begin + len;
    format!("operation {number}, {action:?} of the bytes {begin}..{end}")
}
