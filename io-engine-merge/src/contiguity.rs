//! Whether an event may join a run: a ladder with one named refusal per step.

use std::fmt;
use std::os::fd::RawFd;

use io_engine_core::{IOAction, IOCallback, IOEvent};

use crate::limits::MergeLimits;

/// Why an event does not join a run.
///
/// There are two kinds, told apart by [`never_merges`](Self::never_merges): the event itself fits
/// into no run, or it does not fit into this one and may begin the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It moves no bytes: a sync or an allocation.
    NoTransfer,
    /// It has no buffer of its own, or is already a merged one.
    NoBuffer,
    /// It has a result: a transfer that is to be continued, or one that failed.
    NotFresh,
    /// It is a read into memory that others share, which cannot work.
    ReadOnlyBuffer,
    /// It covers no bytes, which cannot work.
    Empty,
    /// Its offset is below 0, which cannot work.
    NegativeOffset,
    /// Its end is above the largest file offset, which cannot work.
    OffsetOverflow,
    /// It is longer than [`MergeLimits::bytes_max`] on its own.
    TooLong,
    /// It is for another file.
    OtherFile,
    /// It goes in the other direction.
    OtherAction,
    /// It begins beyond the end of the run.
    Gap,
    /// It shares bytes of the file with the run.
    Overlap,
    /// It ends before the run begins, or right there: a run grows forwards only.
    Behind,
    /// The run has [`MergeLimits::events_max`] events.
    EventsLimit,
    /// With it the run would be longer than [`MergeLimits::bytes_max`].
    BytesLimit,
}

impl Refusal {
    /// Whether the event fits into no run at all, under these limits, so that it has to go alone.
    #[must_use]
    pub const fn never_merges(self) -> bool {
        match self {
            Self::NoTransfer
            | Self::NoBuffer
            | Self::NotFresh
            | Self::ReadOnlyBuffer
            | Self::Empty
            | Self::NegativeOffset
            | Self::OffsetOverflow
            | Self::TooLong => true,
            Self::OtherFile
            | Self::OtherAction
            | Self::Gap
            | Self::Overlap
            | Self::Behind
            | Self::EventsLimit
            | Self::BytesLimit => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTransfer => "a sync or an allocation moves no bytes",
            Self::NoBuffer => "the event has no buffer of its own",
            Self::NotFresh => "the event has a result already",
            Self::ReadOnlyBuffer => "a read into shared memory cannot work",
            Self::Empty => "the event covers no bytes",
            Self::NegativeOffset => "the offset is below 0",
            Self::OffsetOverflow => "the end is above the largest file offset",
            Self::TooLong => "the event alone is above the byte limit",
            Self::OtherFile => "the event is for another file",
            Self::OtherAction => "the event is for another action",
            Self::Gap => "the event begins beyond the end of the run",
            Self::Overlap => "the event overlaps the run",
            Self::Behind => "the event lies before the run",
            Self::EventsLimit => "the run has as many events as the limit allows",
            Self::BytesLimit => "the run would be above the byte limit",
        })
    }
}

/// What is known of a run of contiguous events: all that [`can_follow`] needs, and no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    fd: RawFd,
    action: IOAction,
    start: i64,
    end: i64,
    event_count: usize,
}

impl Run {
    /// The run that consists of `event`.
    ///
    /// # Errors
    /// A [`Refusal`] that [never merges](Refusal::never_merges).
    pub fn begin<C: IOCallback>(event: &IOEvent<C>, limits: MergeLimits) -> Result<Self, Refusal> {
        let run = Self::of_any_length(event)?;
        if run.total_bytes() > limits.bytes_max() as u64 {
            return Err(Refusal::TooLong);
        }
        Ok(run)
    }

    /// As [`begin`](Self::begin), whatever the byte limit is.
    #[inline]
    pub(crate) fn of_any_length<C: IOCallback>(event: &IOEvent<C>) -> Result<Self, Refusal> {
        let (action, start) = (event.action(), event.offset());
        if !action.moves_bytes() {
            return Err(Refusal::NoTransfer);
        }
        let buffer = event.buffer().ok_or(Refusal::NoBuffer)?;
        if event.is_done() {
            return Err(Refusal::NotFresh);
        }
        if action == IOAction::Read && !buffer.is_writable() {
            return Err(Refusal::ReadOnlyBuffer);
        }
        if event.get_size() == 0 {
            return Err(Refusal::Empty);
        }
        if start < 0 {
            return Err(Refusal::NegativeOffset);
        }
        let end = start
            .checked_add_unsigned(event.get_size())
            .ok_or(Refusal::OffsetOverflow)?;
        Ok(Self {
            fd: event.fd(),
            action,
            start,
            end,
            event_count: 1,
        })
    }

    /// The run with `event` at its end.
    ///
    /// # Errors
    /// As [`can_follow`].
    pub fn extended<C: IOCallback>(
        self,
        event: &IOEvent<C>,
        limits: MergeLimits,
    ) -> Result<Self, Refusal> {
        let next = Self::begin(event, limits)?;
        if next.fd != self.fd {
            return Err(Refusal::OtherFile);
        }
        if next.action != self.action {
            return Err(Refusal::OtherAction);
        }
        if next.start > self.end {
            return Err(Refusal::Gap);
        }
        if next.end <= self.start {
            return Err(Refusal::Behind);
        }
        if next.start < self.end {
            return Err(Refusal::Overlap);
        }
        if self.event_count >= limits.events_max() {
            return Err(Refusal::EventsLimit);
        }
        let joined = Self {
            end: next.end,
            event_count: self.event_count + 1,
            ..self
        };
        if joined.total_bytes() > limits.bytes_max() as u64 {
            return Err(Refusal::BytesLimit);
        }
        Ok(joined)
    }

    /// The bytes of the run.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.start.abs_diff(self.end)
    }

    /// How many events are in it.
    #[must_use]
    pub const fn event_count(&self) -> usize {
        self.event_count
    }

    /// The offset in the file at which the next event has to begin.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// Whether no event at all can follow.
    #[must_use]
    pub const fn is_full(&self, limits: MergeLimits) -> bool {
        self.event_count >= limits.events_max()
            || self.total_bytes() >= limits.bytes_max() as u64
            || self.end == i64::MAX
    }
}

/// Whether `event` may join `run` at its end.
///
/// A pure function of what it is given. What it accepts,
/// [`MergedEvents::new`](io_engine_core::MergedEvents::new) accepts.
///
/// # Errors
/// The [`Refusal`]. One that [never merges](Refusal::never_merges) is found before any other.
///
/// ```
/// use io_engine_core::{IOAction, IOEvent};
/// use io_engine_merge::{MergeLimits, Refusal, Run, can_follow};
///
/// let write = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Write, offset);
/// let limits = MergeLimits::from(8192);
/// let run = Run::begin(&write(0), limits).unwrap();
/// assert_eq!(can_follow(&run, &write(4096), limits), Ok(()));
/// assert_eq!(can_follow(&run, &write(4097), limits), Err(Refusal::Gap));
/// assert_eq!(can_follow(&run, &write(4095), limits), Err(Refusal::Overlap));
/// ```
pub fn can_follow<C: IOCallback>(
    run: &Run,
    event: &IOEvent<C>,
    limits: MergeLimits,
) -> Result<(), Refusal> {
    run.extended(event, limits).map(|_| ())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use io_engine_core::{Buffer, Completion, Request};

    use super::*;

    const FD: RawFd = 1_000_000;

    fn event(buffer: impl Into<Buffer>, action: IOAction, offset: i64) -> IOEvent<()> {
        IOEvent::new(FD, buffer.into(), action, offset)
    }

    fn write(offset: i64, len: usize) -> IOEvent<()> {
        event(vec![0; len], IOAction::Write, offset)
    }

    fn with_result(event: IOEvent<()>, result: i64) -> IOEvent<()> {
        let mut reported = Vec::new();
        Completion::from_kernel(Request::from(event), result).report(&mut reported);
        reported.remove(0)
    }

    fn limits() -> MergeLimits {
        MergeLimits::from(100).with_events_max(3)
    }

    fn refusal_of(run: &[IOEvent<()>], event: &IOEvent<()>) -> Option<Refusal> {
        let mut known = Run::begin(&run[0], limits()).unwrap();
        for next in &run[1..] {
            known = known.extended(next, limits()).unwrap();
        }
        can_follow(&known, event, limits()).err()
    }

    #[test]
    fn what_fits_into_no_run_is_refused_by_name_whether_or_not_a_run_has_begun() {
        let shared = || Bytes::from_static(b"shared");
        let never: [(IOEvent<()>, Refusal); 15] = [
            (IOEvent::sync(FD), Refusal::NoTransfer),
            (IOEvent::data_sync(FD), Refusal::NoTransfer),
            (
                event(vec![0; 8], IOAction::Allocate, 10),
                Refusal::NoTransfer,
            ),
            (
                IOEvent::new_no_buf(FD, IOAction::PunchHole, 10, 8),
                Refusal::NoTransfer,
            ),
            (
                IOEvent::new_no_buf(FD, IOAction::Write, 10, 8),
                Refusal::NoBuffer,
            ),
            (with_result(write(10, 8), 4), Refusal::NotFresh),
            (with_result(write(10, 8), 0), Refusal::NotFresh),
            (with_result(write(10, 8), -5), Refusal::NotFresh),
            (event(shared(), IOAction::Read, 10), Refusal::ReadOnlyBuffer),
            (write(10, 0), Refusal::Empty),
            (write(-1, 8), Refusal::NegativeOffset),
            (write(i64::MIN, 8), Refusal::NegativeOffset),
            (write(i64::MAX - 7, 8), Refusal::OffsetOverflow),
            (write(i64::MAX, 1), Refusal::OffsetOverflow),
            (write(10, 101), Refusal::TooLong),
        ];
        for (event, refusal) in never {
            assert_eq!(Run::begin(&event, limits()).unwrap_err(), refusal);
            assert_eq!(refusal_of(&[write(0, 10)], &event), Some(refusal));
            assert!(refusal.never_merges(), "{refusal}");
        }
    }

    #[test]
    fn what_does_not_fit_into_this_run_is_refused_by_name_and_may_begin_the_next() {
        let run = || [write(100, 10), write(110, 10)];
        let other_file = IOEvent::new(FD + 1, vec![0; 8].into(), IOAction::Write, 120);
        let not_here: [(IOEvent<()>, Refusal); 8] = [
            (other_file, Refusal::OtherFile),
            (event(vec![0; 8], IOAction::Read, 120), Refusal::OtherAction),
            (write(121, 8), Refusal::Gap),
            (write(119, 8), Refusal::Overlap),
            (write(100, 10), Refusal::Overlap),
            (write(99, 2), Refusal::Overlap),
            (write(90, 10), Refusal::Behind),
            (write(120, 81), Refusal::BytesLimit),
        ];
        for (event, refusal) in not_here {
            assert_eq!(refusal_of(&run(), &event), Some(refusal));
            assert!(!refusal.never_merges(), "{refusal}");
            assert!(Run::begin(&event, limits()).is_ok(), "{refusal}");
        }
        let [first, second] = run();
        let full = [first, second, write(120, 1)];
        assert_eq!(
            refusal_of(&full, &write(121, 1)),
            Some(Refusal::EventsLimit)
        );
        assert!(!Refusal::EventsLimit.never_merges());
    }

    #[test]
    fn what_begins_exactly_at_the_end_follows_up_to_the_very_limit() {
        assert_eq!(refusal_of(&[write(100, 20)], &write(120, 80)), None);
        let shared = event(Bytes::from_static(b"shared"), IOAction::Write, 120);
        assert_eq!(refusal_of(&[write(100, 20)], &shared), None);
        let last = write(i64::MAX - 8, 8);
        assert_eq!(refusal_of(&[write(i64::MAX - 10, 2)], &last), None);
    }

    #[test]
    fn a_run_is_full_when_nothing_can_follow_and_not_before() {
        let is_full = |offset, len| {
            let limits = limits();
            Run::begin(&write(offset, len), limits)
                .unwrap()
                .is_full(limits)
        };
        assert!(!is_full(0, 99));
        assert!(is_full(0, 100));
        assert!(!is_full(i64::MAX - 9, 8));
        assert!(is_full(i64::MAX - 8, 8));
        let one = limits().with_events_max(1);
        assert!(Run::begin(&write(0, 1), one).unwrap().is_full(one));
    }
}
