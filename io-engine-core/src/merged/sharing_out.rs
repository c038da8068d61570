//! The end of a run: each event gets its share, and the kernel keeps what it may still use.

use super::MergedEvents;
use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::event::IOEvent;

impl<C: IOCallback> MergedEvents<C> {
    /// Gives each event out with its share of the first `reached` bytes of the run, and the memory
    /// back to where it is from.
    pub(crate) fn share_out(
        mut self: Box<Self>,
        reached: u64,
        mut each: impl FnMut(IOEvent<C>, u64),
    ) {
        let (start, own) = (self.events[0].offset(), self.own_count());
        let (leading, sharing) = self.events.split_at_mut(own);
        for (event, leader) in sharing.iter_mut().zip(&mut self.leaders) {
            let leading = &leading[*leader as usize];
            match has_its_bytes(leading) {
                true => event.copy_from(leading, share_of(event, start, reached)),
                false => *leader = LOST,
            }
        }
        for (place, event) in self.events.drain(..).enumerate() {
            let is_served = match place.checked_sub(own) {
                None => has_its_bytes(&event),
                Some(sharer) => self.leaders[sharer] != LOST,
            };
            let reached = if is_served { reached } else { 0 };
            let share = share_of(&event, start, reached);
            each(event, share);
        }
        self.retire();
    }

    /// How many events have not all of their bytes among the first `reached` ones of the run.
    pub(crate) fn unserved_count(&self, reached: u64) -> usize {
        let (start, own) = (self.events[0].offset(), self.own_count());
        let is_served = |place: &usize| {
            let holder = match place.checked_sub(own) {
                None => *place,
                Some(sharer) => self.leaders[sharer] as usize,
            };
            let event = &self.events[*place];
            let is_whole = share_of(event, start, reached) == event.get_size();
            is_whole && has_its_bytes(&self.events[holder])
        };
        let places = 0..self.events.len();
        places.filter(|place| !is_served(place)).count()
    }

    /// Gives up for ever what the kernel may still use, if it was asked for what is behind the first
    /// `skipped` bytes of the run. An event that lies before them keeps its buffer, and so does one that
    /// shares: of these the kernel knows nothing.
    pub(crate) fn leak_kernel_memory(&mut self, skipped: u64) {
        let (start, own) = (self.events[0].offset(), self.own_count());
        for event in &mut self.events[..own] {
            if event.offset().abs_diff(start) + event.get_size() > skipped {
                event.leak_buffer();
            }
        }
        std::mem::forget(self.scratch.take());
        std::mem::forget(std::mem::take(&mut self.segments.0));
        self.pool = None;
    }
}

/// In place of a leader whose buffer the kernel has.
const LOST: u32 = u32::MAX;

/// Not a read whose buffer was given up.
fn has_its_bytes<C: IOCallback>(event: &IOEvent<C>) -> bool {
    event.action() == IOAction::Write || event.buffer().is_some()
}

/// How many bytes of `event` are within the first `reached` bytes of a run that begins at `start`.
fn share_of<C: IOCallback>(event: &IOEvent<C>, start: i64, reached: u64) -> u64 {
    let begin = event.offset().abs_diff(start);
    reached.saturating_sub(begin).min(event.get_size())
}
