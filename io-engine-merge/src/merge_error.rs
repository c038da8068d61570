//! Why a submitter did not take or not send an event; the events come back.

use std::error::Error;
use std::fmt;

use io_engine_core::{IOCallback, IOEvent};

use crate::merge_buffer::Refused;

/// A [`MergeSubmitter`](crate::MergeSubmitter) could not do its work. It holds every event
/// concerned, and the submitter none of them.
#[must_use = "it holds the events"]
pub enum MergeError<C: IOCallback> {
    /// The event is for another file or another action than the submitter. Nothing was sent, and
    /// what was collected before is still collected.
    Misdirected(Refused<C>),
    /// The sender gave back what it was to send. These are all events that were collected and not
    /// sent, in the order in which they were handed over, each as it was: hand them over again, in
    /// this order, or do without. The submitter is empty and can be used again.
    SendFailed(Vec<IOEvent<C>>),
}

impl<C: IOCallback> MergeError<C> {
    /// The events, in the order in which they were handed over.
    #[must_use]
    pub fn into_events(self) -> Vec<IOEvent<C>> {
        match self {
            Self::Misdirected(refused) => vec![refused.event],
            Self::SendFailed(events) => events,
        }
    }
}

impl<C: IOCallback> fmt::Debug for MergeError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misdirected(refused) => f.debug_tuple("Misdirected").field(refused).finish(),
            Self::SendFailed(events) => f.debug_tuple("SendFailed").field(events).finish(),
        }
    }
}

impl<C: IOCallback> fmt::Display for MergeError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misdirected(refused) => write!(
                f,
                "not taken: {}; a submitter is for one file and one action",
                refused.refusal
            ),
            Self::SendFailed(events) => write!(
                f,
                "the sender refused: its queue is closed or full; {} events come back",
                events.len()
            ),
        }
    }
}

impl<C: IOCallback> Error for MergeError<C> {}
