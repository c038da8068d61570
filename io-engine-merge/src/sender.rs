//! Where merged events go.

use std::sync::mpsc::SyncSender;

use io_engine_core::{IOCallback, IOEvent};

/// A way to the engine that takes one event at a time and gives it back if it cannot.
///
/// Implemented for the senders of `crossbeam-channel` (feature `crossbeam`), for
/// [`SyncSender`], and for closures; implement it for a sender of your own. Whether
/// [`send_event`](Self::send_event) waits for room or refuses at once is up to the sender, and the
/// [`MergeSubmitter`](crate::MergeSubmitter) in front of it does as the sender does.
///
/// ```
/// use std::sync::mpsc::{TrySendError, sync_channel};
///
/// use io_engine_core::{IOAction, IOEvent};
/// use io_engine_merge::MergeSubmitter;
///
/// // Refuses when the channel is full, where a `SyncSender` by itself would wait.
/// let (tx, rx) = sync_channel::<IOEvent<()>>(128);
/// let try_send = move |event| {
///     tx.try_send(event).map_err(|error| match error {
///         TrySendError::Full(event) | TrySendError::Disconnected(event) => event,
///     })
/// };
/// let mut submitter = MergeSubmitter::new(3, try_send, 64 * 1024, IOAction::Write);
/// submitter.add_event(IOEvent::new(3, vec![0; 4096].into(), IOAction::Write, 0)).unwrap();
/// submitter.flush().unwrap();
/// assert_eq!(rx.try_recv().unwrap().get_size(), 4096);
/// ```
pub trait EventSender<C: IOCallback> {
    /// Hands `event` over: from `Ok` on, it belongs to the receiving side.
    ///
    /// # Errors
    /// The very event, if nobody will receive it or there is no room.
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>>;
}

impl<C, F> EventSender<C> for F
where
    C: IOCallback,
    F: Fn(IOEvent<C>) -> Result<(), IOEvent<C>>,
{
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        self(event)
    }
}

/// Waits for room; fails when the receiver is gone.
impl<C: IOCallback> EventSender<C> for SyncSender<IOEvent<C>> {
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        self.send(event).map_err(|refused| refused.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use io_engine_core::IOAction;

    use super::*;

    fn write_at(offset: i64) -> IOEvent<()> {
        IOEvent::new(3, vec![0; 8].into(), IOAction::Write, offset)
    }

    #[test]
    fn a_sync_sender_delivers_and_gives_the_event_back_when_the_receiver_is_gone() {
        let (tx, rx) = sync_channel(1);
        tx.send_event(write_at(1)).unwrap();
        assert_eq!(rx.try_recv().unwrap().offset(), 1);
        drop(rx);
        assert_eq!(tx.send_event(write_at(2)).unwrap_err().offset(), 2);
    }

    #[test]
    fn a_closure_and_a_reference_to_one_are_senders() {
        let refuse = |event: IOEvent<()>| Err(event);
        assert_eq!(refuse.send_event(write_at(3)).unwrap_err().offset(), 3);
        let borrowed = &refuse;
        assert_eq!(
            EventSender::send_event(&borrowed, write_at(4))
                .unwrap_err()
                .offset(),
            4
        );
    }
}
