//! The loop on a context's own thread: gather, turn, deliver, sleep.

use std::cell::RefCell;
use std::hint;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::after;
use io_engine_core::{Backend, IOCallback, IOEvent, Wait};

use crate::channel::{Received, SubmissionQueue};
use crate::crowd::Crowd;
use crate::cycle::{Cycle, Resubmitted};
use crate::idle::{Idle, IdlePolicy, Pace};
use crate::outlet::Outlet;

/// Feeds a [`Cycle`] from a channel and delivers what it finishes, until the channel has ended and
/// all is done.
pub(crate) struct ContextLoop<C: IOCallback, B: Backend<C>, O: Outlet<C>> {
    /// Shared with the callbacks while they run.
    cycle: RefCell<Cycle<C, B>>,
    queue: SubmissionQueue<C>,
    outlet: O,
    finished: Vec<IOEvent<C>>,
    intake: Intake,
    channel_is_next: bool,
    /// How many more events may come from the channel before the next turn.
    portion: usize,
    /// Events that callbacks have handed over and that were admitted since the last gathering.
    admitted: usize,
    /// How long the loop waits before it looks whether the last callbacks have returned.
    patience: Duration,
    policy: IdlePolicy,
    pace: Pace,
    crowd: Crowd,
    callback_panics: Arc<AtomicU64>,
    /// The first error of a broken queue has been logged.
    reported: bool,
    has_given_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// All senders are gone; callbacks may still hand events over.
    Ended,
    /// The context is shutting down: what had been accepted is in, nothing more is taken.
    Closed,
}

/// The share of the depth that is taken from the channel before the next turn where events are answered
/// at once: the callbacks of these keep the sender busy while the next are carried out. Over more it
/// would fall asleep; for fewer it would be woken too often.
const PORTION_SHARE: usize = 2;
const PORTION_MIN: usize = 8;

/// How long a sleep may be that only the doorbell should end.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Between these the time doubles after which the loop looks whether the last callbacks have
/// returned: short ones hold up the end by as little as they last, long ones cost next to nothing.
const PATIENCE_MIN: Duration = Duration::from_micros(100);
const PATIENCE_MAX: Duration = Duration::from_millis(50);

/// How long an event may wait unheard, at most, while much is in flight.
const NAP: Duration = Duration::from_micros(100);
const NAP_IN_FLIGHT_MIN: usize = 8;

/// How long a spin keeps the processor to itself.
const SPIN_ALONE: Duration = Duration::from_micros(50);

/// How long to wait for events when the queue to the kernel is broken and cannot be slept in.
const BROKEN_PAUSE: Duration = Duration::from_millis(20);

impl<C: IOCallback, B: Backend<C>, O: Outlet<C>> ContextLoop<C, B, O> {
    pub(crate) fn new(
        cycle: Cycle<C, B>,
        queue: SubmissionQueue<C>,
        outlet: O,
        idle: Idle,
        callback_panics: Arc<AtomicU64>,
    ) -> Self {
        queue.doorbell().connect(cycle.waker());
        let finished = Vec::with_capacity(cycle.depth());
        Self {
            cycle: RefCell::new(cycle),
            queue,
            outlet,
            finished,
            intake: Intake::Open,
            channel_is_next: true,
            portion: 0,
            admitted: 0,
            patience: PATIENCE_MIN,
            policy: IdlePolicy::new(idle),
            pace: Pace::default(),
            crowd: Crowd::join(),
            callback_panics,
            reported: false,
            has_given_up: false,
        }
    }

    /// Serves the channel until it has ended and every callback has returned.
    pub(crate) fn run(mut self) {
        loop {
            let gathered = self.gather();
            if self.must_give_up() {
                self.give_up();
            }
            if self.is_drained() {
                self.publish_panics();
                // In this order: a callback that has returned hands nothing over any more.
                if self.outlet.has_called_all() && self.outlet.resubmitted() == 0 {
                    return;
                }
                self.wait_for_callbacks();
                continue;
            }
            self.patience = PATIENCE_MIN;
            let can_sleep = !self.cycle.get_mut().is_broken();
            if gathered > 0 && can_sleep && self.pace.answers_come_later() {
                self.sleep();
                continue;
            }
            let finished = self.turn_and_deliver(Wait::Never);
            if gathered > 0 {
                self.pace.has_sent(finished > 0);
            } else if finished == 0 {
                self.idle();
            }
        }
    }

    /// Nothing was to be done: looks for more for a moment where that is worth while, then sleeps.
    fn idle(&mut self) {
        let in_flight = self.cycle.borrow().inside();
        if !self.pace.answers_later()
            && let Some(limit) = self.policy.spin(in_flight)
        {
            let found = self.spin(limit);
            self.policy.has_spun(found);
            if found {
                return;
            }
        }
        if self.policy.times_sleeps(in_flight) {
            let began = Instant::now();
            self.sleep();
            self.policy.has_slept(began.elapsed());
        } else {
            self.sleep();
        }
    }

    /// Looks again and again for something to do; says whether there is something.
    fn spin(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        loop {
            let elapsed = began.elapsed();
            if elapsed >= limit {
                return false;
            }
            // It is left where it is: what is gathered is sent, and shows how soon it is answered.
            if self.must_look_again() || self.something_waits() || self.something_is_due() {
                return true;
            }
            if self.cycle.borrow().inside() > 0 && self.turn_and_deliver(Wait::Never) > 0 {
                return true;
            }
            // Whoever is waited for may be waiting for this processor.
            if elapsed < SPIN_ALONE && !self.crowd.is_dense() {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }

    fn something_waits(&self) -> bool {
        self.may_gather() && (!self.queue.is_empty() || self.outlet.resubmitted() > 0)
    }

    /// Whether there is room in the outlet for what has found none.
    fn something_is_due(&self) -> bool {
        !self.finished.is_empty() && self.outlet.keeps_up()
    }

    /// Lets events in while there is room for them; says how many have come since the last time.
    fn gather(&mut self) -> usize {
        let mut gathered = std::mem::take(&mut self.admitted);
        if self.intake != Intake::Closed && self.queue.doorbell().is_closing() {
            self.intake = Intake::Closed;
            self.outlet.refuse_resubmission();
            for event in self.queue.close() {
                self.cycle.get_mut().admit(event);
                gathered += 1;
            }
        }
        // What is to be joined comes together, but no sender keeps the rest from being sent.
        let cycle = self.cycle.get_mut();
        self.portion = match cycle.batch_max() {
            Some(batch) => batch,
            None if self.pace.answers_later() => usize::MAX,
            None => (cycle.depth() / PORTION_SHARE).max(PORTION_MIN),
        };
        while self.portion > 0 && self.may_gather() && self.gather_one() {
            gathered += 1;
        }
        gathered
    }

    fn may_gather(&self) -> bool {
        self.cycle.borrow().has_room() && self.finished.is_empty() && self.outlet.keeps_up()
    }

    /// Takes turns between what callbacks hand over and the channel, so that callbacks which go on
    /// for ever do not shut the channel out. But when a depth of theirs is waiting they go first:
    /// the channel can wait, they cannot.
    fn gather_one(&mut self) -> bool {
        let channel_may_go = self.outlet.resubmitted() < self.cycle.borrow().depth();
        if self.channel_is_next && channel_may_go && self.gather_from_channel() {
            self.channel_is_next = false;
            return true;
        }
        self.channel_is_next = true;
        if let Some(event) = self.outlet.take_resubmitted() {
            self.cycle.get_mut().admit(event);
            return true;
        }
        self.gather_from_channel()
    }

    fn gather_from_channel(&mut self) -> bool {
        if self.intake != Intake::Open {
            return false;
        }
        match self.queue.receive() {
            Received::Event(event) => {
                self.portion = self.portion.saturating_sub(1);
                self.cycle.get_mut().admit(event);
                true
            }
            Received::Nothing => false,
            Received::Ended => {
                self.intake = Intake::Ended;
                false
            }
        }
    }

    fn is_drained(&self) -> bool {
        self.intake != Intake::Open
            && self.cycle.borrow().inside() == 0
            && self.finished.is_empty()
            && self.outlet.resubmitted() == 0
    }

    /// Nothing is left but callbacks that have not returned. One of them may hand over an event and
    /// wait for it, so the loop listens; that the last has returned it sees by looking.
    fn wait_for_callbacks(&mut self) {
        self.queue.doorbell().handshake().announce_sleep();
        if self.outlet.resubmitted() == 0 && !self.must_close() {
            if self.cycle.borrow().is_broken() {
                let _ = after(self.patience).recv();
            } else {
                self.turn_and_deliver(Wait::Until(Instant::now() + self.patience));
            }
            self.patience = (2 * self.patience).min(PATIENCE_MAX);
        }
        self.queue.doorbell().handshake().wake_up();
    }

    fn turn_and_deliver(&mut self, wait: Wait) -> usize {
        if self.has_given_up {
            return self.give_up();
        }
        if let Err(error) = self.cycle.get_mut().turn(wait) {
            self.report(&error);
        }
        self.deliver()
    }

    fn deliver(&mut self) -> usize {
        // Callbacks that go on for ever do not shut the channel out.
        let resubmitted = match self.queue.is_empty() {
            true => Resubmitted::AdmittedAtOnce,
            false => Resubmitted::LeftInScope,
        };
        let served = self
            .outlet
            .deliver(&self.cycle, &mut self.finished, resubmitted);
        self.admitted += served.admitted;
        if served.delivered.answered > 0 {
            self.publish_panics();
        }
        served.delivered.answered
    }

    fn sleep(&mut self) {
        if self.nap() > 0 {
            return;
        }
        let may_gather = self.may_gather();
        if may_gather {
            self.queue.doorbell().handshake().announce_sleep();
            if self.gather_one() || self.must_look_again() {
                self.queue.doorbell().handshake().wake_up();
                return;
            }
        } else if self.must_look_again() || self.is_unblocked() {
            return;
        }
        if self.cycle.borrow().is_broken() {
            self.pause();
        } else if self.cycle.borrow().inside() > 0 {
            self.turn_and_deliver(Wait::For(1));
        } else {
            self.turn_and_deliver(Wait::Until(Instant::now() + SLEEP_MAX));
        }
        if may_gather {
            self.queue.doorbell().handshake().wake_up();
        }
    }

    /// With much in flight the next answer is near. Until then, or for a moment, the loop sleeps
    /// without saying so: nobody rings, and what is sent meanwhile goes with what the answer lets in.
    fn nap(&mut self) -> usize {
        let in_flight = self.cycle.borrow().inside();
        let is_deep =
            in_flight >= NAP_IN_FLIGHT_MIN && in_flight >= self.cycle.borrow().depth() / 4;
        // Without room for more, nobody would ring anyway.
        if !is_deep || !self.may_gather() || self.cycle.borrow().is_broken() {
            return 0;
        }
        self.turn_and_deliver(Wait::Until(Instant::now() + NAP))
    }

    /// The context may have begun to close, or the last sender may have gone.
    fn must_look_again(&self) -> bool {
        self.must_close() || self.is_drained() || self.must_give_up()
    }

    fn must_give_up(&self) -> bool {
        !self.has_given_up && self.queue.doorbell().is_giving_up()
    }

    /// The end waits for the device no longer, neither for what is inside nor for what still comes.
    fn give_up(&mut self) -> usize {
        let given_up = self.cycle.get_mut().abandon();
        if !std::mem::replace(&mut self.has_given_up, true) {
            tracing::error!(given_up, "a context ended before the device had answered");
        }
        self.queue.doorbell().count_given_up(given_up);
        self.deliver()
    }

    fn must_close(&self) -> bool {
        self.queue.doorbell().is_closing() && self.intake != Intake::Closed
    }

    /// Called where nothing may be gathered. If that was not for want of room in the backend, the
    /// outlet is the reason: then only its own word counts, given after it was told of the sleep.
    /// It may have caught up since the first look, and then nobody would ring.
    fn is_unblocked(&mut self) -> bool {
        let outlet_was_behind = self.cycle.borrow().has_room() || !self.finished.is_empty();
        outlet_was_behind && !self.outlet.stays_behind()
    }

    fn pause(&mut self) {
        if self.intake != Intake::Open || !self.may_gather() {
            let _ = after(BROKEN_PAUSE).recv();
        } else if let Some(event) = self.queue.receive_within(BROKEN_PAUSE) {
            self.cycle.get_mut().admit(event);
        }
    }

    fn report(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.reported, true) {
            tracing::error!(%error, "the queue to the kernel is broken; every event fails from now on");
        }
    }

    fn publish_panics(&self) {
        self.callback_panics
            .store(self.outlet.callback_panics(), Ordering::Relaxed);
    }
}
