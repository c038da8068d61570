//! Callbacks that wait for room in the very channel that feeds their loop.

use std::time::{Duration, Instant};

use crate::callback_watch::CallbackWatch;

/// Tells a knot from a slow disk and from slow callbacks, by whether callbacks begin.
///
/// A callback that sends to a full plain channel blocks, and the loop may be waiting for that very
/// callback. To take an event out of the channel lets it go on. A slow callback looks the same from
/// outside, but it does not go on because an event was taken out: each time that one was taken in vain,
/// the next has to wait twice as long, so that senders are held back by slow callbacks too.
#[derive(Debug)]
pub(crate) struct Knot {
    is_watching: bool,
    /// Callbacks that had begun at the last look.
    begun: usize,
    /// When something was last seen to move, or an event was taken out.
    since: Option<Instant>,
    /// How long nothing has to move before an event is taken out.
    patience: Duration,
    /// An event was taken out at the last look.
    has_taken: bool,
    /// That has let a callback go on, once.
    was_tied: bool,
}

/// How long nothing has to move the first time. A slow disk is no knot: no callback runs then.
const PATIENCE: Duration = Duration::from_millis(1);

/// How soon a callback goes on for which an event was taken out, and how long nothing has to move then
/// before the next is: such callbacks come one after the other, and each of them holds up the loop.
const SOON: Duration = Duration::from_micros(50);

/// The longest that a knot may stay as it is among callbacks that are slow as well.
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// The longest time between two looks.
const LOOK: Duration = Duration::from_millis(50);

impl Knot {
    pub(crate) fn new() -> Self {
        Self {
            is_watching: false,
            begun: 0,
            since: None,
            patience: PATIENCE,
            has_taken: false,
            was_tied: false,
        }
    }

    /// How long to wait for room before the next look.
    #[inline]
    pub(crate) fn next_look(&self) -> Duration {
        if self.has_taken {
            SOON
        } else {
            self.patience.min(LOOK)
        }
    }

    /// There was no room until now: whether an event is to be taken out of the channel, if that is full.
    pub(crate) fn is_tied(&mut self, callbacks: &CallbackWatch) -> bool {
        let begun = callbacks.begun();
        let moves = !self.is_watching || begun != self.begun || !callbacks.are_running();
        self.begun = begun;
        self.watch(callbacks, true);
        self.learn(moves);
        if moves {
            self.since = None;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.patience
    }

    /// An event was taken out.
    pub(crate) fn has_taken(&mut self) {
        self.has_taken = true;
        self.since = None;
    }

    /// There was room; `is_over` if nothing is left of what was taken out.
    #[inline]
    pub(crate) fn has_moved(&mut self, callbacks: &CallbackWatch, is_over: bool) {
        if !self.is_watching {
            return;
        }
        self.learn(true);
        self.since = None;
        if is_over {
            self.patience = PATIENCE;
            self.watch(callbacks, false);
        }
    }

    fn learn(&mut self, moves: bool) {
        if !std::mem::take(&mut self.has_taken) {
            return;
        }
        if !moves {
            self.patience = (2 * self.patience).min(PATIENCE_MAX);
            return;
        }
        self.patience = SOON;
        if !std::mem::replace(&mut self.was_tied, true) {
            tracing::warn!(
                "callbacks wait for room in the channel that feeds their context, and each of them holds it up; let them hand events over with `io_engine::resubmit`, or feed it by `io_engine::channel`"
            );
        }
    }

    fn watch(&mut self, callbacks: &CallbackWatch, is_watching: bool) {
        if self.is_watching != is_watching {
            self.is_watching = is_watching;
            callbacks.watch(is_watching);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::after;

    use super::*;

    /// How many of `looks` say that an event is to be taken out, which has no effect.
    fn taken_in_vain(knot: &mut Knot, callbacks: &CallbackWatch, time: Duration) -> usize {
        let began = Instant::now();
        let mut taken = 0;
        while began.elapsed() < time {
            let _ = after(knot.next_look().min(Duration::from_millis(1))).recv();
            if knot.is_tied(callbacks) {
                knot.has_taken();
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn no_event_is_taken_where_no_callback_runs() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        let taken = taken_in_vain(&mut knot, &callbacks, Duration::from_millis(30));
        assert_eq!(taken, 0);
    }

    #[test]
    fn a_slow_callback_lets_few_events_be_taken() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        let _running = callbacks.run();
        let taken = taken_in_vain(&mut knot, &callbacks, Duration::from_millis(200));
        assert!((1..=8).contains(&taken), "{taken} in 200 ms");
    }

    #[test]
    fn an_event_that_was_taken_with_effect_is_followed_soon() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        let _running = callbacks.run();
        taken_in_vain(&mut knot, &callbacks, Duration::from_millis(40));
        let slow = knot.patience;
        knot.has_taken();
        callbacks.begin_one();
        assert!(!knot.is_tied(&callbacks), "something moves");
        assert!(slow > PATIENCE, "{slow:?}");
        assert_eq!(knot.next_look(), SOON);
    }

    #[test]
    fn callbacks_are_counted_only_until_all_that_was_taken_has_moved() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        callbacks.begin_one();
        knot.is_tied(&callbacks);
        callbacks.begin_one();
        knot.has_moved(&callbacks, false);
        callbacks.begin_one();
        knot.has_moved(&callbacks, true);
        callbacks.begin_one();
        assert_eq!(callbacks.begun(), 2);
    }
}
