//! Which tests are run with a sanitizer.
//!
//! Without those that count allocations, threads and descriptors, starve the process of them or shut it in:
//! they would count and starve the sanitizer.

/// Tests of one crate.
#[derive(Debug)]
pub(crate) struct Tests {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// The files of tests.
    pub(crate) files: &'static [&'static str],
    /// On threads, so that two of them may write to scratch memory at once.
    pub(crate) reads_over_holes: bool,
}

/// The core first.
pub(super) const ALL: [Tests; 6] = [
    Tests {
        name: "tests of core",
        package: "io-engine-core",
        arguments: &["--features", "sim,testing", "--lib", "--tests"],
        files: &[],
        reads_over_holes: false,
    },
    Tests {
        name: "tests of workers",
        package: "io-engine-workers",
        arguments: &["--lib"],
        files: &[
            "blocking",
            "hooks",
            "interleavings",
            "pool",
            "refusals",
            "shared_calls",
            "waiting",
        ],
        reads_over_holes: false,
    },
    Tests {
        name: "conformance of threads",
        package: "io-engine-workers",
        arguments: &[],
        files: &["conformance"],
        reads_over_holes: true,
    },
    Tests {
        name: "conformance of io_uring",
        package: "io-engine-uring",
        arguments: &["--lib"],
        files: &["conformance", "ring"],
        reads_over_holes: false,
    },
    Tests {
        name: "conformance of AIO",
        package: "io-engine-aio",
        arguments: &["--lib"],
        files: &["conformance", "requests"],
        reads_over_holes: false,
    },
    Tests {
        name: "tests of the loop",
        package: "io-engine",
        arguments: &["--all-features", "--lib"],
        files: &[
            "bad_input",
            "broken_queue",
            "callback_edges",
            "contract",
            "exactly_once",
            "merging",
            "merging_faults",
            "operations",
            "resubmission",
            "routes",
            "shutdown_timeout",
            "simulated_failures",
            "simulated_model",
            "stuck_io",
            "sync_failures",
            "waiting",
        ],
        reads_over_holes: false,
    },
];
