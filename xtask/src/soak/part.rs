//! What a soak is made of: each part is a command of this program, or of cargo.

use std::process::Command;
use std::time::Duration;

use crate::workspace;

use super::counts::Counts;
use super::goals::Figure;

/// One kind of hunt.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Makes the command for a turn.
    pub(crate) command: fn(Turn) -> Command,
    /// What it has counted, from what it prints.
    pub(crate) read: fn(&str) -> anyhow::Result<Counts>,
    /// The figures for whose sake it has more turns.
    pub(crate) figures: &'static [Figure],
    /// Beyond this it hangs.
    pub(crate) limit: Duration,
    /// Whether another seed shows something else.
    pub(crate) has_seed: bool,
    pub(crate) needs_root: bool,
}

/// One run of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) seed: u64,
    /// For the figures of a release.
    pub(crate) is_long: bool,
}

impl Turn {
    fn pick<T>(self, short: T, long: T) -> T {
        match self.is_long {
            true => long,
            false => short,
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// In the order in which they run: what finds most, first.
pub(crate) const ALL: &[Part] = &[
    Part {
        name: "model",
        what: "random work on every driver against a model, through the page cache",
        command: |turn| {
            let operations = turn.pick("220000", "2500000");
            model(turn, &["--ops", operations])
        },
        read: Counts::of_model,
        figures: &[
            Figure::Requests,
            Figure::RequestsUring,
            Figure::RequestsAio,
            Figure::Ends,
            Figure::RealEnds,
        ],
        limit: MINUTE.saturating_mul(60),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "model-direct",
        what: "the same past the page cache",
        command: |turn| {
            let operations = turn.pick("60000", "200000");
            let mut command = model(turn, &["--direct", "--ops", operations]);
            command.args(["--driver", "uring", "--driver", "aio"]);
            command.args(["--driver", "threads"]);
            command
        },
        read: Counts::of_model,
        figures: &[],
        limit: MINUTE.saturating_mul(60),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "model-faulty",
        what: "the same on a simulated disk whose errors reach the callbacks",
        command: |turn| {
            let operations = turn.pick("100000", "10000000");
            model(turn, &["--driver", "sim", "--faulty", "--ops", operations])
        },
        read: Counts::of_model,
        figures: &[Figure::Requests, Figure::Injected],
        limit: MINUTE.saturating_mul(60),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "model-ends",
        what: "simulated work for a moment, then the end of the engine, again and again",
        command: |turn| {
            let operations = turn.pick("40000", "10000000");
            let round = ["--driver", "sim", "--round-ops", "40"];
            let mut command = model(turn, &round);
            command.args(["--ops", operations]);
            command
        },
        read: Counts::of_model,
        figures: &[Figure::Requests, Figure::Ends],
        limit: MINUTE.saturating_mul(60),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "faults",
        what: "file systems, devices, limits, sandboxes, signals and kills",
        command: |turn| {
            let mut command = this(&["faults", "--json", "--seed", &turn.seed.to_string()]);
            // For each driver, with and without the page cache.
            command.args(["--kills", turn.pick("5", "85")]);
            command
        },
        read: Counts::of_faults,
        figures: &[Figure::RealInjected, Figure::Kills, Figure::Cases],
        limit: MINUTE.saturating_mul(30),
        has_seed: true,
        needs_root: true,
    },
    Part {
        name: "simulated",
        what: "many seeds of faults, crashes and a log on the simulated disk",
        command: |_| {
            let mut command = tests(&["--test", "simulated_model", "--test", "simulated_log"]);
            command.env("SIM_SEEDS", SEEDS.to_string());
            command
        },
        read: Counts::of_nothing,
        figures: &[],
        limit: MINUTE.saturating_mul(20),
        has_seed: false,
        needs_root: false,
    },
    Part {
        name: "bad-input",
        what: "good and bad events in any order on every driver",
        command: |turn| {
            let mut command = tests(&["--test", "bad_input_at_random"]);
            command.args(["--", "--nocapture"]);
            command.env("BAD_INPUT_EVENTS", turn.pick("100000", "1000000"));
            command.env("BAD_INPUT_SEED", turn.seed.to_string());
            command
        },
        read: Counts::of_bad_inputs,
        figures: &[Figure::BadInputs],
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "fuzz",
        what: "scripts of operations and faults, found by libFuzzer",
        command: |turn| this(&["fuzz", "--seconds", turn.pick("60", "300"), "--json"]),
        read: Counts::of_fuzz,
        figures: &[Figure::Scripts],
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "mutants",
        what: "planted bugs, each found by a test",
        command: |_| this(&["mutants", "--json"]),
        read: Counts::of_mutants,
        figures: &[Figure::Mutants],
        limit: MINUTE.saturating_mul(60),
        has_seed: false,
        needs_root: false,
    },
    Part {
        name: "beside",
        what: "failing files, read by the published io-engine 0.12 too",
        command: |_| {
            let one = ["faults", "--only", "failing-file-sync", "--quick"];
            let mut command = this(&one);
            command.args(["--peers", "--json"]);
            command
        },
        read: Counts::of_beside,
        figures: &[],
        limit: MINUTE.saturating_mul(20),
        has_seed: false,
        needs_root: true,
    },
    Part {
        name: "miri",
        what: "undefined behaviour, on the simulated disk",
        command: |_| this(&["miri"]),
        read: Counts::of_nothing,
        figures: &[],
        limit: MINUTE.saturating_mul(90),
        has_seed: false,
        needs_root: false,
    },
    Part {
        name: "sanitize",
        what: "memory errors and data races, on every driver",
        command: |_| this(&["sanitize"]),
        read: Counts::of_nothing,
        figures: &[],
        limit: MINUTE.saturating_mul(60),
        has_seed: false,
        needs_root: false,
    },
];

/// How many seeds the simulated model takes.
const SEEDS: u64 = 10_000;

/// This very program, even if a build puts another file in its place meanwhile.
fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).current_dir(workspace::root());
    command
}

fn model(turn: Turn, arguments: &[&str]) -> Command {
    let mut command = this(&["model", "--json", "--seed", &turn.seed.to_string()]);
    command.args(arguments);
    command
}

fn tests(arguments: &[&str]) -> Command {
    let mut command = workspace::cargo(["test", "--release", "-p", "io-engine", "--all-features"]);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_part_has_a_name_of_its_own_and_a_command() {
        let names: BTreeSet<&str> = ALL.iter().map(|part| part.name).collect();
        assert_eq!(names.len(), ALL.len());
        for part in ALL {
            for is_long in [false, true] {
                let command = (part.command)(Turn { seed: 7, is_long });
                assert!(command.get_args().count() > 0, "{}", part.name);
            }
        }
    }

    #[test]
    fn each_figure_has_a_part_that_goes_on_adding_to_it_or_shows_all_of_it_at_once() {
        for figure in Figure::ALL {
            let mut parts = ALL.iter().filter(|part| part.figures.contains(&figure));
            let shows_all = [Figure::Mutants, Figure::Cases].contains(&figure);
            assert!(parts.any(|part| part.has_seed || shows_all), "{figure:?}");
        }
    }
}
