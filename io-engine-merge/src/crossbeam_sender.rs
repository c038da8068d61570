//! The senders of crossbeam-channel as event senders.

use crossbeam_channel::Sender;
use io_engine_core::{IOCallback, IOEvent};

use crate::sender::EventSender;

/// Waits for room; fails when every receiver is gone.
impl<C: IOCallback> EventSender<C> for Sender<IOEvent<C>> {
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        self.send(event).map_err(|refused| refused.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use io_engine_core::IOAction;

    use super::*;

    #[test]
    fn a_crossbeam_sender_delivers_and_gives_the_event_back_when_the_receiver_is_gone() {
        let write_at = |offset| IOEvent::<()>::new(3, vec![0; 8].into(), IOAction::Write, offset);
        let (tx, rx) = crossbeam_channel::bounded(1);
        tx.send_event(write_at(1)).unwrap();
        assert_eq!(rx.try_recv().unwrap().offset(), 1);
        drop(rx);
        assert_eq!(tx.send_event(write_at(2)).unwrap_err().offset(), 2);
    }
}
