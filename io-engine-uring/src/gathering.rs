//! How many completions one sleep waits for.
//!
//! Waking up costs more than a request does. Where completions come back fast it pays to sleep until
//! several are there; where they come one by one it only makes the first one late. The kernel's
//! minimum wait (Linux 6.12) bounds how late: it waits for many for a moment, and for one after that.
//! How fast they come back is seen by trying, without a clock.

/// What to ask the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Sleep until this many completions are there ...
    pub(crate) count: usize,
    /// ... or for this long, in microseconds, if there is one by then. 0: for `count` in any case.
    pub(crate) moment_us: u32,
}

impl Target {
    /// Not to sleep at all.
    pub(crate) const NOTHING: Self = Self {
        count: 0,
        moment_us: 0,
    };
}

/// Learns from what each sleep has brought.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Whether the kernel has a minimum wait.
    possible: bool,
    /// Whether sleeps wait for several.
    on: bool,
    /// Sleeps in a row that have brought too few.
    poor: u32,
    /// Sleeps left before waiting for several is tried again.
    rest: u32,
    /// Whether the last sleep was one that waited for several.
    waited_for_several: bool,
}

/// How long a completion may be held up by waiting for others: less than a fast disk takes.
const MOMENT_US: u32 = 20;

/// With fewer in flight, waiting for several costs more than it saves.
const IN_FLIGHT_MIN: usize = 8;

/// The share of what is in flight that a sleep waits for: the others keep the device busy while these
/// are served.
const SHARE: usize = 4;

/// A sleep that brings fewer has waited in vain.
const WORTHWHILE: usize = 3;

/// So many sleeps in vain, and it is given up for `REST` sleeps.
const POOR_MAX: u32 = 8;
const REST: u32 = 512;

impl Gathering {
    pub(crate) fn new(possible: bool) -> Self {
        Self {
            possible,
            on: possible,
            poor: 0,
            rest: 0,
            waited_for_several: false,
        }
    }

    /// For a sleep that needs `missing` completions, at least one, of `in_flight` requests.
    pub(crate) fn target(&mut self, missing: usize, in_flight: usize) -> Target {
        // Without a minimum wait, a sleep for several would sleep through the doorbell.
        let mut target = Target {
            count: 1,
            moment_us: 0,
        };
        self.waited_for_several = false;
        if !self.possible {
            return target;
        }
        if missing > 1 {
            target.count = missing.min(in_flight);
        } else if self.on && in_flight >= IN_FLIGHT_MIN {
            target.count = in_flight / SHARE;
            self.waited_for_several = true;
        }
        if target.count > 1 {
            target.moment_us = MOMENT_US;
        }
        target
    }

    /// Whether it has something to learn from the sleep that it was asked about last.
    pub(crate) fn is_learning(&self) -> bool {
        self.waited_for_several || (self.possible && !self.on)
    }

    /// After the sleep, which has brought `came` completions.
    pub(crate) fn learn(&mut self, came: usize) {
        if self.waited_for_several {
            self.poor = if came < WORTHWHILE { self.poor + 1 } else { 0 };
            if self.poor >= POOR_MAX {
                self.on = false;
                self.rest = REST;
            }
        } else if self.possible && !self.on {
            self.rest = self.rest.saturating_sub(1);
            if self.rest == 0 {
                self.on = true;
                self.poor = POOR_MAX / 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Target = Target {
        count: 1,
        moment_us: 0,
    };

    #[test]
    fn without_a_minimum_wait_every_sleep_is_for_one() {
        let mut gathering = Gathering::new(false);
        assert_eq!(gathering.target(1, 128), ONE);
        assert_eq!(gathering.target(100, 128), ONE);
    }

    #[test]
    fn few_in_flight_are_waited_for_one_by_one() {
        let mut gathering = Gathering::new(true);
        assert_eq!(gathering.target(1, IN_FLIGHT_MIN - 1), ONE);
        assert_eq!(gathering.target(1, 1), ONE);
        assert_eq!(gathering.target(1, 128).count, 32);
    }

    #[test]
    fn as_many_as_were_asked_for_are_waited_for_but_no_more_than_there_are() {
        let mut gathering = Gathering::new(true);
        assert_eq!(gathering.target(5, 128).count, 5);
        assert_eq!(gathering.target(5, 3).count, 3);
    }

    #[test]
    fn it_is_given_up_where_completions_come_one_by_one_and_tried_again_later() {
        let mut gathering = Gathering::new(true);
        for _ in 0..POOR_MAX {
            assert_eq!(gathering.target(1, 128).count, 32);
            gathering.learn(1);
        }
        for _ in 0..REST {
            assert_eq!(gathering.target(1, 128), ONE);
            gathering.learn(1);
        }
        assert_eq!(gathering.target(1, 128).count, 32, "tried again");
        for _ in 0..100 {
            gathering.learn(32);
            assert_eq!(gathering.target(1, 128).count, 32, "and kept");
        }
    }

    #[test]
    fn now_and_then_a_poor_sleep_changes_nothing() {
        let mut gathering = Gathering::new(true);
        for sleep in 0..1000 {
            assert_eq!(gathering.target(1, 128).count, 32);
            gathering.learn(if sleep % 4 == 0 { 32 } else { 1 });
        }
    }
}
