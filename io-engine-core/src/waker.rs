//! The doorbell of a backend.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};

use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

/// Rings from any thread, and makes the current or the next [`drive`](crate::Backend::drive)
/// return.
///
/// Many rings before one `drive` cost a single write to an [`eventfd(2)`]. A ring that comes before
/// the sleep is not lost. Cheap to clone; it may outlive its backend, and then does nothing.
///
/// [`eventfd(2)`]: https://man7.org/linux/man-pages/man2/eventfd.2.html
#[derive(Clone, Debug)]
pub struct Waker {
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    eventfd: OwnedFd,
    rung: AtomicBool,
    nudged: AtomicBool,
    rings_heard: AtomicU64,
}

impl Waker {
    /// A doorbell of its own.
    ///
    /// # Errors
    /// `eventfd(2)` fails where the process or the system has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            bell: Arc::new(Bell {
                eventfd,
                rung: AtomicBool::new(false),
                nudged: AtomicBool::new(false),
                rings_heard: AtomicU64::new(0),
            }),
        })
    }

    /// Rings. The first ring since the last [`hear`](Self::hear) costs one write, others nothing.
    pub fn ring(&self) {
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            self.knock();
        }
    }

    /// Makes `drive` return as [`ring`](Self::ring) does, but is not counted as one: for a second
    /// backend whose driver sleeps in the first.
    pub fn nudge(&self) {
        if !self.bell.nudged.swap(true, Ordering::AcqRel) {
            self.knock();
        }
    }

    /// Makes the eventfd readable without counting as a ring: for what wakes a backend of itself.
    pub fn knock(&self) {
        // It fails only when the counter is full, and then the fd is readable already.
        let _ = rustix::io::write(&self.bell.eventfd, &1u64.to_ne_bytes());
    }

    /// Empties the eventfd; then says whether it was rung or nudged since the last time, and
    /// forgets it.
    ///
    /// For the backend alone, after its sleep and before it returns. In this order a ring is seen
    /// now or wakes the next sleep: one that finds the flag up was made before the flag is taken.
    pub fn hear(&self) -> bool {
        let mut count = [0; 8];
        // Nothing to read is no error: then it was not rung.
        let _ = rustix::io::read(&self.bell.eventfd, &mut count);
        let rung = self.bell.rung.swap(false, Ordering::AcqRel);
        if rung {
            self.bell.rings_heard.fetch_add(1, Ordering::Relaxed);
        }
        let nudged = self.bell.nudged.swap(false, Ordering::AcqRel);
        rung || nudged
    }

    /// Whether it was rung and the backend has not [heard](Self::hear) it: for one that has something to
    /// give out before it would sleep.
    #[must_use]
    pub fn is_rung(&self) -> bool {
        self.bell.rung.load(Ordering::Relaxed)
    }

    /// How many rings the backend has heard so far: it tells whoever drives the backend whether a
    /// `drive` returned early because of one.
    #[must_use]
    pub fn rings_heard(&self) -> u64 {
        self.bell.rings_heard.load(Ordering::Relaxed)
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.eventfd.as_fd()
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.eventfd.as_raw_fd()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(waker: &Waker) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut [PollFd::new(waker, PollFlags::IN)], Some(&now)).expect("poll") == 1
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_lost() {
        let waker = Waker::new().unwrap();
        assert!(!is_readable(&waker));
        waker.ring();
        assert!(is_readable(&waker));
        assert!(waker.hear());
        assert!(!is_readable(&waker));
        assert!(!waker.hear());
    }

    #[test]
    fn many_rings_are_one_write() {
        let waker = Waker::new().unwrap();
        for _ in 0..1000 {
            waker.ring();
        }
        let mut count = [0; 8];
        rustix::io::read(&waker.bell.eventfd, &mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 1);
    }

    #[test]
    fn a_nudge_is_heard_and_not_counted() {
        let waker = Waker::new().unwrap();
        waker.nudge();
        assert!(is_readable(&waker));
        assert!(waker.hear());
        assert_eq!(waker.rings_heard(), 0);
        waker.ring();
        waker.nudge();
        assert!(waker.hear());
        assert!(!waker.hear());
        assert_eq!(waker.rings_heard(), 1);
    }

    #[test]
    fn a_knock_is_no_ring() {
        let waker = Waker::new().unwrap();
        waker.knock();
        assert!(is_readable(&waker));
        assert!(!waker.hear());
    }
}
