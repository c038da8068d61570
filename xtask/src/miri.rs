//! `miri`: what needs no system calls of its own, in an interpreter that sees undefined behaviour.
//!
//! The simulated disk moves bytes through the addresses that a kernel would hold. So a buffer that is freed
//! or moved while its request is under way is found here, and nowhere else.
//!
//! What is not run: the drivers and the threads of a context, because Miri knows neither io_uring nor AIO
//! nor `ppoll`, which all of them sleep in; what measures time or counts allocations; and models with thousands of cases, which take an interpreter hours.

use std::process::{Command, ExitCode};

use crate::nightly;
use crate::steps::Steps;

/// The tests touch files of the test's folder and read the clock.
const FLAGS: &str = "-Zmiri-disable-isolation";

/// What a kernel may still write to is leaked on purpose.
const LEAKS: &str = "-Zmiri-ignore-leaks";

/// Each seed makes another interleaving, another layout of memory and other addresses.
const MANY_SEEDS: &str = "-Zmiri-many-seeds=0..8";
const A_FEW_SEEDS: &str = "-Zmiri-many-seeds=0..3";

/// Some tests of one crate.
struct Share {
    name: &'static str,
    package: &'static str,
    features: &'static str,
    /// `--lib`, or files of tests.
    targets: &'static [&'static str],
    /// Parts of the names of tests: these only, or all but those behind `--skip`.
    filters: &'static [&'static str],
    /// Of the interpreter, beside those that all have.
    flags: &'static str,
}

const SHARES: [Share; 9] = [
    Share {
        name: "core: merged runs, what is rescued and resumed",
        package: "io-engine-core",
        features: "sim",
        targets: &["merged_events", "rescue", "run_pool", "shrinking_transfers"],
        filters: &[],
        flags: "",
    },
    Share {
        name: "core: completions, and what is given up while a kernel has it",
        package: "io-engine-core",
        features: "sim",
        targets: &["completion", "delivery", "given_up_runs"],
        // One asks the kernel what kind of file it is, the other makes nine thousand attempts.
        filters: &["--skip", "can_be_repeated", "--skip", "count_of_attempts"],
        flags: LEAKS,
    },
    Share {
        name: "core: every fault of the simulated disk",
        package: "io-engine-core",
        features: "sim",
        targets: &["sim_faults"],
        filters: &[],
        flags: LEAKS,
    },
    Share {
        name: "merging: its parts",
        package: "io-engine-merge",
        features: "",
        targets: &["--lib"],
        filters: &["--skip", "up_to_a_bound"],
        flags: "",
    },
    Share {
        name: "merging: batches, dropping, sharing out",
        package: "io-engine-merge",
        features: "",
        targets: &["merging"],
        filters: &["--skip", "merged_batches", "--skip", "every_event"],
        flags: "",
    },
    Share {
        name: "workers: lanes, seats and latches in many interleavings",
        package: "io-engine-workers",
        features: "",
        targets: &["interleavings"],
        filters: &[],
        flags: MANY_SEEDS,
    },
    Share {
        name: "the loop on the simulated disk",
        package: "io-engine",
        features: LOOP,
        targets: &["simulated_model", "simulated_log"],
        filters: &[],
        flags: "",
    },
    Share {
        name: "scripts of the fuzzer",
        package: "io-engine",
        features: LOOP,
        targets: &["fuzz_corpus"],
        filters: &[],
        flags: LEAKS,
    },
    Share {
        name: "syncs that failed, with many layouts of memory",
        package: "io-engine",
        features: LOOP,
        targets: &["sync_failures"],
        filters: &["--skip", "in_a_context"],
        flags: A_FEW_SEEDS,
    },
];

/// The loop needs one driver to be built; it is not used.
const LOOP: &str = "threads,merge,workers,sim";

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    nightly::need(&["miri", "rust-src"])?;
    let mut steps = Steps::new();
    for share in &SHARES {
        steps.command(share.name, share.command());
    }
    Ok(steps.finish())
}

impl Share {
    fn command(&self) -> Command {
        let mut command = nightly::cargo(["miri", "test", "-p", self.package]);
        command.args(["--no-default-features", "--features", self.features]);
        for target in self.targets {
            match target.strip_prefix("--") {
                Some(_) => command.arg(target),
                None => command.args(["--test", target]),
            };
        }
        command.args(["--no-fail-fast", "--"]).args(self.filters);
        let flags = format!("{FLAGS} {}", self.flags);
        // To print where a panic was takes an interpreter minutes.
        command.env("MIRIFLAGS", flags).env("RUST_BACKTRACE", "0");
        command
    }
}
