//! Events that travel as one vectored request.
#![allow(
    unsafe_code,
    reason = "iovecs hold addresses, which the compiler keeps on one thread"
)]

mod sharing_out;

use std::collections::TryReserveError;
use std::fmt;

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::event::IOEvent;
use crate::file::FileHandle;
use crate::invalid_request::{SEGMENTS_MAX, TRANSFER_BYTES_MAX};
use crate::run_pool::RunPool;
use crate::scratch::Scratch;

/// Two or more events of one file and one direction that travel as one request: its *run*.
///
/// Made by [`new`](Self::new), each event begins where the one before ends. Made by a
/// [`RunBuilder`](crate::RunBuilder), there may be holes between reads, and reads that lie within
/// another one and are no part of the request.
///
/// The bytes stay in the buffers of the events. Nothing is copied, but for reads that lie within
/// another one: they get their bytes from its buffer.
pub struct MergedEvents<C: IOCallback> {
    /// First those with a segment of their own, in file order, then those that share one.
    events: Vec<IOEvent<C>>,
    /// Of each that shares, the place in `events` of the one whose range holds its range.
    leaders: Vec<u32>,
    segments: Segments,
    /// How many segments the whole run has, holes included.
    segment_count: usize,
    /// The bytes from the start of the first event to the end of the last segment.
    span: u64,
    /// Where the bytes of holes go, if there are any.
    scratch: Option<Scratch>,
    /// Where the memory goes when the events are out.
    pool: Option<RunPool<C>>,
}

/// The iovecs that the kernel reads. On the heap, so they stay in place while their owner moves.
struct Segments(Vec<libc::iovec>);

// SAFETY: an iovec is an address and a length without an owner. It is written and read only by
// whoever has the `MergedEvents`, which owns the buffers behind the addresses, and a share of the
// scratch memory, to which nobody refers.
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
            Some(span) => Ok(Self {
                segments: Segments(Vec::with_capacity(events.len())),
                segment_count: events.len(),
                events,
                span,
                ..Self::empty()
            }),
            None => Err(NotContiguous(events)),
        }
    }

    /// The bytes from the start of the first event to the end of the last, holes included.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.span
    }

    /// How many events there are.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    /// The events: first those that the kernel is asked for, in file order, then those that lie within
    /// one of them.
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

    /// Lays out what is left after the first `skipped` bytes of the run. The addresses are those of
    /// the buffers and of the scratch memory, the array stays where it is until the next call.
    pub(crate) fn segments_after(&mut self, skipped: u64) -> &[libc::iovec] {
        let (start, own) = (self.events[0].offset(), self.own_count());
        let segments = &mut self.segments.0;
        segments.clear();
        let mut at = skipped;
        for event in &mut self.events[..own] {
            let begin = event.offset().abs_diff(start);
            let Some((address, len)) = event.kernel_region() else {
                continue;
            };
            if begin + len as u64 <= at {
                continue;
            }
            if at < begin {
                let scratch = self.scratch.as_ref();
                let scratch = scratch.expect("a hole was let in with memory for it");
                segments.push(segment(scratch.kernel_ptr(), begin - at));
                at = begin;
            }
            let skip = usize::try_from(at - begin).expect("below len, which is a usize");
            segments.push(segment(address.wrapping_add(skip), (len - skip) as u64));
            at = begin + len as u64;
        }
        segments
    }

    /// How many events have a segment of their own.
    fn own_count(&self) -> usize {
        self.events.len() - self.leaders.len()
    }
}

/// For how many entries the lists of a run have memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunRoom {
    events: usize,
    leaders: usize,
    segments: usize,
}

impl RunRoom {
    pub(crate) fn max_of_each(self, other: Self) -> Self {
        Self {
            events: self.events.max(other.events),
            leaders: self.leaders.max(other.leaders),
            segments: self.segments.max(other.segments),
        }
    }
}

/// Building a run event by event, in memory that has held another one.
impl<C: IOCallback> MergedEvents<C> {
    fn empty() -> Self {
        Self {
            events: Vec::new(),
            leaders: Vec::new(),
            segments: Segments(Vec::new()),
            segment_count: 0,
            span: 0,
            scratch: None,
            pool: None,
        }
    }

    /// An empty run on the heap, or `None` if there is no memory.
    pub(crate) fn try_boxed() -> Option<Box<Self>> {
        // A box that reports a lack of memory can only be made of a vector of one.
        let mut one = Vec::new();
        one.try_reserve_exact(1).ok()?;
        one.push(Self::empty());
        let only: Box<[Self; 1]> = one.into_boxed_slice().try_into().ok()?;
        let only = Box::into_raw(only).cast::<Self>();
        // SAFETY: an array of one has the layout of its element, and nobody else has the pointer,
        // which has just come out of a box.
        Some(unsafe { Box::from_raw(only) })
    }

    /// Empties it for the next run, all but its memory.
    pub(crate) fn reset(&mut self) {
        self.events.clear();
        self.leaders.clear();
        self.segments.0.clear();
        self.segment_count = 0;
        self.span = 0;
        self.scratch = None;
    }

    pub(crate) fn room(&self) -> RunRoom {
        RunRoom {
            events: self.events.capacity(),
            leaders: self.leaders.capacity(),
            segments: self.segments.0.capacity(),
        }
    }

    /// Makes room in an empty run.
    pub(crate) fn reserve(&mut self, room: RunRoom) -> Result<(), TryReserveError> {
        self.events.try_reserve_exact(room.events)?;
        self.leaders.try_reserve_exact(room.leaders)?;
        self.segments.0.try_reserve_exact(room.segments)
    }

    /// Lets go of an empty run: its memory goes back to where it is from.
    pub(crate) fn retire(mut self: Box<Self>) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(self);
        }
    }

    /// Where the bytes of the holes so far go.
    pub(crate) fn scratch(&self) -> Option<&Scratch> {
        self.scratch.as_ref()
    }

    pub(crate) fn returns_to(&mut self, pool: RunPool<C>) {
        self.pool = Some(pool);
    }

    /// How many bytes lie between the end of the run and `event`; `None` if it cannot follow.
    pub(crate) fn hole_before(&self, event: &IOEvent<C>) -> Option<u64> {
        let Some(first) = self.events.first() else {
            return event.is_fresh_transfer().then_some(0);
        };
        if !self.leaders.is_empty() || !is_alike(first, event) {
            return None;
        }
        let from_start = u64::try_from(event.offset().checked_sub(first.offset())?).ok()?;
        let hole = from_start.checked_sub(self.span)?;
        let span = from_start.checked_add(event.get_size())?;
        let segment_count = self.segment_count + 1 + usize::from(hole > 0);
        let fits = span <= TRANSFER_BYTES_MAX as u64 && segment_count <= SEGMENTS_MAX;
        fits.then_some(hole)
    }

    /// Appends `event`, which follows after `hole` bytes; they go to `scratch`.
    pub(crate) fn append(
        &mut self,
        event: IOEvent<C>,
        hole: u64,
        scratch: Option<&Scratch>,
    ) -> Result<(), IOEvent<C>> {
        let segment_count = self.segment_count + 1 + usize::from(hole > 0);
        let no_memory = self.events.try_reserve(1).is_err()
            || self.segments.0.try_reserve(segment_count).is_err();
        if no_memory {
            return Err(event);
        }
        if hole > 0 && self.scratch.is_none() {
            self.scratch = scratch.cloned();
        }
        self.segment_count = segment_count;
        self.span += hole + event.get_size();
        self.events.push(event);
        Ok(())
    }

    /// Appends `event`, which gets its bytes from that at `leader`.
    pub(crate) fn append_sharing(
        &mut self,
        event: IOEvent<C>,
        leader: usize,
    ) -> Result<(), IOEvent<C>> {
        let own = self.events.len() - self.leaders.len();
        let end = |event: &IOEvent<C>| event.offset().saturating_add_unsigned(event.get_size());
        let fits = self.events[..own].get(leader).is_some_and(|leader| {
            event.action() == IOAction::Read
                && is_alike(leader, &event)
                && (leader.offset()..=end(leader)).contains(&event.offset())
                && end(&event) <= end(leader)
        });
        let leader = u32::try_from(leader);
        let no_memory = self.events.try_reserve(1).is_err() || self.leaders.try_reserve(1).is_err();
        match leader {
            Ok(leader) if fits && !no_memory => {
                self.leaders.push(leader);
                self.events.push(event);
                Ok(())
            }
            Ok(_) | Err(_) => Err(event),
        }
    }

    pub(crate) fn pop_only(&mut self) -> Option<IOEvent<C>> {
        if self.events.len() > 1 {
            return None;
        }
        self.events.pop()
    }
}

fn segment(address: *mut u8, len: u64) -> libc::iovec {
    libc::iovec {
        iov_base: address.cast(),
        iov_len: usize::try_from(len).expect("at most TRANSFER_BYTES_MAX"),
    }
}

/// Whether `event` may join a run that begins with `first`.
fn is_alike<C: IOCallback>(first: &IOEvent<C>, event: &IOEvent<C>) -> bool {
    event.is_fresh_transfer() && event.fd() == first.fd() && event.action() == first.action()
}

/// The bytes of the run that `events` form, or `None` if they form none.
fn contiguous_bytes<C: IOCallback>(events: &[IOEvent<C>]) -> Option<u64> {
    if !(2..=SEGMENTS_MAX).contains(&events.len()) {
        return None;
    }
    let first = &events[0];
    let mut end = first.offset();
    for event in events {
        if !is_alike(first, event) || event.offset() != end {
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
            .field("total_bytes", &self.span)
            .finish_non_exhaustive()
    }
}

impl<C: IOCallback> fmt::Debug for NotContiguous<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotContiguous").field(&self.0).finish()
    }
}
