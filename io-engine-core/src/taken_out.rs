//! Taking completions out of a vector from the front, each copied once.
#![allow(
    unsafe_code,
    reason = "the elements of a vector whose length has been set to 0"
)]

use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::event::IOEvent;

/// Completions that a vector has given up, and that are still in its memory.
///
/// A `Drain` hands each out by value, and the event is moved out of that: two copies of the largest
/// things that there are on the way of a request.
pub(crate) struct TakenOut<'a, C: IOCallback> {
    /// Empty, so that it drops nothing. Those from `next` to before `end` are initialised.
    memory: &'a mut Vec<Completion<C>>,
    next: usize,
    end: usize,
}

impl<'a, C: IOCallback> TakenOut<'a, C> {
    pub(crate) fn of(completions: &'a mut Vec<Completion<C>>) -> Self {
        let end = completions.len();
        // SAFETY: 0 is no more than the capacity and asks for no initialised element.
        unsafe { completions.set_len(0) };
        Self {
            memory: completions,
            next: 0,
            end,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// The next one, in its place.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<&mut Completion<C>> {
        if self.is_empty() {
            return None;
        }
        let place = self.next_place();
        // SAFETY: it is initialised, because `next` is below `end`, and nobody else refers to it,
        // because the vector counts it out and `self` is borrowed.
        Some(unsafe { &mut *place })
    }

    /// Takes the next one out.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn take(&mut self) -> Completion<C> {
        assert!(!self.is_empty(), "there is a next one");
        let place = self.next_place();
        self.next += 1;
        // SAFETY: it was initialised, and `next` has gone past it: nobody reads it a second time.
        unsafe { place.read() }
    }

    /// Takes the event of the next one out, which has only one and is at its end.
    ///
    /// # Panics
    /// If there is none, or it is none of those.
    #[inline]
    pub(crate) fn take_event(&mut self) -> IOEvent<C> {
        let completion = self.first().expect("there is a next one");
        let event = std::ptr::from_mut(completion.whole_event_mut().expect("it has one event"));
        self.next += 1;
        // SAFETY: it is part of an initialised element, and `next` has gone past that: nobody reads
        // it a second time. The rest of the element is a number of bytes, which needs no drop.
        unsafe { event.read() }
    }

    fn next_place(&mut self) -> *mut Completion<C> {
        // SAFETY: `next` is at most `end`, which is at most the capacity.
        unsafe { self.memory.as_mut_ptr().add(self.next) }
    }
}

impl<C: IOCallback> Drop for TakenOut<'_, C> {
    fn drop(&mut self) {
        while !self.is_empty() {
            drop(self.take());
        }
    }
}
