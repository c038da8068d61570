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
        let Payload::Buffer { buffer, size } = &self.payload else {
            return self.action == IOAction::Nop;
        };
        let fits = (1..=TRANSFER_BYTES_MAX).contains(size)
            && (0..=i64::MAX - TRANSFER_BYTES_MAX as i64).contains(&self.offset);
        let reads = self.action == IOAction::Read;
        let can_work = self.action == IOAction::Write || (reads && buffer.is_writable());
        fits && can_work && self.progress() == 0
    }

    /// Where the kernel reads from or writes to, and how many bytes, not counting progress.
    pub(crate) fn kernel_region(&mut self) -> Option<(*mut u8, usize)> {
        match &mut self.payload {
            Payload::Buffer { buffer, size } => Some((buffer.kernel_ptr(), *size)),
            Payload::Range { .. } | Payload::Merged(_) => None,
        }
    }

    /// Whether address, offset and length are multiples of `bytes`, a power of two. What has no
    /// buffer is; an event that carries others is not.
    #[inline]
    pub(crate) fn is_aligned_to(&self, bytes: u64) -> bool {
        match &self.payload {
            Payload::Buffer { buffer, size } => {
                let (start, offset) = (buffer.as_ptr() as u64, self.offset.cast_unsigned());
                (start | offset | *size as u64) & (bytes - 1) == 0
            }
            Payload::Range { .. } => true,
            Payload::Merged(_) => false,
        }
    }

    /// Whether it is a read or write that nobody has begun, with memory and a range that can work: the
    /// only kind that joins a run.
    pub(crate) fn is_fresh_transfer(&self) -> bool {
        let Payload::Buffer { buffer, size } = &self.payload else {
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
        let in_file = self.offset >= 0 && self.offset.checked_add_unsigned(*size as u64).is_some();
        directed && in_file && *size > 0 && !self.is_done()
    }

    /// Copies the first `len` bytes of its range out of the buffer of `leader`, whose range holds that
    /// of this event.
    pub(crate) fn copy_from(&mut self, leader: &Self, len: u64) {
        let skip = usize::try_from(leader.offset.abs_diff(self.offset));
        let skip = skip.expect("within a buffer, whose length is a usize");
        let len = usize::try_from(len).expect("at most the length of the buffer");
        if let (Payload::Buffer { buffer, .. }, Some(from)) = (&mut self.payload, leader.buffer()) {
            buffer.copy_from(from, skip, len);
        }
    }

    /// Ends the event with `transferred` bytes in all.
    pub(crate) fn finish_transferred(&mut self, transferred: u64, end_of_file: bool) {
        self.set_transferred(transferred);
        self.res = i32::try_from(transferred).expect("a transfer is at most TRANSFER_BYTES_MAX");
        self.end_of_file = end_of_file;
        self.invalid = None;
        if let Payload::Buffer { buffer, size } = &mut self.payload
            && self.action == IOAction::Read
        {
            let len = if end_of_file {
                self.transferred as usize
            } else {
                *size
            };
            buffer
                .set_len(len)
                .expect("a transfer covers at most the buffer");
        }
    }

    /// Ends the event if `transferred` bytes are all that it asked for, and says whether it did. A sync
    /// never ends here: whether it may succeed is for whoever remembers those that failed.
    #[inline]
    pub(crate) fn finish_whole(&mut self, transferred: u64) -> bool {
        let bytes = match &mut self.payload {
            _ if self.action.is_sync() => return false,
            _ if !self.action.moves_bytes() => 0,
            Payload::Buffer { buffer, size } if *size as u64 == transferred && *size > 0 => {
                if self.action == IOAction::Read && buffer.set_len(*size).is_err() {
                    return false;
                }
                transferred
            }
            Payload::Buffer { .. } | Payload::Range { .. } | Payload::Merged(_) => return false,
        };
        self.set_transferred(bytes);
        self.res = self.transferred.cast_signed();
        self.end_of_file = false;
        self.invalid = None;
        true
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
        let len = self.get_size();
        std::mem::forget(self.take_buffer());
        self.payload = Payload::Range { len };
    }

    fn set_transferred(&mut self, transferred: u64) {
        self.transferred =
            u32::try_from(transferred).expect("a transfer is at most TRANSFER_BYTES_MAX");
    }
}
