//! When a fault strikes.

use std::os::fd::RawFd;

use super::dice::Dice;
use super::disk::SimFile;
use super::faults::{Fault, Injected, Stage};
use crate::action::IOAction;

/// A fault, and when it strikes: made by [`Fault::nth`], [`Fault::from_nth`] or [`Fault::one_in`], given
/// to [`SimDisk::inject`](super::SimDisk::inject).
///
/// It counts requests to the disk to which the fault can happen. Each attempt counts: the rest of a
/// short transfer is a request of its own.
///
/// ```
/// use io_engine_core::IOAction;
/// use io_engine_core::sim::{Fault, SimDisk};
///
/// let disk = SimDisk::new(1);
/// let log = disk.open("log");
/// disk.inject(Fault::Io.nth(3).on(IOAction::Sync).of_file(log));
/// disk.inject(Fault::NoSpace.from_nth(100).on(IOAction::Write));
/// disk.inject(Fault::Short.one_in(4));
/// ```
#[must_use = "it does nothing until it is injected"]
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    when: When,
    action: Option<IOAction>,
    fd: Option<RawFd>,
    seen: u64,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Once(u64),
    From(u64),
    OneIn(usize),
}

impl Fault {
    /// It strikes the `n`-th request, counted from 1, and no other.
    pub fn nth(self, n: u64) -> Rule {
        Rule::new(self, When::Once(n))
    }

    /// It strikes the `n`-th request, counted from 1, and all that follow.
    pub fn from_nth(self, n: u64) -> Rule {
        Rule::new(self, When::From(n))
    }

    /// It strikes one of `n` requests on average.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn one_in(self, n: usize) -> Rule {
        assert!(n > 0, "one in 0 is none and all");
        Rule::new(self, When::OneIn(n))
    }
}

impl Rule {
    fn new(fault: Fault, when: When) -> Self {
        Self {
            fault,
            when,
            action: None,
            fd: None,
            seen: 0,
        }
    }

    /// Only requests with this action.
    pub fn on(self, action: IOAction) -> Self {
        Self {
            action: Some(action),
            ..self
        }
    }

    /// Only requests to this file.
    pub fn of_file(self, file: SimFile) -> Self {
        Self {
            fd: Some(file.fd()),
            ..self
        }
    }

    fn is_about(&self, target: Target) -> bool {
        self.action.is_none_or(|action| action == target.action)
            && self.fd.is_none_or(|fd| fd == target.fd)
            && self.fault.can_strike(target.action, target.len)
    }

    fn strikes(&mut self, dice: &mut Dice) -> bool {
        self.seen += 1;
        match self.when {
            When::Once(n) => self.seen == n,
            When::From(n) => self.seen >= n,
            When::OneIn(n) => dice.one_in(n),
        }
    }
}

/// The request that may be struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) fd: RawFd,
    pub(super) action: IOAction,
    pub(super) len: usize,
}

/// The rules of a disk.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    injected: Injected,
    /// How often they were cleared.
    clearings: u64,
}

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.clearings += 1;
    }

    pub(super) fn clearings(&self) -> u64 {
        self.clearings
    }

    pub(super) fn injected(&self) -> Injected {
        self.injected
    }

    /// The fault that strikes `target` in this stage. Every rule that is about it counts it; the first
    /// that strikes wins.
    pub(super) fn strike(
        &mut self,
        stage: Stage,
        target: Target,
        dice: &mut Dice,
    ) -> Option<Fault> {
        let mut struck = None;
        let of_stage = |rule: &&mut Rule| rule.fault.stage() == stage && rule.is_about(target);
        for rule in self.rules.iter_mut().filter(of_stage) {
            if rule.strikes(dice) && struck.is_none() {
                struck = Some(rule.fault);
            }
        }
        if let Some(fault) = struck {
            self.injected.count(fault);
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(rule: Rule, action: IOAction) -> Vec<bool> {
        let mut rules = Rules::default();
        rules.add(rule);
        let target = Target {
            fd: 5,
            action,
            len: 10,
        };
        let mut dice = Dice::new(1);
        let mut strike = |_| {
            rules
                .strike(Stage::CarryingOut, target, &mut dice)
                .is_some()
        };
        (0..4).map(&mut strike).collect()
    }

    #[test]
    fn once_is_once_and_from_then_on_goes_on() {
        let write = IOAction::Write;
        assert_eq!(struck(Fault::Io.nth(2), write), [false, true, false, false]);
        assert_eq!(
            struck(Fault::Io.from_nth(3), write),
            [false, false, true, true]
        );
        assert_eq!(struck(Fault::Io.one_in(1), write), [true; 4]);
        assert_eq!(
            struck(Fault::Io.nth(1).on(IOAction::Read), write),
            [false; 4]
        );
        assert_eq!(struck(Fault::Short.from_nth(1), IOAction::Sync), [false; 4]);
        assert_eq!(struck(Fault::Delay.from_nth(1), write), [false; 4]);
    }

    #[test]
    fn the_first_rule_wins_and_all_count() {
        let mut rules = Rules::default();
        rules.add(Fault::Io.nth(1));
        rules.add(Fault::Quota.from_nth(2));
        let target = Target {
            fd: 5,
            action: IOAction::Write,
            len: 10,
        };
        let mut dice = Dice::new(1);
        let mut strike = || rules.strike(Stage::CarryingOut, target, &mut dice);
        assert_eq!([strike(), strike()], [Some(Fault::Io), Some(Fault::Quota)]);
        assert_eq!(rules.injected().total(), 2);
    }
}
