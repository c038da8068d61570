//! Using an event once more.

use super::{IOEvent, NOT_DONE, Payload};
use crate::action::IOAction;
use crate::callback::IOCallback;

impl<C: IOCallback> IOEvent<C> {
    /// Makes it a new event for the same file with the same buffer, as [`new`](Self::new) would: it covers
    /// what is in use of the buffer, and has no result and no callback.
    ///
    /// The cheapest way for a callback to go on: neither buffer nor file is moved or counted anew. What an
    /// event without a buffer covers stays as it is; so does what is [merged](Self::from_merged).
    ///
    /// ```
    /// use io_engine_core::{IOAction, IOCallback, IOEvent};
    ///
    /// /// Reads a file block by block.
    /// struct Next;
    ///
    /// impl IOCallback for Next {
    ///     fn call(self, mut event: IOEvent<Self>) {
    ///         if event.get_result().is_ok_and(|read| read as u64 == event.get_size()) {
    ///             let next = event.offset() + event.get_size().cast_signed();
    ///             event.renew(IOAction::Read, next);
    ///             event.set_callback(self);
    ///             // io_engine::resubmit(event)
    ///         }
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn renew(&mut self, action: IOAction, offset: i64) {
        match &self.payload {
            Payload::Buffer(buffer) => self.size = buffer.len() as u64,
            Payload::Nothing => {}
            Payload::Merged(_) => return,
        }
        self.offset = offset;
        self.action = action;
        // Nearly always there is none, and nothing to drop.
        if self.callback.is_some() {
            self.callback = None;
        }
        self.forget_result();
    }

    #[inline]
    fn forget_result(&mut self) {
        if self.invalid.is_some() {
            self.invalid = None;
        }
        self.res = NOT_DONE;
        self.transferred = 0;
        self.end_of_file = false;
    }
}
