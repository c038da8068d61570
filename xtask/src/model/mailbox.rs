//! The callbacks of a sender: each knows its number, and tells when it is called and when it is dropped
//! without a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine::tasks::{IOCallback, IOEvent};

/// What has become of the event of a number.
#[derive(Debug)]
pub(crate) enum Answer {
    Called(usize, IOEvent<Ticket>),
    /// The callback is gone and was not called.
    Dropped(usize),
}

/// Where the callbacks of a sender put their answers.
#[derive(Debug)]
pub(crate) struct Mailbox {
    answers: Sender<Answer>,
    /// Answers beyond those that were to be expected: the box was full.
    overflow: AtomicU64,
    sent: AtomicU64,
    called: AtomicU64,
}

impl Mailbox {
    /// With room for so many answers that are to be expected, so that a callback never waits.
    pub(crate) fn with_room(answers: usize) -> (Arc<Self>, Receiver<Answer>) {
        // An event that is given back is an answer as well; and what is too much is to be seen.
        let (tx, rx) = bounded(2 * answers + 16);
        let mailbox = Self {
            answers: tx,
            overflow: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            called: AtomicU64::new(0),
        };
        (Arc::new(mailbox), rx)
    }

    pub(crate) fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::SeqCst)
    }

    /// How many callbacks were called so far.
    pub(crate) fn called(&self) -> u64 {
        self.called.load(Ordering::SeqCst)
    }

    /// An event is about to be handed over.
    pub(crate) fn sends(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// It came back.
    pub(crate) fn takes_back(&self) {
        self.sent.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many events were handed over so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Whether an event is with the engine.
    pub(crate) fn is_waiting(&self) -> bool {
        self.called() < self.sent()
    }

    fn put(&self, answer: Answer) {
        if self.answers.try_send(answer).is_err() {
            self.overflow.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The callback of the event of a number.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: usize,
    /// `None` once it was called.
    mailbox: Option<Arc<Mailbox>>,
}

impl Ticket {
    pub(crate) fn new(number: usize, mailbox: &Arc<Mailbox>) -> Self {
        Self {
            number,
            mailbox: Some(Arc::clone(mailbox)),
        }
    }
}

impl IOCallback for Ticket {
    fn call(mut self, event: IOEvent<Self>) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.called.fetch_add(1, Ordering::SeqCst);
            mailbox.put(Answer::Called(self.number, event));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.put(Answer::Dropped(self.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_and_a_drop_are_told_apart() {
        let (mailbox, answers) = Mailbox::with_room(2);
        Ticket::new(1, &mailbox).call(IOEvent::nop());
        drop(Ticket::new(2, &mailbox));
        assert!(matches!(answers.try_recv(), Ok(Answer::Called(1, _))));
        assert!(matches!(answers.try_recv(), Ok(Answer::Dropped(2))));
        assert_eq!((mailbox.called(), answers.len()), (1, 0));
    }

    #[test]
    fn more_answers_than_there_is_room_for_are_counted() {
        let (mailbox, _answers) = Mailbox::with_room(0);
        (0..20).for_each(|number| Ticket::new(number, &mailbox).call(IOEvent::nop()));
        assert_eq!((mailbox.overflow(), mailbox.called()), (4, 20));
    }
}
