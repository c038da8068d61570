//! What an event asks for.

/// The operation of an event.
///
/// The four allocating actions are the modes of [`fallocate(2)`] that the engine offers; their
/// range is the event's offset and size. Like the two syncs they move no bytes: on success
/// [`IOEvent::get_result`](crate::IOEvent::get_result) is 0 on every backend.
///
/// [`fallocate(2)`]: https://man7.org/linux/man-pages/man2/fallocate.2.html
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IOAction {
    /// Read into the buffer, from the offset on.
    Read,
    /// Write the buffer, from the offset on.
    Write,
    /// `fsync`: data and metadata of the file reach the device. Covers the writes whose callback
    /// was called before this event was handed over; the kernel orders no others.
    ///
    /// A failure sticks: see `IOContext::acknowledge_sync_failure` of the facade.
    Sync,
    /// `fdatasync`: as [`Sync`](Self::Sync), without metadata that reading does not need.
    DataSync,
    /// `fallocate` mode 0: space for the range, the file grows to its end.
    Allocate,
    /// `FALLOC_FL_KEEP_SIZE`: space for the range, the file keeps its size.
    AllocateKeepSize,
    /// `FALLOC_FL_PUNCH_HOLE`: the range gives up its space and reads as zero.
    PunchHole,
    /// `FALLOC_FL_ZERO_RANGE`: the range reads as zero and keeps its space.
    ZeroRange,
    /// Nothing: the event goes to the backend and comes back with 0, and its file is not touched.
    /// What it takes is what the engine itself costs. Only io_uring has such a request; the other
    /// backends answer it themselves.
    Nop,
}

impl IOAction {
    /// Whether bytes travel between a buffer and the file.
    #[must_use]
    pub const fn moves_bytes(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }

    /// Whether it makes what was written reach the device.
    #[must_use]
    pub const fn is_sync(self) -> bool {
        matches!(self, Self::Sync | Self::DataSync)
    }

    /// The `mode` argument of `fallocate(2)`, or `None` for an action that does not allocate.
    #[must_use]
    pub const fn allocate_mode(self) -> Option<i32> {
        match self {
            Self::Allocate => Some(0),
            Self::AllocateKeepSize => Some(libc::FALLOC_FL_KEEP_SIZE),
            Self::PunchHole => Some(libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE),
            Self::ZeroRange => Some(libc::FALLOC_FL_ZERO_RANGE),
            Self::Read | Self::Write | Self::Sync | Self::DataSync | Self::Nop => None,
        }
    }
}
