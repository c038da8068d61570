//! Callbacks that wait for room in the very channel that feeds their loop.

use std::time::{Duration, Instant};

use crate::callback_watch::CallbackWatch;

/// Tells a knot from a slow disk and from slow callbacks, by whether callbacks begin.
///
/// A callback that sends to a full plain channel blocks, and the loop may be waiting for that very
/// callback. To take an event out of the channel lets it go on. A slow callback looks the same from
/// outside, but it does not go on because an event was taken out: the more are taken in vain, and the more
/// of them wait, the longer has the next to wait, so that senders are held back by slow callbacks too.
#[derive(Debug)]
pub(crate) struct Knot {
    is_watching: bool,
    /// Callbacks that had begun at the last look.
    begun: usize,
    /// When something was last seen to move, or an event was taken out.
    since: Option<Instant>,
    /// Events that were taken out in vain since one was not.
    in_vain: u32,
    /// Events that were taken out with effect since one was not.
    in_a_row: u32,
    /// When an event was taken out, if that was at the last look.
    taken: Option<Instant>,
    /// That has let a callback go on, once.
    was_tied: bool,
}

/// How long nothing has to move before an event is taken out. A slow disk is no knot: no callback runs
/// then. Callbacks of this length are no knot either.
const PATIENCE: Duration = Duration::from_millis(1);

/// How long, where it is certain that callbacks wait for it one after the other.
const SOON: Duration = Duration::from_micros(50);

/// So many in a row make it certain: that a callback began just then may have had other reasons.
const CERTAIN: u32 = 8;

/// What is seen to move later after an event was taken may well have moved for other reasons.
const SOON_ENOUGH: Duration = Duration::from_micros(200);

/// So many in vain double the time. Not each: it is not always seen what an event has brought about, and
/// other senders take some of the room that is made.
const VAIN_TO_DOUBLE: u32 = 4;

/// So many that wait double it as well, however it goes: they are bounded by what the longest time allows.
const WAITING_TO_DOUBLE: usize = 128;

/// The longest time is 29 s.
const DOUBLINGS_MAX: u32 = 14;

/// The longest time between two looks.
const LOOK: Duration = Duration::from_millis(50);

impl Knot {
    pub(crate) fn new() -> Self {
        Self {
            is_watching: false,
            begun: 0,
            since: None,
            in_vain: 0,
            in_a_row: 0,
            taken: None,
            was_tied: false,
        }
    }

    /// How long to wait for room before the next look, while so many that were taken out are `waiting`.
    #[inline]
    pub(crate) fn next_look(&self, waiting: usize) -> Duration {
        if self.taken.is_some() {
            SOON
        } else {
            self.patience(waiting).min(LOOK)
        }
    }

    fn patience(&self, waiting: usize) -> Duration {
        let by_waiting = u32::try_from(waiting / WAITING_TO_DOUBLE).unwrap_or(u32::MAX);
        let doublings = by_waiting.saturating_add(self.in_vain / VAIN_TO_DOUBLE);
        let first = match self.in_a_row {
            0..CERTAIN => PATIENCE,
            _ => SOON,
        };
        // In small steps: it might keep pace with callbacks of some length.
        let steps = VAIN_TO_DOUBLE + self.in_vain % VAIN_TO_DOUBLE;
        first * (steps << doublings.min(DOUBLINGS_MAX)) / VAIN_TO_DOUBLE
    }

    /// There was no room until now: whether an event is to be taken out of the channel, if that is full.
    pub(crate) fn is_tied(&mut self, callbacks: &CallbackWatch, waiting: usize) -> bool {
        let begun = callbacks.begun();
        let moves = !self.is_watching || begun != self.begun || !callbacks.are_running();
        self.begun = begun;
        self.watch(callbacks, true);
        self.learn(moves);
        if moves {
            self.since = None;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.patience(waiting)
    }

    /// An event was taken out.
    pub(crate) fn has_taken(&mut self) {
        self.taken = Some(Instant::now());
        self.since = self.taken;
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
            self.in_vain = 0;
            self.watch(callbacks, false);
        }
    }

    fn learn(&mut self, moves: bool) {
        let Some(taken) = self.taken.take() else {
            return;
        };
        if !moves {
            self.in_vain += 1;
            self.in_a_row = 0;
            return;
        }
        if taken.elapsed() > SOON_ENOUGH {
            return;
        }
        self.in_vain = 0;
        self.in_a_row += 1;
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
            let _ = after(knot.next_look(taken).min(Duration::from_millis(1))).recv();
            if knot.is_tied(callbacks, taken) {
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
        assert!((1..=32).contains(&taken), "{taken} in 200 ms");
    }

    #[test]
    fn what_moves_late_says_nothing_of_an_event_that_was_taken() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        let _running = callbacks.run();
        knot.is_tied(&callbacks, 0);
        for _ in 0..CERTAIN {
            knot.has_taken();
            let _ = after(2 * SOON_ENOUGH).recv();
            callbacks.begin_one();
            assert!(!knot.is_tied(&callbacks, 0), "something moves");
        }
        assert_eq!(knot.patience(0), PATIENCE);
    }

    #[test]
    fn events_that_are_taken_with_effect_again_and_again_follow_soon() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        let _running = callbacks.run();
        assert!(!knot.is_tied(&callbacks, 0), "nothing was seen yet");
        // Not each of them is looked at in time on a busy machine.
        for _ in 0..100 * CERTAIN {
            knot.has_taken();
            callbacks.begin_one();
            assert!(!knot.is_tied(&callbacks, 0), "something moves");
        }
        assert_eq!(knot.patience(0), SOON);
        knot.has_taken();
        knot.is_tied(&callbacks, 0);
        assert!(knot.patience(0) > PATIENCE, "that one was in vain");
    }

    #[test]
    fn the_more_wait_the_longer_the_next_has_to() {
        let mut knot = Knot::new();
        assert_eq!(knot.patience(0), PATIENCE);
        assert_eq!(knot.patience(WAITING_TO_DOUBLE), 2 * PATIENCE);
        knot.in_vain = VAIN_TO_DOUBLE + VAIN_TO_DOUBLE / 2;
        assert_eq!(knot.patience(WAITING_TO_DOUBLE), 6 * PATIENCE);
        let longest = knot.patience(usize::MAX);
        assert!(longest >= PATIENCE * (1 << DOUBLINGS_MAX));
        assert_eq!(knot.next_look(usize::MAX), LOOK);
    }

    #[test]
    fn callbacks_are_counted_only_until_all_that_was_taken_has_moved() {
        let (mut knot, callbacks) = (Knot::new(), CallbackWatch::new());
        callbacks.begin_one();
        knot.is_tied(&callbacks, 0);
        callbacks.begin_one();
        knot.has_moved(&callbacks, false);
        callbacks.begin_one();
        knot.has_moved(&callbacks, true);
        callbacks.begin_one();
        assert_eq!(callbacks.begun(), 2);
    }
}
