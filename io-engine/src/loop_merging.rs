//! Merging inside the loop, over all senders, and in front of a [`Submitter`].

use std::collections::VecDeque;

use io_engine_core::{IOCallback, IOEvent, Request};
use io_engine_merge::{EventSender, MergeBuffer, MergeLimits, Refused};

use crate::channel::Submitter;
use crate::cycle::Joins;
use crate::event_queue::EventQueue;
use crate::settings::ContextBuilder;

/// Joins what one gathering brings, in the order in which it comes.
///
/// It never changes places of events and never waits, so a caller sees no difference.
struct LoopMerger<C: IOCallback> {
    run: MergeBuffer<C>,
}

impl<C: IOCallback> LoopMerger<C> {
    fn begin(&mut self, event: IOEvent<C>, requests: &mut VecDeque<Request<C>>) {
        if let Err(Refused { event, .. }) = self.run.offer(event) {
            // An empty buffer refuses only what never merges.
            requests.push_back(Request::from(event));
        }
    }
}

impl<C: IOCallback> Joins<C> for LoopMerger<C> {
    fn offer(&mut self, event: IOEvent<C>, requests: &mut VecDeque<Request<C>>) {
        if let Err(Refused { event, .. }) = self.run.offer(event) {
            self.release(requests);
            self.begin(event, requests);
        }
        if self.run.is_full() {
            self.release(requests);
        }
    }

    fn release(&mut self, requests: &mut VecDeque<Request<C>>) {
        requests.extend(self.run.flush().map(Request::from));
    }

    fn is_empty(&self) -> bool {
        self.run.is_empty()
    }
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    /// Joins contiguous events of one file and one direction into one vectored request, without a
    /// copy and without waiting: what is queued at the same moment, in the order in which it was
    /// sent. Off unless set.
    ///
    /// Each callback is called as it would be without: with its own bytes, its own end of file and
    /// its own error.
    ///
    /// ```
    /// use io_engine::IOContext;
    /// use io_engine::callback_worker::Inline;
    /// use io_engine::merge::MergeLimits;
    ///
    /// let (tx, rx) = io_engine::channel::<()>(64);
    /// let ctx = IOContext::builder().merge(MergeLimits::default()).build(rx, &Inline)?;
    /// # drop((tx, ctx));
    /// # Ok::<(), io_engine::StartError>(())
    /// ```
    pub fn merge(self, limits: impl Into<MergeLimits>) -> Self {
        self.joined_by(Box::new(LoopMerger {
            run: MergeBuffer::new(limits),
        }))
    }
}

/// Waits for room; in a callback of the same context it never does.
impl<C: IOCallback> EventSender<C> for Submitter<C> {
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        self.send(event).map_err(|refused| refused.into_inner())
    }
}
