//! `miri`: what does without system calls of its own, in an interpreter that sees undefined behaviour.
//!
//! The simulated disk moves bytes through the addresses that a kernel would hold. So a buffer that is freed
//! or moved while its request is under way is found here, and nowhere else.
//!
//! What is not run: the drivers, because there is no kernel that knows io_uring, AIO or `preadv2`; what
//! measures time or counts allocations; and models that take an interpreter hours (`PROPTEST_CASES` makes
//! the others short).

use std::process::{Command, ExitCode};

use crate::nightly;
use crate::steps::Steps;

/// The tests touch files of the test's folder, wait for the doorbell and read the clock.
const FLAGS: &str = "-Zmiri-disable-isolation";

/// Some tests of one crate.
struct Share {
    name: &'static str,
    package: &'static str,
    features: &'static str,
    /// `--lib`, or files of tests.
    targets: &'static [&'static str],
    /// Which of their tests; all if there is none.
    filters: &'static [&'static str],
    /// Each time another interleaving, another layout of memory and other addresses.
    seeds: u32,
}

const SHARES: [Share; 9] = [
    Share {
        name: "core: the slab, merged runs, completions",
        package: "io-engine-core",
        features: "sim",
        targets: &[
            "completion",
            "given_up_runs",
            "in_flight_model",
            "merged_events",
            "run_pool",
            "shrinking_transfers",
        ],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "core: delivery, events that are thrown away",
        package: "io-engine-core",
        features: "sim",
        targets: &["delivery", "rescue"],
        filters: &[],
        seeds: 4,
    },
    Share {
        name: "core: every fault of the simulated disk",
        package: "io-engine-core",
        features: "sim",
        targets: &["sim_faults"],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "merge: units and batches",
        package: "io-engine-merge",
        features: "",
        targets: &["--lib", "merging"],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "workers: run queue, lanes, seats",
        package: "io-engine-workers",
        features: "",
        targets: &["pool", "waiting", "hooks"],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "workers: the same in many interleavings",
        package: "io-engine-workers",
        features: "",
        targets: &["waiting"],
        filters: &[],
        seeds: 8,
    },
    Share {
        name: "the loop on the simulated disk",
        package: "io-engine",
        features: LOOP,
        targets: &["simulated_model", "simulated_log", "fuzz_corpus"],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "syncs that failed, hung storage",
        package: "io-engine",
        features: LOOP,
        targets: &["sync_failures", "shutdown_timeout", "stuck_io"],
        filters: &[],
        seeds: 1,
    },
    Share {
        name: "hung storage in many interleavings",
        package: "io-engine",
        features: LOOP,
        targets: &["shutdown_timeout"],
        filters: &["what_hangs", "what_a_run"],
        seeds: 8,
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
        command.arg("--").args(self.filters);
        let flags = match self.seeds {
            1 => FLAGS.to_owned(),
            seeds => format!("{FLAGS} -Zmiri-many-seeds=0..{seeds}"),
        };
        command.env("MIRIFLAGS", flags).env("PROPTEST_CASES", "16");
        command
    }
}
