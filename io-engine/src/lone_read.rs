//! A read that is alone is tried without the ring first: where its bytes are in the page cache, one
//! system call that copies them is all that it takes.
//!
//! The call is `preadv2` with `RWF_NOWAIT`, which does not wait for a device. With more in flight the
//! ring is the better way: it takes many with one call.

use io_engine_core::{Answered, Completion, IOCallback, IOEvent, InFlight, Request, Ticket};
use io_engine_workers::read_at_once;

/// At most one read, from `hold` until it is answered here or goes on to the ring.
pub(crate) struct LoneRead<C: IOCallback> {
    slot: InFlight<C>,
    held: Option<Ticket>,
    answered: Option<(Ticket, i64)>,
    worth: Worth,
}

impl<C: IOCallback> LoneRead<C> {
    pub(crate) fn new() -> Self {
        Self {
            slot: InFlight::with_capacity(1),
            held: None,
            answered: None,
            worth: Worth::default(),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.slot.len()
    }

    /// Whether the next lone read should be held here; is asked once for each of them.
    pub(crate) fn is_worth_trying(&mut self) -> bool {
        self.worth.next()
    }

    /// Takes the event of a read. There is none here.
    #[inline]
    pub(crate) fn hold(&mut self, event: IOEvent<C>) {
        let held = self.slot.insert_event(event);
        let (ticket, _) = held.expect("a read is held only where none is");
        self.held = Some(ticket);
    }

    /// Gives the read that is held back: it is no longer alone.
    pub(crate) fn take_back(&mut self) -> Option<Request<C>> {
        let ticket = self.held.take()?;
        Some(self.slot.remove(ticket))
    }

    /// Tries the read that is held. What would have to wait is given back, to be sent.
    #[inline]
    pub(crate) fn attempt(&mut self) -> Option<Request<C>> {
        let ticket = self.held.take()?;
        match read_at_once(self.slot.get_mut(ticket)) {
            Some(result) => {
                self.worth.was_cached();
                self.answered = Some((ticket, result));
                None
            }
            None => {
                self.worth.was_not_cached();
                Some(self.slot.remove(ticket))
            }
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    #[inline]
    pub(crate) fn next_answer(&mut self) -> Option<Answered<C>> {
        match self.answered.take() {
            Some((ticket, result)) => self.slot.answer(ticket, result),
            None => self.slot.untaken().map(Answered::Other),
        }
    }

    /// As [`next_answer`](Self::next_answer), appended to `done`.
    pub(crate) fn take_answer(&mut self, done: &mut Vec<Completion<C>>) {
        if let Some((ticket, result)) = self.answered.take() {
            self.slot.complete(ticket, result, done);
        }
        done.extend(self.slot.untaken());
    }

    /// Whether the event here is the one that was last called whole.
    #[inline]
    pub(crate) fn is_whole(&self, ticket: Ticket) -> bool {
        self.slot.is_whole(ticket)
    }

    #[inline]
    pub(crate) fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.slot.take_callback(ticket)
    }

    #[inline]
    pub(crate) fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.slot.take_whole(ticket)
    }
}

/// Learns whether lone reads find their bytes in the cache.
#[derive(Debug, Default)]
struct Worth {
    /// Attempts in vain, in a row.
    in_vain: u32,
    /// Lone reads to let go by before the next attempt.
    rest: u32,
}

/// So many in vain, and only one in [`REST`] is tried: an attempt in vain costs a system call, next to
/// a wait for a device.
const IN_VAIN_MAX: u32 = 4;
const REST: u32 = 64;

impl Worth {
    fn next(&mut self) -> bool {
        if self.rest == 0 {
            return true;
        }
        self.rest -= 1;
        false
    }

    fn was_cached(&mut self) {
        self.in_vain = 0;
    }

    fn was_not_cached(&mut self) {
        self.in_vain = (self.in_vain + 1).min(IN_VAIN_MAX);
        if self.in_vain == IN_VAIN_MAX {
            self.rest = REST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_in_vain_become_rare_and_one_that_is_not_brings_them_back() {
        let mut worth = Worth::default();
        for _ in 0..IN_VAIN_MAX {
            assert!(worth.next());
            worth.was_not_cached();
        }
        for _ in 0..3 {
            let passed_by = (0..1000).take_while(|_| !worth.next()).count();
            assert_eq!(passed_by, REST as usize);
            worth.was_not_cached();
        }
        while !worth.next() {}
        worth.was_cached();
        for _ in 1..IN_VAIN_MAX {
            assert!(worth.next());
            worth.was_not_cached();
        }
        assert!(worth.next());
    }
}
