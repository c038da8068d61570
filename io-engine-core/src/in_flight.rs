//! The requests that the kernel has: a slab that never moves or grows.
#![allow(
    unsafe_code,
    reason = "a slot is uninitialised memory while it is free"
)]

use std::fmt;
use std::mem::MaybeUninit;

use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::request::Request;
use crate::sync::{AtomicU32, Ordering};

mod answering;
mod inserting;

/// What the kernel carries for a request and gives back with its answer: slot and generation.
///
/// A slot's generation grows each time the slot is filled or emptied, and is odd while it is held, so
/// the ticket of an answered request fits no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The one ticket that is never given to a request: the doorbell's.
    pub const DOORBELL: Self = Self(u64::MAX);

    fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    /// The ticket as user data of a queue entry.
    #[must_use]
    pub const fn to_user_data(self) -> u64 {
        self.0
    }

    /// The ticket that came back as user data.
    #[must_use]
    pub const fn from_user_data(user_data: u64) -> Self {
        Self(user_data)
    }

    /// The slot, below the capacity of the slab.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot() as usize
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the lower half of 64 bits has 32"
    )]
    const fn slot(self) -> u32 {
        self.0 as u32
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper half of 64 bits has 32"
    )]
    const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// In bytes, on every processor with [`InFlight::prefetch`].
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Owns the requests that are with the kernel, each in a slot of its own.
///
/// All slots are allocated at the start. A request stays in its slot, and its memory with it, until
/// [`remove`](Self::remove) is called with its ticket.
pub struct InFlight<C: IOCallback> {
    slots: Box<[Slot<C>]>,
    free: Vec<u32>,
    /// The one that was last called whole, or [`Ticket::DOORBELL`], which no request has: every other
    /// request may still be with the kernel.
    whole: Ticket,
    /// What the kernel said to it.
    whole_bytes: u64,
}

/// Not an `Option`: a request is large, and is to be copied once on its way in and once on its way
/// out. Marking the place empty where the request was makes the compiler copy it twice.
///
/// Two cache lines, with a small callback.
#[repr(align(64))]
struct Slot<C: IOCallback> {
    /// Initialised exactly while the generation is odd.
    request: MaybeUninit<Request<C>>,
    /// Odd while the slot is held. Released before the kernel gets the request, acquired after it
    /// was answered: the kernel orders both on its own; a race detector, which cannot see into the
    /// kernel, needs this.
    generation: AtomicU32,
}

const _: () = assert!(size_of::<Slot<()>>() == 128 || size_of::<usize>() != 8);

impl<C: IOCallback> Slot<C> {
    fn is_held(&self) -> bool {
        self.generation.load(Ordering::Relaxed) % 2 == 1
    }
}

impl<C: IOCallback> InFlight<C> {
    /// A slab of `capacity` slots.
    ///
    /// # Panics
    /// If a ticket has no room for that many.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let count = u32::try_from(capacity).expect("a slot's number has 32 bits");
        let slot = |_| Slot {
            request: MaybeUninit::uninit(),
            generation: AtomicU32::new(0),
        };
        Self {
            slots: (0..capacity).map(slot).collect(),
            // Popped from the end: the slots that were used last are warm.
            free: (0..count).rev().collect(),
            whole: Ticket::DOORBELL,
            whole_bytes: 0,
        }
    }

    /// How many requests it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many requests it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The request behind `ticket`, in its place.
    ///
    /// # Panics
    /// If the ticket is stale or was never given.
    pub fn get_mut(&mut self, ticket: Ticket) -> &mut Request<C> {
        let slot = &mut self.slots[ticket.index()];
        assert_current(ticket, slot.generation.load(Ordering::Relaxed));
        // SAFETY: the generation is odd, so the request was written and has not been taken out.
        unsafe { slot.request.assume_init_mut() }
    }

    /// Takes the request behind `ticket` out of its slot. The kernel must be done with it.
    ///
    /// # Panics
    /// If the ticket is stale or was never given: an answer to a request that is not there would
    /// be a wrong callback.
    #[inline]
    pub fn remove(&mut self, ticket: Ticket) -> Request<C> {
        let slot = &mut self.slots[ticket.index()];
        let generation = slot.generation.load(Ordering::Acquire);
        assert_current(ticket, generation);
        slot.generation
            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: the generation was odd, so the request had been written and not taken out. It is
        // even now: nobody takes it out a second time.
        unsafe { slot.request.assume_init_read() }
    }

    /// Asks the processor to have the slot behind `ticket` in its cache soon: while callbacks run, what
    /// they copy pushes the slots out.
    #[inline]
    pub fn prefetch(&self, ticket: Ticket) {
        #[cfg(target_arch = "x86_64")]
        if let Some(slot) = self.slots.get(ticket.index()) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let start = std::ptr::from_ref(slot).cast::<i8>();
            for line in (0..size_of::<Slot<C>>()).step_by(CACHE_LINE) {
                // SAFETY: a prefetch reads and writes nothing, whatever the address.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = ticket;
    }

    /// As [`remove`](Self::remove), and appends the request to `done` with the kernel's answer:
    /// bytes from 0 on, below 0 a negated errno.
    ///
    /// # Panics
    /// As [`remove`](Self::remove).
    #[inline]
    pub fn complete(&mut self, ticket: Ticket, result: i64, done: &mut Vec<Completion<C>>) {
        // Room is made first: nothing then stands between the slot and the place in `done`, and the
        // request is copied once.
        done.reserve(1);
        let len = done.len();
        let request = self.remove(ticket);
        done.spare_capacity_mut()[0].write(Completion::from_kernel(request, result));
        // SAFETY: there was room for one more, and it has just been written.
        unsafe { done.set_len(len + 1) };
    }

    /// Shows each request to `look`, with its ticket.
    pub fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        for (index, slot) in (0..).zip(&self.slots) {
            if slot.is_held() {
                let generation = slot.generation.load(Ordering::Relaxed);
                // SAFETY: the generation is odd, so the request was written and has not been taken out.
                let request = unsafe { slot.request.assume_init_ref() };
                look(Ticket::new(index, generation), request);
            }
        }
    }

    /// The tickets of all requests held.
    #[must_use]
    pub fn tickets(&self) -> Vec<Ticket> {
        let held = (0..).zip(&self.slots).filter(|(_, slot)| slot.is_held());
        held.map(|(index, slot)| Ticket::new(index, slot.generation.load(Ordering::Relaxed)))
            .collect()
    }
}

/// Panics unless `ticket` is of a slot that is held, with this `generation`.
#[inline]
fn assert_current(ticket: Ticket, generation: u32) {
    let is_current = ticket.generation() == generation && generation % 2 == 1;
    assert!(is_current, "stale {ticket:?}");
}

impl<C: IOCallback> Drop for InFlight<C> {
    fn drop(&mut self) {
        for ticket in self.tickets() {
            drop(self.remove(ticket));
        }
    }
}

impl<C: IOCallback> fmt::Debug for InFlight<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
