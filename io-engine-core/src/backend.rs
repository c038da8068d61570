//! The one door to the kernel.

use std::io;
use std::time::Instant;

use crate::alignment_gate::AlignmentGate;
use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::in_flight::Ticket;
use crate::refusal::Full;
use crate::request::Request;
use crate::waker::Waker;

/// How long [`Backend::drive`] sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: sends what was pushed and takes what has finished.
    Never,
    /// Until this many requests have finished, or all that are in flight if they are fewer. With
    /// nothing in flight it does not sleep. `For(0)` is `Never`.
    For(usize),
    /// Until one request has finished or this moment has come. Sleeps with nothing in flight too:
    /// it is how an idle loop waits for the doorbell.
    Until(Instant),
}

impl Wait {
    /// How many completions it is for while so many requests are `in_flight`, and until when. A
    /// target of 0 does not sleep.
    #[must_use]
    pub fn target(self, in_flight: usize) -> (usize, Option<Instant>) {
        match self {
            Self::Never => (0, None),
            Self::For(count) => (count.min(in_flight), None),
            Self::Until(deadline) => (1, Some(deadline)),
        }
    }
}

/// A queue to the kernel: requests go in, completions come out, nothing is lost in between.
///
/// One thread at a time drives it, through `&mut self`. It may move between threads, as long as
/// nothing is in flight: the kernel ties requests to the thread that sent them.
///
/// # Ownership
/// From a successful [`push`](Self::push) on the backend owns the request: its events, their
/// buffers, their files. It gives all of it back in exactly one [`Completion`]. A backend never
/// calls a callback.
///
/// # Dropping
/// Dropping a backend waits until the kernel has let go of every request; those are dropped then,
/// without a callback, so drive it until [`in_flight`](Self::in_flight) is 0 before. What the
/// kernel does not let go of is leaked, with an error in the log, and never freed.
pub trait Backend<C: IOCallback>: Send {
    /// How many requests it can own at once, on every backend. Never changes.
    fn capacity(&self) -> usize;

    /// How many requests it owns now: pushed and not yet yielded.
    fn in_flight(&self) -> usize;

    /// Takes ownership of `request` until its completion is yielded by [`drive`](Self::drive).
    /// Makes no system call.
    ///
    /// A request that cannot work (see [`Request::check`]) is taken too; its completion carries
    /// the [`InvalidRequest`](crate::InvalidRequest) and the kernel never sees it.
    ///
    /// # Errors
    /// [`Full`] with the request if `in_flight() == capacity()`; nothing else.
    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>>;

    /// As [`push`](Self::push) of a request for `event`, which is moved once, to its slot.
    ///
    /// # Errors
    /// As [`push`](Self::push), with the event.
    #[inline]
    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(event));
        }
        let pushed = self.push(Request::from(event));
        pushed.expect("there is room for one more");
        Ok(())
    }

    /// As [`push_event`](Self::push_event), if there is room and the event needs no look at its file
    /// before: [`AlignmentGate::passes_unseen`].
    ///
    /// To look at an event on its way to its slot costs a copy of it. Provided: looks at it first.
    ///
    /// # Errors
    /// The event, which was not taken.
    #[inline]
    fn push_unseen(&mut self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        if !AlignmentGate::passes_unseen(&event) {
            return Err(event);
        }
        self.push_event(event).map_err(|Full(event)| event)
    }

    /// Sends all that was pushed, sleeps according to `wait`, and appends what has finished to
    /// `done`. The only method that enters the kernel.
    ///
    /// It returns early when the [doorbell](Self::waker) is rung. A request that the kernel
    /// rejects is a completion like any other, and its neighbours are untouched. `EINTR` is
    /// retried here. `EAGAIN` and `EBUSY` on submission keep the request for the next `drive`; only
    /// when nothing is in the kernel, so that waiting cannot help, do they become its answer or, of a
    /// queue out of which no request can be taken back alone and which is refused for long, its end.
    ///
    /// # Errors
    /// The queue itself is broken. Every request it owned has been appended to `done` all the
    /// same, those that the kernel may still hold without their buffers, which are leaked. Later
    /// calls return the error again, and with it whatever was pushed meanwhile.
    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()>;

    /// A doorbell that makes the current or the next [`drive`](Self::drive) return.
    fn waker(&self) -> Waker;

    /// As [`drive`](Self::drive), but what has finished may stay here, to be taken by
    /// [`next_answer`](Self::next_answer) before it is driven again, and a wait for several may end
    /// with the first.
    ///
    /// An answer that is taken on its own is worked on while it is in the cache, and the next request
    /// finds its slot there. Provided: drives, and leaves nothing here.
    ///
    /// # Errors
    /// As [`drive`](Self::drive); then nothing is left here.
    fn drive_lazily(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.drive(wait, done)
    }

    /// The next of what [`drive_lazily`](Self::drive_lazily) has left here. Makes no system call.
    ///
    /// Requests may be pushed in between; they have no answer before the next drive. An event that was
    /// called [whole](Answered::Whole) and not taken comes back as [`Answered::Other`]: from the next call
    /// of this, or among what is `done` by whichever method is called before.
    fn next_answer(&mut self) -> Option<Answered<C>> {
        None
    }

    /// Takes the callback of the event that [`next_answer`](Self::next_answer) has just called whole, if it
    /// can be had apart. The event is to be taken next.
    ///
    /// An event that is taken where it is handed to its callback is copied once; to take the callback out
    /// of it there would copy it once more. Provided: none, so that the event brings its callback.
    ///
    /// # Panics
    /// As [`take_whole`](Self::take_whole).
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        let _ = ticket;
        None
    }

    /// Takes the event that [`next_answer`](Self::next_answer) has just called whole out of its slot.
    ///
    /// # Panics
    /// If there is no such event, or it has another ticket: the kernel may still write to that one's memory.
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        panic!("nothing is answered here, so no event with {ticket:?} either")
    }

    /// Shows each request that is in flight to `look`, with its ticket, in no particular order. A ticket
    /// that is shown again is that of the same request.
    ///
    /// For those who watch over what hangs. Provided: shows none.
    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        let _ = look;
    }

    /// Gives up on what is not answered: appends every request that it owns to `done`, each with an
    /// error of kind `BrokenPipe`, and those that the kernel may still hold without their buffers,
    /// which are leaked. Waits for nothing. Later calls of [`drive`](Self::drive) fail.
    ///
    /// For an end that cannot wait: a device that does not answer, or a thread on which the queue
    /// cannot be driven. Provided: gives nothing up, so that whoever asks goes on waiting.
    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        let _ = done;
    }
}

/// What has become of a request.
#[must_use = "dropping it loses events and their callbacks"]
#[derive(Debug)]
pub enum Answered<C: IOCallback> {
    /// The only event of a request all of whose bytes are moved: it is at its end, and still in its
    /// slot, out of which [`take_whole`](Backend::take_whole) copies it to where it is used.
    Whole(Ticket),
    /// Anything else, to be [settled](Completion::settle).
    Other(Completion<C>),
}
