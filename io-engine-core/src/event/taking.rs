//! Taking an event that is at its end out of its place.
#![allow(
    unsafe_code,
    reason = "an event has a destructor, and is put together anew where it is going"
)]

use std::ptr;

use super::IOEvent;
use crate::callback::IOCallback;

impl<C: IOCallback> IOEvent<C> {
    /// Moves the event out of `place`, at its end with `transferred` bytes, with which it
    /// [is whole](Self::is_whole_with).
    ///
    /// It is put together anew, with its result. Were it moved first and written to then, the next one to
    /// copy it would wait until these small writes have left the processor's store queue.
    ///
    /// # Safety
    /// From now on `place` counts as empty: nobody uses or drops what is there.
    #[inline(always)]
    pub(crate) unsafe fn take_whole(place: &mut Self, transferred: u64) -> Self {
        let moved = match place.action.moves_bytes() {
            true => u32::try_from(transferred).expect("a transfer is at most TRANSFER_BYTES_MAX"),
            false => 0,
        };
        place.open_again();
        if place.invalid.is_some() {
            place.invalid = None;
        }
        Self {
            // SAFETY: nobody uses or drops the one in `place` after this, as the caller says.
            payload: unsafe { ptr::read(&raw const place.payload) },
            size: place.size,
            // SAFETY: as above.
            file: unsafe { ptr::read(&raw const place.file) },
            offset: place.offset,
            // SAFETY: as above.
            callback: unsafe { ptr::read(&raw const place.callback) },
            invalid: None,
            res: moved.cast_signed(),
            transferred: moved,
            action: place.action,
            end_of_file: false,
        }
    }
}
