//! What a soak must show.

use super::counts::Counts;

/// What is counted, and has to be enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Requests,
    RequestsUring,
    RequestsAio,
    Injected,
    RealInjected,
    Scripts,
    BadInputs,
    Ends,
    RealEnds,
    Kills,
    Cases,
    Mutants,
}

/// A figure, or a loss, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    /// `None` for what there must be none of, whatever runs.
    pub(crate) figure: Option<Figure>,
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

    /// How far it is, up to 1.
    pub(crate) fn share(&self) -> f64 {
        match self.wanted {
            Wanted::AtLeast(least) => (self.found as f64 / least.max(1) as f64).min(1.0),
            Wanted::All(_) | Wanted::Nothing => f64::from(u8::from(self.is_met())),
        }
    }

    /// Whether more turns bring more of it.
    pub(crate) fn can_grow(&self) -> bool {
        matches!(self.wanted, Wanted::AtLeast(_))
    }

    pub(crate) fn wanted_text(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(least) => format!("at least {}", grouped(least)),
            Wanted::Nothing => "0".to_owned(),
            Wanted::All(all) => format!("all {}", grouped(all)),
        }
    }
}

impl Figure {
    pub(crate) const ALL: [Self; 12] = [
        Self::Requests,
        Self::RequestsUring,
        Self::RequestsAio,
        Self::Injected,
        Self::RealInjected,
        Self::Scripts,
        Self::BadInputs,
        Self::Ends,
        Self::RealEnds,
        Self::Kills,
        Self::Cases,
        Self::Mutants,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Requests => "requests verified byte for byte",
            Self::RequestsUring => "of them through io_uring",
            Self::RequestsAio => "of them through AIO",
            Self::Injected => "faults injected",
            Self::RealInjected => "of them real ones",
            Self::Scripts => "scripts of the fuzzer",
            Self::BadInputs => "bad inputs tried",
            Self::Ends => "ends with work in flight",
            Self::RealEnds => "of them with a kernel",
            Self::Kills => "kill -9 cycles",
            Self::Cases => "fault cases automated",
            Self::Mutants => "planted bugs found",
        }
    }

    fn found(self, counts: &Counts) -> u64 {
        let verified = |driver: &str| counts.verified.get(driver).copied().unwrap_or(0);
        match self {
            Self::Requests => counts.verified.values().sum(),
            Self::RequestsUring => verified("uring"),
            Self::RequestsAio => verified("aio"),
            Self::Injected => counts.injected_simulated + counts.injected_real,
            Self::RealInjected => counts.injected_real,
            Self::Scripts => counts.fuzzed,
            Self::BadInputs => counts.bad_inputs,
            Self::Ends => counts.shutdowns_with_work,
            Self::RealEnds => counts.real_shutdowns_with_work,
            Self::Kills => counts.kills,
            Self::Cases => counts.cases_automated,
            Self::Mutants => counts.mutants_killed,
        }
    }

    /// Of each part once, and for a release.
    fn wanted(self, counts: &Counts, is_release: bool) -> Wanted {
        let (short, long) = match self {
            Self::Requests => (1_000_000, 100_000_000),
            Self::RequestsUring | Self::RequestsAio => (100_000, 10_000_000),
            Self::Injected => (100_000, 10_000_000),
            Self::RealInjected => (1, 100_000),
            Self::Scripts => (10_000, 100_000),
            Self::BadInputs => (10_000, 1_000_000),
            Self::Ends => (2_000, 1_000_000),
            Self::RealEnds => (100, 10_000),
            Self::Kills => (5, 500),
            Self::Cases if is_release => return Wanted::All(counts.cases),
            Self::Cases => (55, 55),
            Self::Mutants => return Wanted::All(counts.mutants),
        };
        Wanted::AtLeast(if is_release { long } else { short })
    }
}

pub(crate) fn goals(counts: &Counts, is_release: bool) -> Vec<Goal> {
    let figures = Figure::ALL.into_iter().map(|figure| Goal {
        what: figure.what(),
        figure: Some(figure),
        wanted: figure.wanted(counts, is_release),
        found: figure.found(counts),
    });
    let losses = losses(counts).map(|(what, found)| Goal {
        what,
        figure: None,
        wanted: Wanted::Nothing,
        found,
    });
    figures.chain(losses).collect()
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
        let met = |counts: &Counts, is_release: bool| {
            goals(counts, is_release)
                .iter()
                .filter(|goal| goal.is_met())
                .count()
        };
        assert_eq!(met(&none, false), 4, "only what has to be nothing");
        let lost = Counts {
            lost: 1,
            mutants: 25,
            mutants_killed: 25,
            bad_inputs: 10_000,
            ..Counts::default()
        };
        assert_eq!(met(&lost, false), 5);
        assert_eq!(met(&lost, true), 4, "more bad inputs for a release");
    }

    #[test]
    fn a_figure_is_so_far_as_its_share_says() {
        let counts = Counts {
            kills: 125,
            ..Counts::default()
        };
        let goals = goals(&counts, true);
        let kills = goals
            .iter()
            .find(|goal| goal.figure == Some(Figure::Kills))
            .unwrap();
        assert!((kills.share() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_grouped_for_people() {
        let shown = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1 000", "1 234 567"]);
    }
}
