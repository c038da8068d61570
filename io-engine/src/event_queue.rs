//! Where a context gets its events from.

use crossbeam_channel::Receiver;
use io_engine_core::{IOCallback, IOEvent};

use crate::channel::{SubmissionQueue, refuse_all};
use crate::forwarder::{Forwarder, close_plain_channel};

/// A queue that an [`IOContext`](crate::IOContext) serves: a [`SubmissionQueue`], or a plain
/// `crossbeam_channel::Receiver`, which costs a forwarding thread.
pub trait EventQueue<C: IOCallback>: sealed::Serves<C> {}

impl<C: IOCallback, Q: sealed::Serves<C>> EventQueue<C> for Q {}

pub(crate) mod sealed {
    use io_engine_core::IOCallback;

    use super::Source;

    /// The engine's side of an [`EventQueue`](super::EventQueue).
    #[allow(
        unnameable_types,
        reason = "sealed: users name the trait that rests on it"
    )]
    pub trait Serves<C: IOCallback> {
        /// What a context of this depth is fed from.
        #[allow(private_interfaces, reason = "sealed: only the engine opens sources")]
        fn open_source(self, depth: usize) -> Source<C>;

        /// Calls the callback of every event inside, because no context could start.
        fn refuse(self);
    }
}

/// The queue that the loop reads, and what feeds it.
pub(crate) struct Source<C: IOCallback> {
    pub(crate) queue: SubmissionQueue<C>,
    pub(crate) forwarder: Option<Forwarder<C>>,
}

impl<C: IOCallback> sealed::Serves<C> for SubmissionQueue<C> {
    #[allow(private_interfaces, reason = "sealed: only the engine opens sources")]
    fn open_source(self, _depth: usize) -> Source<C> {
        Source {
            queue: self,
            forwarder: None,
        }
    }

    fn refuse(self) {
        drop(self);
    }
}

impl<C: IOCallback> sealed::Serves<C> for Receiver<IOEvent<C>> {
    #[allow(private_interfaces, reason = "sealed: only the engine opens sources")]
    fn open_source(self, depth: usize) -> Source<C> {
        let (submitter, queue) = crate::channel(depth);
        Source {
            queue,
            forwarder: Some(Forwarder::new(self, submitter)),
        }
    }

    fn refuse(self) {
        refuse_all(close_plain_channel(self));
    }
}
