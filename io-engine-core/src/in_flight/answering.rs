//! Answers, and taking out what they bring to its end.
#![allow(unsafe_code, reason = "an event is taken out of a slot that is held")]

use super::{InFlight, Ticket, assert_current};
use crate::backend::Answered;
use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::sync::Ordering;

impl<C: IOCallback> InFlight<C> {
    /// Takes note of the kernel's answer to the request behind `ticket`: bytes from 0 on, below 0 a
    /// negated errno. An event that is at its end with it stays in its slot, untouched, for
    /// [`take_whole`](Self::take_whole), until the next one is called whole; anything else is removed.
    /// Who does not know that it was taken asks for what was left [untaken](Self::untaken) before.
    ///
    /// Never `None`: wrapped here, it need not be copied to be wrapped.
    ///
    /// # Panics
    /// As [`remove`](Self::remove).
    #[inline]
    pub fn answer(&mut self, ticket: Ticket, result: i64) -> Option<Answered<C>> {
        // What is returned is large, and mostly only its first words count: where it is put together and
        // wrapped then, all of it is copied.
        if self.ends_whole(ticket, result) {
            return Some(Answered::Whole(ticket));
        }
        let other = Completion::from_kernel(self.remove(ticket), result);
        Some(Answered::Other(other))
    }

    #[inline]
    fn ends_whole(&mut self, ticket: Ticket, result: i64) -> bool {
        let request = self.get_mut(ticket);
        match u64::try_from(result) {
            Ok(bytes) if request.is_whole_with(bytes) => {
                self.whole = ticket;
                self.whole_bytes = bytes;
                true
            }
            _ => false,
        }
    }

    /// Whether it is the ticket of the event that [`answer`](Self::answer) has just called whole, and
    /// that has not been taken.
    #[inline]
    #[must_use]
    pub fn is_whole(&self, ticket: Ticket) -> bool {
        ticket == self.whole
    }

    #[inline]
    fn assert_whole(&self, ticket: Ticket) {
        assert!(self.is_whole(ticket), "{ticket:?} was not called whole");
    }

    /// Takes the callback of the event that [`answer`](Self::answer) has just called whole, which is to
    /// be taken next: the two are moved once each like this, to where they are used.
    ///
    /// # Panics
    /// As [`take_whole`](Self::take_whole).
    #[inline]
    pub fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.assert_whole(ticket);
        let event = self.get_mut(ticket).only_event_mut();
        event.expect("it has only one event").take_callback()
    }

    /// Takes the event that [`answer`](Self::answer) has just called whole out of its slot.
    ///
    /// # Panics
    /// If it has called another one whole since, or the event has been taken, or never was answered: its
    /// memory may still be the kernel's.
    #[inline]
    pub fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.assert_whole(ticket);
        self.whole = Ticket::DOORBELL;
        let slot = &mut self.slots[ticket.index()];
        let generation = slot.generation.load(Ordering::Acquire);
        assert_current(ticket, generation);
        // SAFETY: the generation is odd, so the request was written and has not been taken out.
        let request = unsafe { slot.request.assume_init_mut() };
        let transferred = request.position() + self.whole_bytes;
        let event = request.only_event_mut().expect("it has only one event");
        slot.generation
            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: it is the event of the request in this slot, which counts as empty from now on:
        // nobody takes it out a second time. The rest of a request of one event are numbers, which
        // need no drop.
        unsafe { IOEvent::take_whole(event, transferred) }
    }

    /// The request whose event was called whole and has not been [taken](Self::take_whole), with its
    /// answer: it would keep its slot for ever.
    #[inline]
    pub fn untaken(&mut self) -> Option<Completion<C>> {
        if self.whole == Ticket::DOORBELL {
            return None;
        }
        self.remove_untaken()
    }

    #[cold]
    fn remove_untaken(&mut self) -> Option<Completion<C>> {
        let ticket = std::mem::replace(&mut self.whole, Ticket::DOORBELL);
        let result = i64::try_from(self.whole_bytes).unwrap_or(i64::MAX);
        let slot = &self.slots[ticket.index()];
        // It may have been removed like any other.
        if slot.generation.load(Ordering::Relaxed) != ticket.generation() {
            return None;
        }
        Some(Completion::from_kernel(self.remove(ticket), result))
    }
}
