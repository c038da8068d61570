//! What a context does between running out of work and sleeping.

use std::time::Duration;

/// What the thread of a context does when it has nothing to do.
///
/// To be woken costs tens of microseconds, and the sender that wakes a system call. To look again and
/// again (to spin) costs a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// Sleeps at once. The least CPU time.
    Park,
    /// Spins for this long before it sleeps. For those who know how soon the next event comes, and
    /// have a core to spare.
    Spin(Duration),
    /// Spins for at most 100 µs where work has been coming back sooner than that, and sleeps at once
    /// where it has not. Uses no CPU time while there is nothing to do.
    #[default]
    Adaptive,
}

/// Decides, and learns from how it went.
#[derive(Debug)]
pub(crate) struct IdlePolicy {
    idle: Idle,
    /// From `-CONFIDENCE_MAX`: spinning was in vain, to `CONFIDENCE_MAX`: it was not. From 0 on, it
    /// spins.
    confidence: i32,
}

/// The longest spin: twice what it takes to be woken. The sender may be waking up itself, because of
/// a callback.
const SPIN_MAX: Duration = Duration::from_micros(100);

/// A sleep that was over this soon would have been a successful spin: waking up is a part of it.
const SHORT_SLEEP: Duration = Duration::from_micros(120);

/// With more in flight the device is busy while the loop wakes up, and nothing is gained.
const IN_FLIGHT_MAX: usize = 2;

/// So many times may it go wrong after having gone well, and the other way round.
const CONFIDENCE_MAX: i32 = 8;

impl IdlePolicy {
    pub(crate) fn new(idle: Idle) -> Self {
        Self {
            idle,
            confidence: 0,
        }
    }

    /// How long to spin now, with so many requests in flight; `None` is not at all.
    pub(crate) fn spin(&self, in_flight: usize) -> Option<Duration> {
        match self.idle {
            Idle::Park => None,
            Idle::Spin(limit) => Some(limit),
            Idle::Adaptive => {
                (self.confidence >= 0 && in_flight <= IN_FLIGHT_MAX).then_some(SPIN_MAX)
            }
        }
    }

    /// Whether it wants to know how long a sleep was that began with so many requests in flight.
    pub(crate) fn times_sleeps(&self, in_flight: usize) -> bool {
        self.idle == Idle::Adaptive && self.confidence < 0 && in_flight <= IN_FLIGHT_MAX
    }

    /// After a spin: whether it has found something to do.
    pub(crate) fn has_spun(&mut self, found: bool) {
        self.learn(found);
    }

    /// After a sleep that it wanted to know about.
    pub(crate) fn has_slept(&mut self, lasted: Duration) {
        self.learn(lasted <= SHORT_SLEEP);
    }

    fn learn(&mut self, good: bool) {
        // Once it begins to go the other way, it is at the border in two steps of four.
        let step = match (good, self.confidence < 0) {
            (true, false) | (false, true) => 1,
            (true, true) | (false, false) => 4,
        };
        let change = if good { step } else { -step };
        self.confidence = (self.confidence + change).clamp(-CONFIDENCE_MAX, CONFIDENCE_MAX);
    }
}

/// Whether the kernel answers what is sent to it at once, as from the page cache.
///
/// Where it does not, the loop sends and sleeps in one system call. Where it does, that would make it
/// say that it sleeps, and senders would ring, for nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    answers_later: bool,
    /// Since it was seen that answers come later.
    sent_blindly: u32,
}

/// So many times later it is looked at anew.
const BLINDLY_MAX: u32 = 32;

impl Pace {
    /// Whether to sleep at once after sending, as far as is known.
    pub(crate) fn answers_come_later(&mut self) -> bool {
        self.sent_blindly += 1;
        self.answers_later && self.sent_blindly <= BLINDLY_MAX
    }

    /// Whether answers came later when that was last looked at.
    pub(crate) fn answers_later(&self) -> bool {
        self.answers_later
    }

    /// After something was sent without sleeping: whether anything was answered at once.
    pub(crate) fn has_sent(&mut self, answered_at_once: bool) {
        self.answers_later = !answered_at_once;
        self.sent_blindly = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(40);
    const LONG: Duration = Duration::from_millis(1);

    #[test]
    fn it_spins_while_spinning_finds_something() {
        let mut policy = IdlePolicy::new(Idle::Adaptive);
        for _ in 0..1000 {
            assert_eq!(policy.spin(0), Some(SPIN_MAX));
            policy.has_spun(true);
        }
    }

    #[test]
    fn it_stops_spinning_after_a_few_times_in_vain_and_begins_again_after_short_sleeps() {
        let mut policy = IdlePolicy::new(Idle::Adaptive);
        for _ in 0..100 {
            policy.has_spun(true);
        }
        let in_vain = (0..100).take_while(|_| {
            let spins = policy.spin(0).is_some();
            policy.has_spun(false);
            spins
        });
        assert!(in_vain.count() <= 4);
        for _ in 0..100 {
            assert_eq!(policy.spin(0), None);
            assert!(policy.times_sleeps(0));
            policy.has_slept(LONG);
        }
        let sleeps = (0..100).take_while(|_| {
            let sleeps = policy.spin(0).is_none();
            policy.has_slept(SHORT);
            sleeps
        });
        assert!(sleeps.count() <= 4);
    }

    #[test]
    fn it_does_not_spin_while_the_device_is_busy() {
        let policy = IdlePolicy::new(Idle::Adaptive);
        assert_eq!(policy.spin(128), None);
        assert!(!policy.times_sleeps(128));
    }

    #[test]
    fn the_pace_of_answers_is_looked_at_again_and_again() {
        let mut pace = Pace::default();
        assert!(!pace.answers_come_later());
        for _ in 0..3 {
            pace.has_sent(false);
            let blindly = (0..100).take_while(|_| pace.answers_come_later());
            assert_eq!(blindly.count(), BLINDLY_MAX as usize);
        }
        pace.has_sent(true);
        assert!(!pace.answers_come_later());
    }

    #[test]
    fn what_was_asked_for_is_done_whatever_happens() {
        let limit = Duration::from_secs(1);
        for (idle, spin) in [(Idle::Park, None), (Idle::Spin(limit), Some(limit))] {
            let mut policy = IdlePolicy::new(idle);
            for found in [false, false, false, true, true] {
                assert_eq!(policy.spin(0), spin);
                assert_eq!(policy.spin(128), spin);
                assert!(!policy.times_sleeps(0));
                policy.has_spun(found);
            }
        }
    }
}
