//! What each sanitizer needs, and what it is run on.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::tests::{self, Tests};
use crate::nightly::{self, TARGET};
use crate::workspace;

/// One kind of build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sanitizer {
    /// Misuse of memory: AddressSanitizer
    Asan,
    /// Data races: ThreadSanitizer
    Tsan,
}

/// What is no race, with the reason.
const SUPPRESSIONS: &str = "xtask/src/sanitize/tsan_suppressions.txt";

impl fmt::Display for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Sanitizer {
    pub(crate) const ALL: [Self; 2] = [Self::Asan, Self::Tsan];

    fn name(self) -> &'static str {
        match self {
            Self::Asan => "asan",
            Self::Tsan => "tsan",
        }
    }

    /// What the toolchain must have.
    pub(crate) fn components(self) -> &'static [&'static str] {
        match self {
            Self::Asan => &[],
            // A standard library without it would be full of races that are none.
            Self::Tsan => &["rust-src"],
        }
    }

    fn flags(self) -> &'static str {
        match self {
            Self::Asan => "-Zsanitizer=address",
            Self::Tsan => "-Zsanitizer=thread",
        }
    }

    /// `cargo` for a build of its own, in a folder of its own below `target`.
    pub(crate) fn cargo(self, arguments: &[&str], target: &Path) -> Command {
        let mut command = nightly::cargo(arguments.iter().copied().take(1));
        command.args(["--target", TARGET]);
        if self == Self::Tsan {
            command.arg("-Zbuild-std");
        }
        command.args(&arguments[1..]);
        command.env("CARGO_TARGET_DIR", target.join(self.name()));
        command.env("RUSTFLAGS", self.flags());
        // What is optimised keeps the engine's own assertions.
        command.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
        command
    }

    /// This program, as it was built for it.
    pub(crate) fn program(self, arguments: &[&str], target: &Path) -> Command {
        let folder = target.join(self.name()).join(TARGET).join("release");
        let mut command = Command::new(folder.join("xtask"));
        command.args(arguments);
        command.env(self.options_name(), self.options_of_the_model());
        command
    }

    fn options_name(self) -> &'static str {
        match self {
            Self::Asan => "ASAN_OPTIONS",
            Self::Tsan => "TSAN_OPTIONS",
        }
    }

    fn options_of_the_model(self) -> OsString {
        match self {
            Self::Asan => "detect_leaks=1".into(),
            Self::Tsan => "halt_on_error=1".into(),
        }
    }

    /// Without leaks: tests of storage that hangs and of queues that break leak on purpose what a kernel
    /// may still write to, and the stack that a leak is reported with is that of the allocation, by which
    /// it cannot be told from any other.
    fn options_of_tests(self, tests: &Tests) -> OsString {
        match self {
            Self::Asan => "detect_leaks=0".into(),
            Self::Tsan if tests.reads_over_holes => {
                let suppressions = workspace::root().join(SUPPRESSIONS);
                format!("halt_on_error=1:suppressions={}", suppressions.display()).into()
            }
            Self::Tsan => "halt_on_error=1".into(),
        }
    }

    /// A run of tests, without optimisation: to compile them takes longer than to run them.
    pub(crate) fn tests_command(self, tests: &Tests, target: &Path) -> Command {
        let mut command = self.cargo(&["test", "-p", tests.package], target);
        command.args(tests.arguments);
        for file in tests.files {
            command.args(["--test", file]);
        }
        command.env(self.options_name(), self.options_of_tests(tests));
        // As many seeds as an ordinary run has would be most of the time.
        command.env("SIM_SEEDS", "50");
        command
    }

    /// The tests that say something here.
    pub(crate) fn tests(self) -> &'static [Tests] {
        match self {
            Self::Asan => &tests::ALL,
            // The core, which comes first, has no thread.
            Self::Tsan => &tests::ALL[1..],
        }
    }
}
