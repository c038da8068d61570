//! A ring that can be let go of before its end, and the moment when the kernel has let go of it too.

use std::fs;
use std::io::{self, PipeReader};
use std::mem;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_engine_core::readable_until;
use io_uring::IoUring;

/// A ring, until it is let go of. Nobody asks it for anything after that.
pub(crate) struct HeldRing {
    ring: Option<IoUring>,
    /// Of a pipe whose other end only the ring holds, as a file that is registered with it. The kernel
    /// lets go of those when the last request of the ring has ended, and then this end hangs up:
    /// nothing else tells that moment once the ring may not be entered.
    released: Option<PipeReader>,
}

/// How long the kernel may take to end the requests of a ring that was closed. A device that hangs takes
/// longer, and so does a child process that was forked with the ring.
const RELEASE_MAX: Duration = Duration::from_secs(10);

impl HeldRing {
    pub(crate) fn new(ring: IoUring) -> Self {
        Self {
            // Without it the ring works as well.
            released: registered_pipe(&ring).ok(),
            ring: Some(ring),
        }
    }

    /// Closes the ring, and waits until the kernel has ended its requests: carried out or cancelled. Says
    /// whether it has; only then is their memory free.
    pub(crate) fn let_go(&mut self) -> bool {
        drop(self.ring.take());
        let deadline = Instant::now() + RELEASE_MAX;
        let released = self.released.take();
        released.is_some_and(|reader| readable_until(reader, Some(deadline)).unwrap_or(false))
    }

    /// Leaves the ring as it is until the process ends: its descriptor is not its own any more. It is mapped
    /// still, so the kernel does not let go of it, and [`let_go`](Self::let_go) has nothing to wait for.
    pub(crate) fn leave(&mut self) {
        mem::forget(self.ring.take());
        self.released = None;
    }

    /// Whether its descriptor leads to a ring, as far as can be seen.
    pub(crate) fn leads_to_a_ring(&self) -> bool {
        let number = self.ring.as_ref().map(AsRawFd::as_raw_fd);
        let link = number.map(|number| fs::read_link(format!("/proc/self/fd/{number}")));
        link.is_some_and(|link| link.is_ok_and(|link| link.as_os_str() == RING))
    }
}

/// What a descriptor of a ring leads to, by its link.
const RING: &str = "anon_inode:[io_uring]";

fn registered_pipe(ring: &IoUring) -> io::Result<PipeReader> {
    let (reader, writer) = io::pipe()?;
    ring.submitter().register_files(&[writer.as_raw_fd()])?;
    Ok(reader)
}

impl Deref for HeldRing {
    type Target = IoUring;

    #[inline]
    fn deref(&self) -> &IoUring {
        self.ring.as_ref().expect("the ring has not been let go of")
    }
}

impl DerefMut for HeldRing {
    #[inline]
    fn deref_mut(&mut self) -> &mut IoUring {
        self.ring.as_mut().expect("the ring has not been let go of")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn ring() -> Option<HeldRing> {
        match IoUring::new(4) {
            Ok(ring) => Some(HeldRing::new(ring)),
            Err(error) => {
                let _ = writeln!(io::stderr(), "skipped: io_uring: {error}");
                None
            }
        }
    }

    #[test]
    fn a_ring_without_requests_is_let_go_of_at_once() {
        let Some(mut ring) = ring() else { return };
        assert!(ring.leads_to_a_ring());
        let began = Instant::now();
        assert!(ring.let_go());
        assert!(began.elapsed() < RELEASE_MAX / 2);
        assert!(!ring.let_go(), "only once");
    }
}
