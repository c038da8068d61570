//! From free to held.
#![allow(
    unsafe_code,
    reason = "a slot is written field by field, and counts as empty until it is whole"
)]

use super::{InFlight, Ticket};
use crate::callback::IOCallback;
use crate::event::IOEvent;
use crate::refusal::Full;
use crate::request::{Progress, Request, Run};
use crate::sync::Ordering;

impl<C: IOCallback> InFlight<C> {
    /// Takes `request` into a free slot; returns it in its place.
    ///
    /// # Errors
    /// [`Full`] with the request if there is none.
    #[inline]
    pub fn insert(
        &mut self,
        request: Request<C>,
    ) -> Result<(Ticket, &mut Request<C>), Full<Request<C>>> {
        let Some(&index) = self.free.last() else {
            return Err(Full(request));
        };
        self.slots[index as usize].request.write(request);
        Ok(self.hold(index))
    }

    /// As [`insert`](Self::insert) of a request for `event`, which is moved once.
    ///
    /// # Errors
    /// [`Full`] with the event if there is no free slot.
    #[inline(always)]
    pub fn insert_event(
        &mut self,
        event: IOEvent<C>,
    ) -> Result<(Ticket, &mut Request<C>), Full<IOEvent<C>>> {
        let taken = match self.write_if(event, |event| !event.is_carrier_or_continued()) {
            Ok(index) => index,
            Err(event) => self.write_with_care(event)?,
        };
        Ok(self.hold(taken))
    }

    /// As [`insert_event`](Self::insert_event), if the event `fits`, is at its beginning and carries no
    /// others.
    ///
    /// It is looked at in its slot: an event that somebody has looked at on the way there is copied
    /// once more.
    ///
    /// # Errors
    /// The event, if it does not fit or there is no free slot.
    #[inline(always)]
    pub fn insert_if(
        &mut self,
        event: IOEvent<C>,
        fits: impl FnOnce(&IOEvent<C>) -> bool,
    ) -> Result<(Ticket, &mut Request<C>), IOEvent<C>> {
        let fits = |event: &IOEvent<C>| !event.is_carrier_or_continued() && fits(event);
        let taken = self.write_if(event, fits)?;
        Ok(self.hold(taken))
    }

    /// Writes a request for `event` into the next free slot, which counts as free still.
    #[inline(always)]
    fn write_if(
        &mut self,
        event: IOEvent<C>,
        fits: impl FnOnce(&IOEvent<C>) -> bool,
    ) -> Result<u32, IOEvent<C>> {
        let Some(&index) = self.free.last() else {
            return Err(event);
        };
        let request = self.slots[index as usize].request.as_mut_ptr();
        // Field by field: a request that is made first and moved then is copied twice.
        // SAFETY: a field of the slot's memory, which outlives this block.
        let run = unsafe { &raw mut (*request).run };
        // SAFETY: the slot is free, so there is no request whose run this would overwrite.
        unsafe { run.write(Run::One(event)) };
        // SAFETY: it has just been written, and is read once more only if it is not kept.
        match unsafe { &*run } {
            Run::One(event) if fits(event) => {}
            Run::One(_) | Run::Many(_) => {
                // SAFETY: as above. The slot is free: nobody else takes it out of there.
                match unsafe { run.read() } {
                    Run::One(event) => return Err(event),
                    Run::Many(_) => unreachable!("one was written"),
                }
            }
        }
        // SAFETY: a field of the slot's memory, as the run.
        let progress = unsafe { &raw mut (*request).progress };
        // SAFETY: as above; with it the request is whole.
        unsafe { progress.write(Progress::NONE) };
        Ok(index)
    }

    /// To make the request can run what the caller has written, and may panic: the slot is not taken yet.
    #[cold]
    fn write_with_care(&mut self, event: IOEvent<C>) -> Result<u32, Full<IOEvent<C>>> {
        let Some(&index) = self.free.last() else {
            return Err(Full(event));
        };
        let request = Request::from(event);
        self.slots[index as usize].request.write(request);
        Ok(index)
    }

    /// The next free slot, number `index`, in which a request has been written, is held from now on.
    #[inline(always)]
    fn hold(&mut self, index: u32) -> (Ticket, &mut Request<C>) {
        self.free.pop();
        let slot = &mut self.slots[index as usize];
        let generation = slot.generation.load(Ordering::Relaxed).wrapping_add(1);
        slot.generation.store(generation, Ordering::Release);
        // SAFETY: it has just been written.
        let request = unsafe { slot.request.assume_init_mut() };
        (Ticket::new(index, generation), request)
    }
}
