//! What a soak must show.

use std::time::Duration;

use super::counts::Counts;

/// A figure, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    /// The part that may have been left out, and without which nothing is said of it.
    pub(crate) part: Option<&'static str>,
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
    let mut goals: Vec<Goal> = amounts(counts)
        .into_iter()
        .map(|(part, what, found, short, long)| Goal {
            what,
            part,
            wanted: Wanted::AtLeast(if is_long { long } else { short }),
            found,
        })
        .collect();
    goals.push(Goal {
        what: "planted bugs found",
        part: Some("mutants"),
        wanted: Wanted::All(counts.mutants),
        found: counts.mutants_killed,
    });
    goals.extend(losses(counts).map(|(what, found)| Goal {
        what,
        part: None,
        wanted: Wanted::Nothing,
        found,
    }));
    goals
}

/// The part that may have been left out, what it is, how much there is, and how much there has to be: in a short soak
/// and in a long one.
type Amount = (Option<&'static str>, &'static str, u64, u64, u64);

fn amounts(counts: &Counts) -> [Amount; 8] {
    let verified = counts.verified_in_all();
    let (injected, real) = (counts.injected(), counts.injected_real);
    let (fuzzed, bad_inputs) = (counts.fuzzed, counts.bad_inputs);
    let (ends, kills) = (counts.shutdowns_with_work, counts.kills);
    let (automated, cases) = (counts.cases_automated, counts.cases);
    let requests = "requests verified byte for byte";
    [
        (None, requests, verified, 1_000_000, 100_000_000),
        (None, "faults injected", injected, 100_000, 10_000_000),
        (None, "of them real ones", real, 1, 100_000),
        (
            Some("fuzz"),
            "scripts of the fuzzer",
            fuzzed,
            10_000,
            10_000_000,
        ),
        (None, "bad inputs tried", bad_inputs, 10_000, 1_000_000),
        (None, "ends with work in flight", ends, 2_000, 1_000_000),
        (None, "kill -9 cycles", kills, 5, 500),
        (None, "fault cases automated", automated, 55, cases),
    ]
}

/// What there must be none of.
pub(crate) fn losses(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    let losses = [
        ("callbacks lost", counts.lost),
        ("callbacks called twice", counts.duplicated),
        ("wrong bytes or results", counts.wrong),
        ("mounts, devices, processes left behind", counts.left_behind),
    ];
    losses.into_iter()
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
