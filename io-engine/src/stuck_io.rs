//! Telling of requests that the kernel has had for too long.
//!
//! Nothing is measured where a request is sent or answered. The slots are looked at now and then, and a
//! request that is seen again under the same ticket has been there since it was first seen.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use io_engine_core::{Backend, IOCallback, Request, Ticket, Wait};

/// Looks at what is in flight, and logs what has been there for longer than a limit: once, and again
/// each time that its age has doubled.
#[derive(Debug)]
pub(crate) struct StuckIo {
    limit: Duration,
    next_look: Instant,
    seen: BTreeMap<Key, Seen>,
}

/// A ticket alone would do, were there not backends made of several.
type Key = (u64, RawFd);

#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Instant,
    /// The age at which it is told of next.
    told_at: Duration,
    /// In which look it was seen last.
    look: Instant,
}

/// How often a request is looked at before its limit is over.
const LOOKS: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_millis(1);

impl StuckIo {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            next_look: Instant::now(),
            seen: BTreeMap::new(),
        }
    }

    /// As `wait`, but no longer than until the next look while something is in flight.
    pub(crate) fn bounded(&self, wait: Wait, in_flight: usize) -> Wait {
        match wait {
            _ if in_flight == 0 => wait,
            Wait::Never | Wait::For(0) => wait,
            Wait::For(_) => Wait::Until(self.next_look),
            Wait::Until(deadline) => Wait::Until(deadline.min(self.next_look)),
        }
    }

    pub(crate) fn look<C: IOCallback>(&mut self, backend: &impl Backend<C>) {
        let now = Instant::now();
        if now < self.next_look {
            return;
        }
        self.next_look = now + (self.limit / LOOKS).max(PAUSE_MIN);
        let (seen, limit) = (&mut self.seen, self.limit);
        backend.look_at_each(&mut |ticket: Ticket, request: &Request<C>| {
            let key = (ticket.to_user_data(), request.fd());
            let seen = seen.entry(key).or_insert(Seen {
                since: now,
                told_at: limit,
                look: now,
            });
            seen.look = now;
            let age = now - seen.since;
            if age >= seen.told_at {
                seen.told_at = age * 2;
                tell(request, age);
            }
        });
        seen.retain(|_, seen| seen.look == now);
    }
}

fn tell<C: IOCallback>(request: &Request<C>, age: Duration) {
    let fd = request.fd();
    let path = fs::read_link(format!("/proc/self/fd/{fd}"));
    let path = path.unwrap_or_else(|_| PathBuf::from("?"));
    tracing::warn!(
        fd,
        path = %path.display(),
        action = ?request.action(),
        offset = request.offset(),
        length = request.total_bytes(),
        ?age,
        "a request has been in flight for long"
    );
}
