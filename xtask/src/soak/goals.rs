//! What a soak must show.

use std::time::Duration;

use super::counts::Counts;

/// A figure, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) wanted: Wanted,
    pub(crate) found: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    AtLeast(u64),
    Nothing,
    /// All of so many.
    All(u64),
}

impl Goal {
    pub(crate) fn is_met(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(least) => self.found >= least,
            Wanted::Nothing => self.found == 0,
            Wanted::All(all) => self.found == all && all > 0,
        }
    }

    pub(crate) fn wanted_text(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(least) => format!("at least {}", grouped(least)),
            Wanted::Nothing => "0".to_owned(),
            Wanted::All(all) => format!("all {}", grouped(all)),
        }
    }
}

/// From so long on it is a release gate, and must show more.
const LONG: Duration = Duration::from_secs(4 * 3600);

/// `hours` is how long it was to go on; `None` for each part once.
pub(crate) fn goals(counts: &Counts, hours: Option<Duration>) -> Vec<Goal> {
    let is_long = hours.is_some_and(|hours| hours >= LONG);
    let at_least = |what, short, long, found| Goal {
        what,
        wanted: Wanted::AtLeast(if is_long { long } else { short }),
        found,
    };
    let nothing = |what, found| Goal {
        what,
        wanted: Wanted::Nothing,
        found,
    };
    vec![
        at_least(
            "requests verified byte for byte",
            1_000_000,
            100_000_000,
            counts.verified_in_all(),
        ),
        at_least("faults injected", 100_000, 10_000_000, counts.injected()),
        at_least("of them real ones", 1, 100_000, counts.injected_real),
        at_least("scripts of the fuzzer", 10_000, 10_000_000, counts.fuzzed),
        at_least("bad inputs tried", 10_000, 1_000_000, counts.bad_inputs),
        at_least(
            "ends with work in flight",
            2_000,
            1_000_000,
            counts.shutdowns_with_work,
        ),
        at_least("kill -9 cycles", 5, 500, counts.kills),
        at_least(
            "fault cases automated",
            55,
            counts.cases,
            counts.cases_automated,
        ),
        Goal {
            what: "planted bugs found",
            wanted: Wanted::All(counts.mutants),
            found: counts.mutants_killed,
        },
        nothing("callbacks lost", counts.lost),
        nothing("callbacks called twice", counts.duplicated),
        nothing("wrong bytes or results", counts.wrong),
        nothing("mounts, devices, processes left behind", counts.left_behind),
    ]
}

/// With a blank between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_missing_is_no_success() {
        let none = Counts::default();
        let met = |counts: &Counts| {
            goals(counts, None)
                .iter()
                .filter(|goal| goal.is_met())
                .count()
        };
        assert_eq!(met(&none), 4, "only what has to be nothing");
        let lost = Counts {
            lost: 1,
            mutants: 25,
            mutants_killed: 25,
            bad_inputs: 10_000,
            ..Counts::default()
        };
        assert_eq!(met(&lost), 5);
        let long = goals(&lost, Some(LONG));
        let bad_inputs = long.iter().find(|goal| goal.what.starts_with("bad"));
        assert_eq!(bad_inputs.map(Goal::is_met), Some(false));
    }

    #[test]
    fn numbers_are_grouped_for_people() {
        let shown = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1 000", "1 234 567"]);
    }
}
