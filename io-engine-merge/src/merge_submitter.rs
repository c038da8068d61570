//! Merging in front of a sender.

use std::fmt;
use std::os::fd::AsRawFd;

use io_engine_core::{FileHandle, IOAction, IOCallback, IOEvent};

use crate::contiguity::Refusal;
use crate::limits::MergeLimits;
use crate::merge_buffer::{MergeBuffer, Refused};
use crate::merge_error::MergeError;
use crate::sender::EventSender;
use crate::unsent::end_unsent;

/// Merges the events of one file and one action on their way to a sender.
///
/// Contiguous events are collected. The run is sent as one request when the next event does not
/// continue it, when it reaches a limit, on [`flush`](Self::flush) and on drop. An event that can
/// not be merged at all, such as one longer than the limit, is sent alone, after those before it;
/// so is every event of an action that moves no bytes.
///
/// It owns the events that are collected, and it keeps its file open if it was made of an `Arc`.
/// Events that you send past it, such as a sync, overtake those that it still holds: flush before.
///
/// # Dropping
/// What is still collected is sent, waiting for room if the sender does. If that fails, each event
/// ends with an error of kind `BrokenPipe`, and its callback is called on the dropping thread.
/// [`flush`](Self::flush) before gives the events back instead.
///
/// ```
/// use std::sync::mpsc::sync_channel;
///
/// use io_engine_core::{IOAction, IOEvent};
/// use io_engine_merge::MergeSubmitter;
///
/// let write = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Write, offset);
/// let (tx, rx) = sync_channel(128);
/// let mut submitter = MergeSubmitter::new(3, tx, 64 * 1024, IOAction::Write);
/// submitter.add_event(write(0)).unwrap();
/// submitter.add_event(write(4096)).unwrap();
/// submitter.flush().unwrap();
/// assert_eq!(rx.try_recv().unwrap().get_size(), 8192);
///
/// // Nobody receives any more: all that was collected comes back.
/// drop(rx);
/// submitter.add_event(write(8192)).unwrap();
/// submitter.add_event(write(12288)).unwrap();
/// let events = submitter.flush().unwrap_err().into_events();
/// assert_eq!(events.len(), 2);
/// ```
pub struct MergeSubmitter<C: IOCallback, S: EventSender<C>> {
    file: FileHandle,
    action: IOAction,
    sender: S,
    buffer: MergeBuffer<C>,
}

impl<C: IOCallback, S: EventSender<C>> MergeSubmitter<C, S> {
    /// A submitter for the events of `file` with `action`. A number as `limits` is the most bytes
    /// of one request.
    pub fn new(
        file: impl Into<FileHandle>,
        sender: S,
        limits: impl Into<MergeLimits>,
        action: IOAction,
    ) -> Self {
        Self {
            file: file.into(),
            action,
            sender,
            buffer: MergeBuffer::new(limits),
        }
    }

    /// Takes `event`: it is collected, or sent, in the order of the calls.
    ///
    /// # Errors
    /// [`MergeError::Misdirected`] with the event if it is for another file or action.
    /// [`MergeError::SendFailed`] with everything that was taken and not sent, `event` last.
    pub fn add_event(&mut self, event: IOEvent<C>) -> Result<(), MergeError<C>> {
        if let Some(refusal) = self.misdirected(&event) {
            return Err(MergeError::Misdirected(Refused { refusal, event }));
        }
        let Err(Refused { event, .. }) = self.buffer.offer(event) else {
            return self.flush_if_full();
        };
        if let Err(mut unsent) = self.send_collected() {
            unsent.push(event);
            return Err(MergeError::SendFailed(unsent));
        }
        match self.buffer.offer(event) {
            Ok(()) => self.flush_if_full(),
            // An empty buffer refuses only what never merges.
            Err(Refused { event, .. }) => self
                .sender
                .send_event(event)
                .map_err(|event| MergeError::SendFailed(vec![event])),
        }
    }

    /// Sends what is collected.
    ///
    /// # Errors
    /// [`MergeError::SendFailed`] with all of it.
    pub fn flush(&mut self) -> Result<(), MergeError<C>> {
        self.send_collected().map_err(MergeError::SendFailed)
    }

    /// How many events are collected and not yet sent.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// The sender, for events that are not to be merged. [Flush](Self::flush) before, if they must
    /// not overtake.
    #[must_use]
    pub fn sender(&self) -> &S {
        &self.sender
    }

    fn misdirected(&self, event: &IOEvent<C>) -> Option<Refusal> {
        if event.fd() != self.file.as_raw_fd() {
            return Some(Refusal::OtherFile);
        }
        (event.action() != self.action).then_some(Refusal::OtherAction)
    }

    /// A full run gains nothing by waiting for the next event.
    fn flush_if_full(&mut self) -> Result<(), MergeError<C>> {
        if self.buffer.is_full() {
            return self.flush();
        }
        Ok(())
    }

    fn send_collected(&mut self) -> Result<(), Vec<IOEvent<C>>> {
        match self.buffer.flush() {
            Some(event) => self
                .sender
                .send_event(event)
                .map_err(|carrier| carrier.into_events().collect()),
            None => Ok(()),
        }
    }
}

impl<C: IOCallback, S: EventSender<C>> Drop for MergeSubmitter<C, S> {
    fn drop(&mut self) {
        if let Err(unsent) = self.send_collected() {
            end_unsent(unsent);
        }
    }
}

impl<C: IOCallback, S: EventSender<C>> fmt::Debug for MergeSubmitter<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeSubmitter")
            .field("file", &self.file)
            .field("action", &self.action)
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
