//! Collects contiguous events of one file and one direction.

use std::fmt;

use io_engine_core::{IOCallback, IOEvent, MergedEvents};

use crate::contiguity::{Refusal, Run};
use crate::limits::MergeLimits;
use crate::unsent::end_unsent;

/// A run that is being collected: contiguous events of one file and one direction.
///
/// It owns what [`offer`](Self::offer) accepts until [`flush`](Self::flush) gives it out. The first
/// event decides the file and the direction. Dropped with events inside, it ends each of them with
/// an error of kind `BrokenPipe` and calls its callback.
///
/// In a loop of your own: offer; when refused, flush and send what comes out, then offer again;
/// when refused by the empty buffer, send the event alone. That keeps the order.
///
/// ```
/// use io_engine_core::{IOAction, IOEvent};
/// use io_engine_merge::{MergeBuffer, Refusal};
///
/// let write = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Write, offset);
/// let mut buffer = MergeBuffer::new(64 * 1024);
/// buffer.offer(write(0)).unwrap();
/// buffer.offer(write(4096)).unwrap();
///
/// let refused = buffer.offer(write(1 << 20)).unwrap_err();
/// assert_eq!(refused.refusal, Refusal::Gap);
///
/// let carrier = buffer.flush().unwrap();
/// assert_eq!((carrier.offset(), carrier.get_size()), (0, 8192));
/// assert!(buffer.offer(refused.event).is_ok());
/// # buffer.flush();
/// ```
pub struct MergeBuffer<C: IOCallback> {
    events: Vec<IOEvent<C>>,
    /// What `events` form; `None` if there are none.
    run: Option<Run>,
    limits: MergeLimits,
}

/// An event that was not accepted, and why.
#[must_use = "it holds the event"]
pub struct Refused<C: IOCallback> {
    /// Why.
    pub refusal: Refusal,
    /// The event, as it was.
    pub event: IOEvent<C>,
}

impl<C: IOCallback> MergeBuffer<C> {
    /// An empty buffer. A number as `limits` is the most bytes of a run.
    #[must_use]
    pub fn new(limits: impl Into<MergeLimits>) -> Self {
        Self {
            events: Vec::new(),
            run: None,
            limits: limits.into(),
        }
    }

    /// Takes `event` if it continues the run, or begins one in an empty buffer.
    ///
    /// # Errors
    /// [`Refused`] with the event; what was collected stays as it is. An empty buffer refuses only
    /// what [never merges](Refusal::never_merges).
    pub fn offer(&mut self, event: IOEvent<C>) -> Result<(), Refused<C>> {
        let joined = match self.run {
            Some(run) => run.extended(&event, self.limits),
            None => Run::begin(&event, self.limits),
        };
        match joined {
            Ok(run) => {
                self.run = Some(run);
                self.events.push(event);
                Ok(())
            }
            Err(refusal) => Err(Refused { refusal, event }),
        }
    }

    /// Gives out what was collected and leaves the buffer empty: a lone event as it is, two or
    /// more as one carrier, whose [`into_events`](IOEvent::into_events) leads back to them.
    pub fn flush(&mut self) -> Option<IOEvent<C>> {
        self.run = None;
        if self.events.len() < 2 {
            return self.events.pop();
        }
        // A list of its own size for the carrier; this one stays, for the runs to come.
        Some(into_carrier(self.events.drain(..).collect()))
    }

    /// How many events are collected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing is collected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The bytes of all events collected.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.run.map_or(0, |run| run.total_bytes())
    }

    /// Whether a limit is reached, so that nothing can join any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.run.is_some_and(|run| run.is_full(self.limits))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> MergeLimits {
        self.limits
    }
}

fn into_carrier<C: IOCallback>(events: Vec<IOEvent<C>>) -> IOEvent<C> {
    let merged = MergedEvents::new(events).expect("each event was found to follow the one before");
    IOEvent::from_merged(merged)
}

impl<C: IOCallback> Drop for MergeBuffer<C> {
    fn drop(&mut self) {
        end_unsent(std::mem::take(&mut self.events));
    }
}

impl<C: IOCallback> fmt::Debug for MergeBuffer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeBuffer")
            .field("run", &self.run)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<C: IOCallback> fmt::Debug for Refused<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("refusal", &self.refusal)
            .field("event", &self.event)
            .finish()
    }
}
