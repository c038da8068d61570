//! What the engine does to an event: where its memory is, and how it ends.

use super::{IOEvent, Payload};
use crate::action::IOAction;
use crate::buffer::Buffer;
use crate::callback::IOCallback;
use crate::invalid_request::{InvalidRequest, TRANSFER_BYTES_MAX};

impl<C: IOCallback> IOEvent<C> {
    /// Bytes that an earlier handing over has already transferred.
    pub(crate) fn progress(&self) -> u64 {
        if self.res >= 0 {
            u64::from(self.transferred)
        } else {
            0
        }
    }

    /// Whether it is more than a lone event at its beginning.
    #[inline]
    pub(crate) fn is_carrier_or_continued(&self) -> bool {
        self.carries_events() || self.progress() > 0
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.buffer().is_none_or(Buffer::is_writable)
    }

    /// Whether it is for the kernel at first sight, as nearly all are: a read or a write that can work
    /// and of which nothing is done yet, or nothing at all. False says nothing.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Payload::Buffer(buffer) = &self.payload else {
            return self.action == IOAction::Nop;
        };
        let fits = (1..=TRANSFER_BYTES_MAX as u64).contains(&self.size)
            && (0..=i64::MAX - TRANSFER_BYTES_MAX as i64).contains(&self.offset);
        let reads = self.action == IOAction::Read;
        let can_work = self.action == IOAction::Write || (reads && buffer.is_writable());
        fits && can_work && self.progress() == 0
    }

    /// Where the kernel reads from or writes to, and how many bytes, not counting progress.
    pub(crate) fn kernel_region(&mut self) -> Option<(*mut u8, usize)> {
        match &mut self.payload {
            Payload::Buffer(buffer) => {
                let size = usize::try_from(self.size).expect("the length of a buffer");
                Some((buffer.kernel_ptr(), size))
            }
            Payload::Nothing | Payload::Merged(_) => None,
        }
    }

    /// Whether address, offset and length are multiples of `bytes`, a power of two. What has no
    /// buffer is; an event that carries others is not.
    #[inline]
    pub(crate) fn is_aligned_to(&self, bytes: u64) -> bool {
        match &self.payload {
            Payload::Buffer(buffer) => {
                let (start, offset) = (buffer.as_ptr() as u64, self.offset.cast_unsigned());
                (start | offset | self.size) & (bytes - 1) == 0
            }
            Payload::Nothing => true,
            Payload::Merged(_) => false,
        }
    }

    /// Whether it is a read or write that nobody has begun, with memory and a range that can work: the
    /// only kind that joins a run.
    pub(crate) fn is_fresh_transfer(&self) -> bool {
        let Payload::Buffer(buffer) = &self.payload else {
            return false;
        };
        let directed = match self.action {
            IOAction::Read => buffer.is_writable(),
            IOAction::Write => true,
            IOAction::Sync
            | IOAction::DataSync
            | IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange
            | IOAction::Nop => false,
        };
        let in_file = self.offset >= 0 && self.offset.checked_add_unsigned(self.size).is_some();
        directed && in_file && self.size > 0 && !self.is_done()
    }

    /// Copies the first `len` bytes of its range out of the buffer of `leader`, whose range holds that
    /// of this event.
    pub(crate) fn copy_from(&mut self, leader: &Self, len: u64) {
        let skip = usize::try_from(leader.offset.abs_diff(self.offset));
        let skip = skip.expect("within a buffer, whose length is a usize");
        let len = usize::try_from(len).expect("at most the length of the buffer");
        if let (Payload::Buffer(buffer), Some(from)) = (&mut self.payload, leader.buffer()) {
            buffer.copy_from(from, skip, len);
        }
    }

    /// Ends the event with `transferred` bytes in all.
    pub(crate) fn finish_transferred(&mut self, transferred: u64, end_of_file: bool) {
        self.set_transferred(transferred);
        self.res = i32::try_from(transferred).expect("a transfer is at most TRANSFER_BYTES_MAX");
        self.end_of_file = end_of_file;
        self.invalid = None;
        let len = match end_of_file {
            true => transferred,
            false => self.size,
        };
        if let Payload::Buffer(buffer) = &mut self.payload
            && self.action == IOAction::Read
        {
            let len = usize::try_from(len).expect("at most the length of a buffer");
            buffer
                .set_len(len)
                .expect("a transfer covers at most the buffer");
        }
    }

    /// Whether it is at its end with `transferred` bytes, as they are all that it asked for. A sync never
    /// is: whether it may succeed is for whoever remembers those that failed.
    #[inline]
    pub(crate) fn is_whole_with(&self, transferred: u64) -> bool {
        match &self.payload {
            _ if self.action.is_sync() => false,
            _ if !self.action.moves_bytes() => true,
            Payload::Buffer(_) => self.size == transferred && transferred > 0,
            Payload::Nothing | Payload::Merged(_) => false,
        }
    }

    /// Ends the event with `transferred` bytes, with which it [is whole](Self::is_whole_with).
    pub(crate) fn finish_whole(&mut self, transferred: u64) {
        let moved = if self.action.moves_bytes() {
            transferred
        } else {
            0
        };
        self.finish_transferred(moved, false);
    }

    /// The end of a file may have cut the buffer when the event was handed over before.
    #[inline]
    pub(super) fn open_again(&mut self) {
        if let Payload::Buffer(buffer) = &mut self.payload
            && buffer.len() as u64 != self.size
        {
            self.finish_transferred(self.size, false);
        }
    }

    /// Ends the event with an errno after `transferred` bytes.
    pub(crate) fn finish_errno(&mut self, errno: i32, transferred: u64) {
        self.set_transferred(transferred);
        self.res = -errno;
        self.invalid = None;
    }

    /// Ends the event as one that cannot work, or cannot go on after `transferred` bytes.
    pub(crate) fn finish_invalid(&mut self, invalid: InvalidRequest, transferred: u64) {
        self.set_transferred(transferred);
        self.res = -libc::EINVAL;
        self.invalid = Some(Box::new(invalid));
    }

    /// Gives the buffer up for ever, because the kernel may still write to it.
    pub(crate) fn leak_buffer(&mut self) {
        // The size stays: an event of 0 bytes would count as complete.
        std::mem::forget(self.take_buffer());
    }

    fn set_transferred(&mut self, transferred: u64) {
        self.transferred =
            u32::try_from(transferred).expect("a transfer is at most TRANSFER_BYTES_MAX");
    }
}
