//! One call to the kernel: what is asked for next.

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::request::{Request, Run};

/// One call to the kernel, ready to be written into a queue entry.
///
/// The pointers are good for as long as the [`Request`] lives, wherever it moves: they lead to
/// memory that its events own. They are good for one operation at a time: the next
/// [`Request::operation`] may lay out the segments anew.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// `pread`: at most `len` bytes to `start`.
    Read {
        /// Where the bytes go.
        start: *mut u8,
        /// How many, at most [`TRANSFER_BYTES_MAX`](crate::TRANSFER_BYTES_MAX).
        len: u32,
        /// From where in the file.
        offset: u64,
    },
    /// `pwrite`: `len` bytes from `start`.
    Write {
        /// Where the bytes come from.
        start: *const u8,
        /// How many, at most [`TRANSFER_BYTES_MAX`](crate::TRANSFER_BYTES_MAX).
        len: u32,
        /// To where in the file.
        offset: u64,
    },
    /// `preadv`.
    ReadVectored {
        /// The segments.
        segments: *const libc::iovec,
        /// How many, at most [`SEGMENTS_MAX`](crate::SEGMENTS_MAX).
        count: u32,
        /// From where in the file.
        offset: u64,
    },
    /// `pwritev`.
    WriteVectored {
        /// The segments.
        segments: *const libc::iovec,
        /// How many, at most [`SEGMENTS_MAX`](crate::SEGMENTS_MAX).
        count: u32,
        /// To where in the file.
        offset: u64,
    },
    /// `fsync`.
    Sync,
    /// `fdatasync`.
    DataSync,
    /// `fallocate`.
    Allocate {
        /// Its mode argument.
        mode: i32,
        /// Where the range begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
    /// Nothing. Its answer is 0.
    Nop,
}

impl<C: IOCallback> Request<C> {
    /// What to ask the kernel for next: all that is left of the run.
    ///
    /// # Panics
    /// For a transfer that has no buffer, no bytes left, or more than 32 bits can count, for a read into
    /// a buffer that is not [writable](crate::Buffer::is_writable), and at a negative offset. What else
    /// [`check`](Self::check) refuses does no harm, and is for the kernel to refuse.
    #[inline]
    pub fn operation(&mut self) -> Operation {
        self.plain_operation()
            .unwrap_or_else(|| self.other_operation())
    }

    /// What to ask the kernel for, if that is plain at first sight, as it nearly always is: one event,
    /// from its beginning on, that can work. `None` says nothing.
    #[inline]
    #[must_use]
    pub fn plain_operation(&mut self) -> Option<Operation> {
        if self.position() > 0 {
            return None;
        }
        let event = self.only_event_mut()?;
        if !event.is_plain() {
            return None;
        }
        let offset = event.offset().cast_unsigned();
        let Some((start, len)) = event.kernel_region() else {
            return Some(Operation::Nop);
        };
        // It is at most TRANSFER_BYTES_MAX.
        let len = u32::try_from(len).ok()?;
        match event.action() {
            IOAction::Read => Some(Operation::Read { start, len, offset }),
            IOAction::Write => Some(Operation::Write { start, len, offset }),
            IOAction::Sync
            | IOAction::DataSync
            | IOAction::Nop
            | IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange => None,
        }
    }

    fn other_operation(&mut self) -> Operation {
        let action = self.action();
        match action {
            IOAction::Read | IOAction::Write => self.transfer(action == IOAction::Read),
            IOAction::Sync => Operation::Sync,
            IOAction::DataSync => Operation::DataSync,
            IOAction::Nop => Operation::Nop,
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange => Operation::Allocate {
                mode: action
                    .allocate_mode()
                    .expect("the four allocating actions have one"),
                offset: u64::try_from(self.first().offset()).expect("checked: it is not negative"),
                len: self.total_bytes(),
            },
        }
    }

    fn transfer(&mut self, reads: bool) -> Operation {
        let position = self.position();
        let offset = u64::try_from(self.first().offset());
        let offset = offset.expect("a negative offset never reaches the kernel") + position;
        assert!(
            position < self.total_bytes(),
            "an empty transfer never reaches the kernel"
        );
        match self.run_mut() {
            Run::One(event) => {
                let (start, len) = event.kernel_region().expect("checked: it has a buffer");
                let is_let_in = !reads || event.is_writable();
                assert!(is_let_in, "checked: a read has memory of its own");
                let skip = usize::try_from(position).expect("below len, which is a usize");
                let start = start.wrapping_add(skip);
                let len = u32::try_from(len - skip).expect("checked: TRANSFER_BYTES_MAX");
                if reads {
                    Operation::Read { start, len, offset }
                } else {
                    Operation::Write { start, len, offset }
                }
            }
            Run::Many(merged) => {
                let segments = merged.segments_after(position);
                let count = u32::try_from(segments.len()).expect("at most SEGMENTS_MAX");
                let segments = segments.as_ptr();
                if reads {
                    Operation::ReadVectored {
                        segments,
                        count,
                        offset,
                    }
                } else {
                    Operation::WriteVectored {
                        segments,
                        count,
                        offset,
                    }
                }
            }
        }
    }
}
