//! The channel that comes with the engine: a bounded queue with the loop's doorbell.

use std::fmt;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};
use io_engine_core::{Completion, IOCallback, IOEvent, Request};

use crate::callback_scope;
use crate::doorbell::Doorbell;
use crate::submit_error::SubmitError;

/// A queue of at most `capacity` events towards an [`IOContext`](crate::IOContext).
///
/// The faster way than a plain `crossbeam_channel`, which needs a forwarding thread: here a sender
/// wakes the loop itself, with one system call if the loop sleeps and none if it does not. Its memory
/// is allocated here, about 120 bytes an event; a `capacity` of 0 counts as 1, and one above
/// [`CHANNEL_CAPACITY_MAX`] as that.
///
/// ```
/// use io_engine::callback_worker::Inline;
/// use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
/// use io_engine::{Buffer, Driver, IOContext};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (tx, rx) = io_engine::channel::<ClosureCb>(128);
/// let ctx = IOContext::<ClosureCb, _>::new(128, rx, &Inline, Driver::Auto)?;
///
/// let file = std::sync::Arc::new(tempfile::tempfile()?);
/// let mut event = IOEvent::new(file, Buffer::aligned(4096)?, IOAction::Write, 0);
/// event.set_callback(ClosureCb(Box::new(|event| event.get_write_result().unwrap())));
/// tx.send(event)?;
/// ctx.shutdown()?; // the callback has been called
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn channel<C: IOCallback>(capacity: usize) -> (Submitter<C>, SubmissionQueue<C>) {
    let (sender, receiver) = bounded(capacity.clamp(1, CHANNEL_CAPACITY_MAX));
    let doorbell = Doorbell::new();
    let stragglers = receiver.clone();
    let submitter = Submitter {
        sender: Some(sender),
        stragglers,
        doorbell: doorbell.clone(),
    };
    (submitter, SubmissionQueue { receiver, doorbell })
}

/// The most events that a [`channel`] holds: far more than any disk has in flight.
pub const CHANNEL_CAPACITY_MAX: usize = 1 << 20;

/// Hands events to the context at the other end. Clone it for as many threads as you like.
pub struct Submitter<C: IOCallback> {
    /// `None` only at the end of its drop.
    sender: Option<Sender<IOEvent<C>>>,
    /// What is enqueued in the very instant in which the loop closes: a sender that finds the
    /// channel sealed takes it out again. Dropping the loop's receiver could not tell it.
    stragglers: Receiver<IOEvent<C>>,
    doorbell: Doorbell,
}

impl<C: IOCallback> Submitter<C> {
    /// Hands `event` over, waiting for room.
    ///
    /// In a callback of the same context it never waits: the event goes to the context directly,
    /// as with [`resubmit`](crate::resubmit). In a callback of another context it may wait, and two
    /// contexts whose callbacks wait for each other's channels, or for the workers that they share, wait
    /// for ever: use [`try_send`](Self::try_send) there.
    ///
    /// # Errors
    /// [`SubmitError::Closed`] with the event if the context is gone or shutting down; in a
    /// callback [`SubmitError::Full`] where it would have to wait.
    pub fn send(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        let event = match callback_scope::resubmit_to(&self.doorbell, event) {
            Ok(result) => return result,
            Err(event) => event,
        };
        if self.doorbell.is_closing() {
            return Err(SubmitError::Closed(event));
        }
        self.sender()
            .send(event)
            .map_err(|refused| SubmitError::Closed(refused.0))?;
        self.announce();
        Ok(())
    }

    /// Hands `event` over if there is room now.
    ///
    /// # Errors
    /// [`SubmitError::Full`] or [`SubmitError::Closed`] with the event.
    pub fn try_send(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        let event = match callback_scope::resubmit_to(&self.doorbell, event) {
            Ok(result) => return result,
            Err(event) => event,
        };
        self.enqueue(event)?;
        self.announce();
        Ok(())
    }

    /// Hands all `events` over in order, waiting for room. A sleeping loop is woken by the first of
    /// them, so many cost one system call.
    ///
    /// # Errors
    /// As [`send`](Self::send), with the events that were not handed over, in order.
    pub fn send_batch(
        &self,
        events: impl IntoIterator<Item = IOEvent<C>>,
    ) -> Result<(), SubmitError<Vec<IOEvent<C>>>> {
        let mut events = events.into_iter();
        while let Some(event) = events.next() {
            self.send(event).map_err(|refused| {
                refused.map(|event| std::iter::once(event).chain(events.by_ref()).collect())
            })?;
        }
        Ok(())
    }

    /// How many events wait in the channel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sender().len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sender().is_empty()
    }

    /// How many events the channel holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sender().capacity().unwrap_or(usize::MAX)
    }

    fn sender(&self) -> &Sender<IOEvent<C>> {
        self.sender.as_ref().expect("only drop takes it")
    }

    fn enqueue(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        if self.doorbell.is_closing() {
            return Err(SubmitError::Closed(event));
        }
        self.sender()
            .try_send(event)
            .map_err(|refused| match refused {
                TrySendError::Full(event) => SubmitError::Full(event),
                TrySendError::Disconnected(event) => SubmitError::Closed(event),
            })
    }

    /// After enqueuing: wakes a sleeping loop; of a loop that is gone, takes the event back.
    fn announce(&self) {
        self.doorbell.announce();
        if self.doorbell.seal().is_sealed() {
            refuse_all(self.stragglers.try_iter());
        }
    }
}

/// For the engine's own forwarder, which waits in its own way.
impl<C: IOCallback> Submitter<C> {
    /// Hands `event` over if there is room within `time`, closing or not; gives it back otherwise.
    pub(crate) fn forward_within(
        &self,
        event: IOEvent<C>,
        time: Duration,
    ) -> Result<(), IOEvent<C>> {
        self.sender()
            .send_timeout(event, time)
            .map_err(SendTimeoutError::into_inner)?;
        self.announce();
        Ok(())
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }
}

impl<C: IOCallback> Clone for Submitter<C> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            stragglers: self.stragglers.clone(),
            doorbell: self.doorbell.clone(),
        }
    }
}

impl<C: IOCallback> Drop for Submitter<C> {
    fn drop(&mut self) {
        // The loop may sleep, waiting for senders that are no more: it has to look. A clone that
        // is dropped early costs a ring at most.
        drop(self.sender.take());
        self.doorbell.announce();
    }
}

/// The receiving end, for [`IOContext::new`](crate::IOContext::new).
///
/// Dropped without a context, it gives every event inside its callback, with an error of kind
/// `BrokenPipe`.
pub struct SubmissionQueue<C: IOCallback> {
    receiver: Receiver<IOEvent<C>>,
    doorbell: Doorbell,
}

/// What there was in the queue.
pub(crate) enum Received<C: IOCallback> {
    Event(IOEvent<C>),
    Nothing,
    /// Nothing, and nothing will come: all senders are gone.
    Ended,
}

impl<C: IOCallback> SubmissionQueue<C> {
    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    pub(crate) fn receive(&self) -> Received<C> {
        use crossbeam_channel::TryRecvError;
        match self.receiver.try_recv() {
            Ok(event) => Received::Event(event),
            Err(TryRecvError::Empty) => Received::Nothing,
            Err(TryRecvError::Disconnected) => Received::Ended,
        }
    }

    /// The next event, if one comes in time.
    pub(crate) fn receive_within(&self, time: Duration) -> Option<IOEvent<C>> {
        self.receiver.recv_timeout(time).ok()
    }

    /// Closes the queue: senders are refused from now on. Returns what had been accepted. A sender
    /// that is on its way in at this instant has its event in here, or takes it out itself.
    pub(crate) fn close(&self) -> Vec<IOEvent<C>> {
        self.doorbell.close();
        let mut accepted = Vec::new();
        self.doorbell
            .seal()
            .close(|| accepted.extend(self.receiver.try_iter()));
        accepted
    }
}

impl<C: IOCallback> Drop for SubmissionQueue<C> {
    fn drop(&mut self) {
        refuse_all(self.close());
    }
}

/// Calls the callbacks of events that no engine will carry out.
pub(crate) fn refuse_all<C: IOCallback>(events: impl IntoIterator<Item = IOEvent<C>>) {
    for event in events {
        Completion::queue_closed(Request::from(event)).finish();
    }
}

impl<C: IOCallback> fmt::Debug for Submitter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<C: IOCallback> fmt::Debug for SubmissionQueue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmissionQueue").finish_non_exhaustive()
    }
}
