//! Contiguous events that travel as one vectored request.
#![allow(
    unsafe_code,
    reason = "iovecs hold addresses, which the compiler keeps on one thread"
)]

use std::fmt;

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::event::IOEvent;
use crate::file::FileHandle;
use crate::invalid_request::{SEGMENTS_MAX, TRANSFER_BYTES_MAX};

/// Two or more events of one file and one direction, each beginning where the one before ends.
///
/// The bytes stay in the buffers of the events: nothing is copied on the way down or back.
pub struct MergedEvents<C: IOCallback> {
    events: Vec<IOEvent<C>>,
    segments: Segments,
    total_bytes: u64,
}

/// The iovecs that the kernel reads. On the heap, so they stay in place while their owner moves.
struct Segments(Vec<libc::iovec>);

// SAFETY: an iovec is an address and a length without an owner. It is written and read only by
// whoever has the `MergedEvents`, which owns the buffers behind the addresses.
unsafe impl Send for Segments {}

/// Events that do not form a run; all of them come back.
#[must_use = "it holds the events"]
pub struct NotContiguous<C: IOCallback>(pub Vec<IOEvent<C>>);

impl<C: IOCallback> MergedEvents<C> {
    /// Joins `events`, in file order.
    ///
    /// # Errors
    /// [`NotContiguous`] with all events, unless there are at least two and at most
    /// [`SEGMENTS_MAX`], all fresh reads or all fresh writes with a buffer of at least one byte, of
    /// one file, each beginning where the one before ends, [`TRANSFER_BYTES_MAX`] bytes in all.
    pub fn new(events: Vec<IOEvent<C>>) -> Result<Self, NotContiguous<C>> {
        match contiguous_bytes(&events) {
            Some(total_bytes) => {
                let segments = Segments(Vec::with_capacity(events.len()));
                Ok(Self {
                    events,
                    segments,
                    total_bytes,
                })
            }
            None => Err(NotContiguous(events)),
        }
    }

    /// The bytes of all events.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// How many events there are.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// The events in file order.
    #[must_use]
    pub fn into_events(self) -> Vec<IOEvent<C>> {
        self.events
    }

    pub(crate) fn target(&self) -> (FileHandle, IOAction, i64) {
        let first = &self.events[0];
        (first.file().clone(), first.action(), first.offset())
    }

    pub(crate) fn events_mut(&mut self) -> impl Iterator<Item = &mut IOEvent<C>> {
        self.events.iter_mut()
    }

    pub(crate) fn events(&self) -> &[IOEvent<C>] {
        &self.events
    }

    /// Lays out what is left after the first `skipped` bytes. The addresses are those of the
    /// buffers, the array stays where it is until the next call.
    pub(crate) fn segments_after(&mut self, mut skipped: u64) -> &[libc::iovec] {
        self.segments.0.clear();
        for event in &mut self.events {
            let Some((start, len)) = event.kernel_region() else {
                continue;
            };
            if skipped >= len as u64 {
                skipped -= len as u64;
                continue;
            }
            let skip = usize::try_from(skipped).expect("below len, which is a usize");
            skipped = 0;
            self.segments.0.push(libc::iovec {
                iov_base: start.wrapping_add(skip).cast(),
                iov_len: len - skip,
            });
        }
        &self.segments.0
    }
}

/// The bytes of the run that `events` form, or `None` if they form none.
fn contiguous_bytes<C: IOCallback>(events: &[IOEvent<C>]) -> Option<u64> {
    if !(2..=SEGMENTS_MAX).contains(&events.len()) {
        return None;
    }
    let first = &events[0];
    if !first.action().moves_bytes() || first.offset() < 0 {
        return None;
    }
    let mut end = first.offset();
    for event in events {
        let fresh = event.buffer().is_some() && !event.is_done() && event.get_size() > 0;
        let same_target = event.fd() == first.fd() && event.action() == first.action();
        let readable = event.action() == IOAction::Write || event.is_writable();
        if !fresh || !same_target || !readable || event.offset() != end {
            return None;
        }
        end = end.checked_add_unsigned(event.get_size())?;
    }
    let total = u64::try_from(end - first.offset()).ok()?;
    (total <= TRANSFER_BYTES_MAX as u64).then_some(total)
}

impl<C: IOCallback> fmt::Debug for MergedEvents<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergedEvents")
            .field("events", &self.events)
            .field("total_bytes", &self.total_bytes)
            .finish_non_exhaustive()
    }
}

impl<C: IOCallback> fmt::Debug for NotContiguous<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotContiguous").field(&self.0).finish()
    }
}
