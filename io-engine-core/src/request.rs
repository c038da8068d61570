//! What the kernel is asked for: a run of one or more events.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::slice;

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::delivery::drop_shielded;
use crate::event::IOEvent;
use crate::file::{DirectAlignment, FileHandle};
use crate::invalid_request::{AlignedPart, InvalidRequest, TRANSFER_BYTES_MAX};
use crate::merged::MergedEvents;
use crate::storage::{self, Storage};

/// A run of one or more contiguous events, with how far it has come.
///
/// A backend owns it from [`push`](crate::Backend::push) until it yields it as a
/// [`Completion`](crate::Completion).
#[must_use = "dropping a request loses its events and their callbacks"]
pub struct Request<C: IOCallback> {
    pub(crate) run: Run<C>,
    pub(crate) progress: Progress,
}

/// How far a request has come. 32 bits are enough for [`TRANSFER_BYTES_MAX`], and small enough for a slot of
/// two cache lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Bytes known to be transferred, from the start of the run on.
    done: u32,
    /// Where the next attempt begins: `done`, or less after a direct transfer ended off-alignment.
    position: u32,
    /// How often in a row the kernel asked to try again.
    attempts: u32,
}

impl Progress {
    /// Nothing has been asked of the kernel.
    pub(crate) const NONE: Self = Self {
        done: 0,
        position: 0,
        attempts: 0,
    };
}

/// A lone event is a run of length one.
pub(crate) enum Run<C: IOCallback> {
    One(IOEvent<C>),
    Many(Box<MergedEvents<C>>),
}

impl<C: IOCallback> From<IOEvent<C>> for Request<C> {
    #[inline(always)]
    fn from(event: IOEvent<C>) -> Self {
        if event.is_carrier_or_continued() {
            return Self::of_carrier_or_continued(event);
        }
        Self {
            run: Run::One(event),
            progress: Progress::NONE,
        }
    }
}

impl<C: IOCallback> Request<C> {
    pub(crate) fn of_run(run: Box<MergedEvents<C>>) -> Self {
        Self {
            run: Run::Many(run),
            progress: Progress::NONE,
        }
    }

    #[cold]
    fn of_carrier_or_continued(mut event: IOEvent<C>) -> Self {
        let done = event.progress();
        let run = match event.take_merged() {
            Some(merged) => {
                // With a callback of its own, which nobody calls. A panic in it would take the run along.
                drop_shielded(event);
                Run::Many(merged)
            }
            None => Run::One(event),
        };
        let mut request = Self {
            run,
            progress: Progress::NONE,
        };
        if done > 0 {
            request.resume_after(done);
        }
        request
    }

    /// The operation of every event in it.
    #[must_use]
    pub fn action(&self) -> IOAction {
        self.first().action()
    }

    /// The number of the file descriptor.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.first().file().as_raw_fd()
    }

    /// The file of each event: they have one number, which each may keep open in its own way.
    pub fn files(&self) -> impl Iterator<Item = &FileHandle> {
        let events = match &self.run {
            Run::One(event) => slice::from_ref(event),
            Run::Many(merged) => merged.events(),
        };
        events.iter().map(IOEvent::file)
    }

    /// Where in the file it begins.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.first().offset()
    }

    /// How many events it carries.
    #[must_use]
    pub fn event_count(&self) -> usize {
        match &self.run {
            Run::One(_) => 1,
            Run::Many(merged) => merged.event_count(),
        }
    }

    /// The bytes from its start to its end, transferred or not: those of its events, and of the holes
    /// between them.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        match &self.run {
            Run::One(event) => event.get_size(),
            Run::Many(merged) => merged.total_bytes(),
        }
    }

    /// Whether the kernel has nothing to do: a continued event that is already complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.action().moves_bytes() && self.done() >= self.total_bytes() && self.progress.done > 0
    }

    /// Whether the kernel is to be asked: not for what cannot work ([`check`](Self::check)), nor for
    /// what [is complete](Self::is_complete) from the start.
    #[inline]
    #[must_use]
    pub fn needs_kernel(&self) -> bool {
        match &self.run {
            Run::One(event) if self.progress.done == 0 && event.is_plain() => true,
            Run::One(_) | Run::Many(_) => self.check().is_ok() && !self.is_complete(),
        }
    }

    /// Whether carrying it out twice is the same as once: a transfer at a place, an allocation. Not a sync,
    /// whose error the kernel tells once. Asks the kernel about the file.
    #[must_use]
    pub fn can_be_repeated(&self) -> bool {
        match self.action() {
            IOAction::Read | IOAction::Write => {
                Storage::UNKNOWN.asked_again(self.fd()).is_positional
            }
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange
            | IOAction::Nop => true,
            IOAction::Sync | IOAction::DataSync => false,
        }
    }

    /// Refuses what cannot work, without asking the kernel.
    ///
    /// # Errors
    /// The [`InvalidRequest`] that says what is wrong, what was given and what is allowed.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        let first = self.first();
        let (offset, len) = (first.offset(), self.total_bytes());
        if matches!(
            self.action(),
            IOAction::Sync | IOAction::DataSync | IOAction::Nop
        ) {
            return Ok(());
        }
        if offset < 0 {
            return Err(InvalidRequest::NegativeOffset { offset });
        }
        if self.action().moves_bytes()
            && matches!(&self.run, Run::One(one) if one.buffer().is_none())
        {
            return Err(InvalidRequest::NoBuffer);
        }
        if len == 0 {
            return Err(InvalidRequest::EmptyBuffer);
        }
        if offset.checked_add_unsigned(len).is_none() {
            return Err(InvalidRequest::OffsetOverflow { offset, len });
        }
        if self.action().moves_bytes() && len > TRANSFER_BYTES_MAX as u64 {
            return Err(InvalidRequest::TooLong {
                len,
                max: TRANSFER_BYTES_MAX as u64,
            });
        }
        if self.action() == IOAction::Read && !first.is_writable() {
            return Err(InvalidRequest::ReadOnlyBuffer);
        }
        Ok(())
    }

    /// Refuses what a file open with `O_DIRECT` refuses.
    ///
    /// # Errors
    /// [`InvalidRequest::Misaligned`] with the first part that is not a multiple of what
    /// `alignment` demands.
    pub fn check_alignment(&mut self, alignment: DirectAlignment) -> Result<(), InvalidRequest> {
        match &mut self.run {
            Run::One(event) => check_event_alignment(event, alignment),
            Run::Many(merged) => merged
                .events_mut()
                .try_for_each(|event| check_event_alignment(event, alignment)),
        }
    }

    /// Whether every address, offset and length is a multiple of `bytes`, a power of two.
    ///
    /// Takes `self` exclusively, as nobody has it while the kernel does: some buffers tell their address
    /// only through a reference to their bytes, and the kernel may be writing to those.
    #[must_use]
    pub fn is_aligned_to(&mut self, bytes: u64) -> bool {
        match &mut self.run {
            Run::One(event) => event.is_aligned_to(bytes),
            Run::Many(merged) => merged.events_mut().all(|event| event.is_aligned_to(bytes)),
        }
    }

    pub(crate) fn first(&self) -> &IOEvent<C> {
        match &self.run {
            Run::One(event) => event,
            Run::Many(merged) => &merged.events()[0],
        }
    }
}

/// What completions and operations ask for.
impl<C: IOCallback> Request<C> {
    pub(crate) fn run_mut(&mut self) -> &mut Run<C> {
        &mut self.run
    }

    pub(crate) fn into_run(self) -> Run<C> {
        self.run
    }

    /// The event, if it is alone.
    #[inline]
    pub(crate) fn into_event(self) -> Option<IOEvent<C>> {
        match self.run {
            Run::One(event) => Some(event),
            Run::Many(_) => None,
        }
    }

    /// The event, if it is alone.
    #[inline]
    pub(crate) fn only_event_mut(&mut self) -> Option<&mut IOEvent<C>> {
        match &mut self.run {
            Run::One(event) => Some(event),
            Run::Many(_) => None,
        }
    }

    /// Whether it is one event, and `bytes` more are all that it asked for. Nearly every request ends
    /// like this.
    #[inline]
    pub(crate) fn is_whole_with(&self, bytes: u64) -> bool {
        match &self.run {
            Run::One(event) => event.is_whole_with(self.position() + bytes),
            Run::Many(_) => false,
        }
    }

    /// Whether the file is known to have bytes beyond those that are done. Asks the kernel.
    pub(crate) fn file_goes_on(&self) -> bool {
        let reached = self.offset().unsigned_abs().saturating_add(self.done());
        storage::regular_bytes(self.fd()).is_some_and(|bytes| bytes > reached)
    }

    pub(crate) fn done(&self) -> u64 {
        u64::from(self.progress.done)
    }

    pub(crate) fn position(&self) -> u64 {
        u64::from(self.progress.position)
    }

    /// Takes note that all bytes up to `done` are transferred, and continues from there; after a
    /// direct transfer that ended off-alignment from the last aligned byte before.
    pub(crate) fn resume_after(&mut self, done: u64) {
        let position = match DirectAlignment::of(self.fd()) {
            Some(DirectAlignment { offset, .. }) => done - done % offset,
            None => done,
        };
        let bytes = |bytes| u32::try_from(bytes).expect("a transfer is at most TRANSFER_BYTES_MAX");
        self.progress = Progress {
            done: bytes(done),
            position: bytes(position),
            attempts: 0,
        };
    }

    pub(crate) fn has_bytes_to_write(&self) -> bool {
        self.action() == IOAction::Write && self.done() < self.total_bytes()
    }

    /// Counts one more attempt and says how many there were in a row.
    pub(crate) fn count_attempt(&mut self) -> u32 {
        self.progress.attempts += 1;
        self.progress.attempts
    }

    /// How many of its events have not all of their bytes.
    pub(crate) fn unserved_count(&self) -> usize {
        match &self.run {
            Run::One(_) => 1,
            Run::Many(merged) => merged.unserved_count(u64::from(self.progress.done)),
        }
    }

    /// Gives up the buffers for ever, because the kernel may still use them.
    pub(crate) fn leak_buffers(&mut self) {
        match &mut self.run {
            Run::One(event) => event.leak_buffer(),
            Run::Many(merged) => merged.leak_kernel_memory(u64::from(self.progress.position)),
        }
    }
}

fn check_event_alignment<C: IOCallback>(
    event: &mut IOEvent<C>,
    alignment: DirectAlignment,
) -> Result<(), InvalidRequest> {
    let offset = event.offset();
    let Some((start, len)) = event.kernel_region() else {
        return Ok(());
    };
    let parts = [
        (AlignedPart::Address, alignment.memory, start as u64),
        (
            AlignedPart::Offset,
            alignment.offset,
            offset.cast_unsigned(),
        ),
        (AlignedPart::Length, alignment.offset, len as u64),
    ];
    for (what, required, given) in parts {
        if required > 1 && given & (required - 1) != 0 {
            return Err(InvalidRequest::Misaligned {
                what,
                required,
                given,
            });
        }
    }
    Ok(())
}

impl<C: IOCallback> fmt::Debug for Request<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("first", self.first())
            .field("event_count", &self.event_count())
            .field("done", &self.progress.done)
            .finish_non_exhaustive()
    }
}
