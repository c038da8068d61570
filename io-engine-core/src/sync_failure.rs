//! A sync that failed: bytes that were written before it may be lost.

use std::io;

use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::errno;

/// Why a sync of a file has failed.
///
/// Linux tells it once per open file and then forgets: the pages that could not be written count as
/// clean, and the next `fsync` succeeds though their bytes never reached the device. So whoever
/// carries syncs keeps this, and [has it told](Completion::told_of) again.
///
/// The errors of a sync that say nothing about bytes are none of these: of a number that is not open,
/// of a file that has no sync, of a request that was cancelled or never sent.
///
/// See [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html) and
/// [how PostgreSQL learnt of it](https://lwn.net/Articles/752063/).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncFailure {
    errno: i32,
}

impl SyncFailure {
    /// The error as the callback of the sync has got it.
    #[must_use]
    pub fn to_io_error(self) -> io::Error {
        errno::to_io_error(self.errno)
    }
}

impl<C: IOCallback> Completion<C> {
    /// Why it failed, if it is a sync and its error says that bytes may be lost.
    #[must_use]
    pub fn sync_failure(&self) -> Option<SyncFailure> {
        let errno = self.errno().filter(|_| self.action().is_sync())?;
        errno::loses_written_bytes(errno).then_some(SyncFailure { errno })
    }

    /// A sync that fails as one before it did, whatever the kernel has answered.
    pub fn told_of(self, failure: SyncFailure) -> Self {
        Self::ended_with(self.into_request(), failure.errno)
    }
}
