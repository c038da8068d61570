//! Which way a request takes where there is more than one.

use std::os::fd::RawFd;

use io_engine_core::{FileNature, IOAction};

use crate::file_table::FileTable;

/// A way to get a request done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through the queue to the kernel.
    Queue,
    /// As [`Queue`](Self::Queue), but a read that is alone is tried without it first.
    CacheOrQueue,
    /// By a blocking call on the loop's own thread, for what takes no longer than a copy.
    Here,
    /// By a blocking call on a thread.
    Carrier,
}

/// Chooses the route of each request.
#[derive(Debug)]
pub(crate) enum Routes {
    /// Everything that the queue supports goes through the queue.
    #[allow(dead_code, reason = "for AIO, which may not be compiled in")]
    ByAction(fn(IOAction) -> bool),
    /// Transfers go where the file is served best.
    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    ByFile(FileTable<Route>),
}

impl Routes {
    #[inline]
    pub(crate) fn of(&mut self, action: IOAction, fd: RawFd) -> Route {
        match self {
            Self::ByAction(is_supported) if is_supported(action) => Route::Queue,
            Self::ByAction(_) => Route::Carrier,
            Self::ByFile(files) if action.moves_bytes() => files.of(fd),
            Self::ByFile(_) => Route::Queue,
        }
    }
}

/// The route of transfers of a file. What is known of a descriptor may be out of date, which costs speed:
/// every route carries every file. Only what is no file at all, a pipe or a terminal under the number of
/// one that was closed, is refused by blocking calls at an offset (`ESPIPE`) until it is asked about again.
#[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
pub(crate) fn route_to(fd: RawFd) -> Route {
    match FileNature::of(fd) {
        FileNature::Asynchronous => Route::Queue,
        FileNature::Cached => Route::CacheOrQueue,
        FileNature::InMemory => Route::Here,
        FileNature::Blocking => Route::Carrier,
    }
}
