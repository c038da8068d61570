//! The requests that the kernel has: a slab that never moves or grows.

use std::fmt;

use crate::callback::IOCallback;
use crate::refusal::Full;
use crate::request::Request;
use crate::sync::{AtomicU32, Ordering};

/// What the kernel carries for a request and gives back with its answer: slot and generation.
///
/// A slot's generation grows each time the slot is emptied, so the ticket of an answered request
/// fits no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The one ticket that is never given to a request: the doorbell's.
    pub const DOORBELL: Self = Self(u64::MAX);

    fn new(index: usize, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | index as u64)
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
        (self.0 & 0xffff_ffff) as usize
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper half of 64 bits has 32"
    )]
    const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Owns the requests that are with the kernel, each in a slot of its own.
///
/// All slots are allocated at the start. A request stays in its slot, and its memory with it, until
/// [`remove`](Self::remove) is called with its ticket.
pub struct InFlight<C: IOCallback> {
    slots: Box<[Slot<C>]>,
    free: Vec<usize>,
}

struct Slot<C: IOCallback> {
    request: Option<Request<C>>,
    generation: u32,
    /// Released before the kernel gets the request, acquired after it was answered. The kernel
    /// orders both on its own; a race detector, which cannot see into the kernel, needs this.
    hand_over: AtomicU32,
}

impl<C: IOCallback> InFlight<C> {
    /// A slab of `capacity` slots.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let slot = |_| Slot {
            request: None,
            generation: 0,
            hand_over: AtomicU32::new(0),
        };
        Self {
            slots: (0..capacity).map(slot).collect(),
            // Popped from the end: the slots that were used last are warm.
            free: (0..capacity).rev().collect(),
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

    /// Takes `request` into a free slot.
    ///
    /// # Errors
    /// [`Full`] with the request if there is none.
    pub fn insert(&mut self, request: Request<C>) -> Result<Ticket, Full<Request<C>>> {
        let Some(index) = self.free.pop() else {
            return Err(Full(request));
        };
        let slot = &mut self.slots[index];
        debug_assert!(slot.request.is_none(), "a free slot is empty");
        slot.request = Some(request);
        slot.hand_over.store(slot.generation, Ordering::Release);
        Ok(Ticket::new(index, slot.generation))
    }

    /// The request behind `ticket`, in its place.
    ///
    /// # Panics
    /// If the ticket is stale or was never given.
    pub fn get_mut(&mut self, ticket: Ticket) -> &mut Request<C> {
        let slot = &mut self.slots[ticket.index()];
        assert_eq!(slot.generation, ticket.generation(), "stale {ticket:?}");
        slot.request
            .as_mut()
            .expect("the generation of a held slot is current")
    }

    /// Takes the request behind `ticket` out of its slot. The kernel must be done with it.
    ///
    /// # Panics
    /// If the ticket is stale or was never given: an answer to a request that is not there would
    /// be a wrong callback.
    pub fn remove(&mut self, ticket: Ticket) -> Request<C> {
        let slot = &mut self.slots[ticket.index()];
        let handed_over = slot.hand_over.load(Ordering::Acquire);
        assert_eq!(slot.generation, ticket.generation(), "stale {ticket:?}");
        debug_assert_eq!(handed_over, slot.generation);
        let request = slot
            .request
            .take()
            .expect("the generation of a held slot is current");
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(ticket.index());
        request
    }

    /// The tickets of all requests held.
    #[must_use]
    pub fn tickets(&self) -> Vec<Ticket> {
        let held = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.request.is_some());
        held.map(|(index, slot)| Ticket::new(index, slot.generation))
            .collect()
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
