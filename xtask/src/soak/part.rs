//! What a soak is made of: each part is a command of this program, or of cargo.

use std::process::Command;
use std::time::Duration;

use crate::workspace;

use super::counts::Counts;

/// One kind of hunt.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Makes the command for a seed.
    pub(crate) command: fn(u64) -> Command,
    /// What it has counted, from what it prints.
    pub(crate) read: fn(&str) -> anyhow::Result<Counts>,
    /// Beyond this it hangs.
    pub(crate) limit: Duration,
    /// Whether another seed shows something else.
    pub(crate) has_seed: bool,
    pub(crate) needs_root: bool,
}

const MINUTE: Duration = Duration::from_secs(60);

/// In the order in which they run: what finds most, first.
pub(crate) const ALL: &[Part] = &[
    Part {
        name: "model",
        what: "random work on every driver against a model, through the page cache",
        command: |seed| this(&["model", "--json", "--seed", &seed.to_string()]),
        read: Counts::of_model,
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "model-direct",
        what: "the same past the page cache",
        command: |seed| {
            let seed = seed.to_string();
            let drivers = [
                "--driver", "uring", "--driver", "aio", "--driver", "threads",
            ];
            let mut command = this(&["model", "--json", "--direct", "--ops", "60000"]);
            command.args(drivers).args(["--seed", &seed]);
            command
        },
        read: Counts::of_model,
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "faults",
        what: "file systems, devices, limits, sandboxes, signals and kills",
        command: |seed| this(&["faults", "--json", "--seed", &seed.to_string()]),
        read: Counts::of_faults,
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
        limit: MINUTE.saturating_mul(20),
        has_seed: false,
        needs_root: false,
    },
    Part {
        name: "bad-input",
        what: "good and bad events in any order on every driver",
        command: |seed| {
            let mut command = tests(&["--test", "bad_input_at_random"]);
            command.args(["--", "--nocapture"]);
            command.env("BAD_INPUT_EVENTS", "100000");
            command.env("BAD_INPUT_SEED", seed.to_string());
            command
        },
        read: Counts::of_bad_inputs,
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "fuzz",
        what: "scripts of operations and faults, found by libFuzzer",
        command: |_| this(&["fuzz", "--seconds", "60", "--json"]),
        read: Counts::of_fuzz,
        limit: MINUTE.saturating_mul(20),
        has_seed: true,
        needs_root: false,
    },
    Part {
        name: "mutants",
        what: "planted bugs, each found by a test",
        command: |_| this(&["mutants", "--json"]),
        read: Counts::of_mutants,
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
        limit: MINUTE.saturating_mul(20),
        has_seed: false,
        needs_root: true,
    },
    Part {
        name: "miri",
        what: "undefined behaviour, on the simulated disk",
        command: |_| this(&["miri"]),
        read: Counts::of_nothing,
        limit: MINUTE.saturating_mul(90),
        has_seed: false,
        needs_root: false,
    },
    Part {
        name: "sanitize",
        what: "memory errors and data races, on every driver",
        command: |_| this(&["sanitize"]),
        read: Counts::of_nothing,
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
            let command = (part.command)(7);
            assert!(command.get_args().count() > 0, "{}", part.name);
        }
    }
}
