//! Which way a request takes where there is more than one.

use std::os::fd::RawFd;

use io_engine_core::{FileNature, IOAction};

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
    ByFile(Box<FileRoutes>),
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

/// What is known of files, by the number of their descriptor.
///
/// A number may be closed and given to another file. What is known of the old one is then wrong for
/// a while, which costs speed and nothing else: every route carries every file.
#[derive(Debug)]
pub(crate) struct FileRoutes {
    known: [Known; KNOWN],
}

/// One place per descriptor number modulo this.
const KNOWN: usize = 64;

/// So many requests later a file is looked at anew.
const GOOD_FOR: u32 = 4096;

#[derive(Clone, Copy, Debug)]
struct Known {
    fd: RawFd,
    route: Route,
    left: u32,
}

impl FileRoutes {
    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    pub(crate) fn new() -> Self {
        let nothing = Known {
            fd: -1,
            route: Route::Queue,
            left: 0,
        };
        Self {
            known: [nothing; KNOWN],
        }
    }

    fn of(&mut self, fd: RawFd) -> Route {
        let Ok(number) = usize::try_from(fd) else {
            return Route::Queue;
        };
        let known = &mut self.known[number % KNOWN];
        if known.fd != fd || known.left == 0 {
            *known = Known {
                fd,
                route: route_to(fd),
                left: GOOD_FOR,
            };
        }
        known.left -= 1;
        known.route
    }
}

fn route_to(fd: RawFd) -> Route {
    match FileNature::of(fd) {
        FileNature::Asynchronous => Route::Queue,
        FileNature::Cached => Route::CacheOrQueue,
        FileNature::InMemory => Route::Here,
        FileNature::Blocking => Route::Carrier,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_number_that_now_is_another_file_is_looked_at_anew_in_time() {
        let mut routes = FileRoutes::new();
        let disk = File::open("/").unwrap();
        let fd = disk.as_raw_fd();
        let number = usize::try_from(fd).unwrap();
        routes.known[number % KNOWN] = Known {
            fd,
            route: Route::Carrier,
            left: GOOD_FOR,
        };
        let stale = (0..=GOOD_FOR).take_while(|_| routes.of(fd) == Route::Carrier);
        assert_eq!(stale.count(), GOOD_FOR as usize);
        assert_eq!(routes.of(fd), Route::Queue);
    }

    #[test]
    fn two_files_in_one_place_are_told_apart() {
        let mut routes = FileRoutes::new();
        let far = i32::try_from(KNOWN).unwrap() + 3;
        routes.known[3] = Known {
            fd: 3,
            route: Route::Carrier,
            left: GOOD_FOR,
        };
        assert_eq!(routes.of(far), Route::Queue);
        assert_eq!(routes.of(-1), Route::Queue);
    }
}
