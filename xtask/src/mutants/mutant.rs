//! What a planted bug is, and which test is to find it.

use std::path::Path;
use std::process::Command;

use crate::workspace;

/// One bug, planted by replacing a text in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) breaks: &'static str,
    /// Relative to the root of the workspace.
    pub(crate) file: &'static str,
    /// Occurs exactly once in the file.
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
    /// The tests that are to find it, cheapest first; one is enough.
    pub(crate) killers: &'static [Killer],
    pub(crate) death: Death,
    /// Whether `cargo xtask test` plants it too.
    pub(crate) is_quick: bool,
}

impl Mutant {
    /// What most have in common.
    pub(super) const USUAL: Self = Self {
        name: "",
        breaks: "",
        file: "",
        find: "",
        replace: "",
        killers: &[],
        death: Death::Failure,
        is_quick: false,
    };
}

/// How a mutant is expected to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// A test fails or crashes; a test that hangs has not found it.
    Failure,
    /// A test that would take a moment does not end.
    Hang,
}

/// A test of this workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Killer {
    pub(crate) package: &'static str,
    pub(crate) target: Target,
    /// Beyond the default ones; empty for none.
    features: &'static str,
    /// Its whole path within the target.
    pub(crate) test: &'static str,
}

/// The program that a test is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Lib,
    Test(&'static str),
    /// The loom models: optimised, and with another `cfg` in every crate.
    Models,
}

impl Killer {
    /// A unit test.
    pub(super) const fn unit(package: &'static str, test: &'static str) -> Self {
        Self::of(package, Target::Lib, test)
    }

    /// A test in `tests/`.
    pub(super) const fn integration(
        package: &'static str,
        target: &'static str,
        test: &'static str,
    ) -> Self {
        Self::of(package, Target::Test(target), test)
    }

    /// A model for loom.
    pub(super) const fn model(package: &'static str, test: &'static str) -> Self {
        Self::of(package, Target::Models, test)
    }

    const fn of(package: &'static str, target: Target, test: &'static str) -> Self {
        Self {
            package,
            target,
            features: "",
            test,
        }
    }

    pub(super) const fn with_features(self, features: &'static str) -> Self {
        Self { features, ..self }
    }

    /// The name of the function alone.
    pub(crate) fn function(&self) -> &'static str {
        self.test.rsplit("::").next().unwrap_or(self.test)
    }

    /// Where the test is, for people.
    pub(crate) fn place(&self) -> String {
        match self.target {
            Target::Lib => self.package.to_owned(),
            Target::Test(target) => format!("{}, {target}", self.package),
            Target::Models => format!("{}, loom", self.package),
        }
    }

    /// `cargo test` of the program that it is in; nothing runs without [`running`](Self::running).
    pub(crate) fn building(&self) -> Command {
        let mut command = workspace::cargo(["test", "--no-run", "-p", self.package]);
        self.add_target(&mut command);
        command
    }

    /// `cargo test` of this test alone.
    pub(crate) fn running(&self) -> Command {
        let mut command = workspace::cargo(["test", "-p", self.package]);
        self.add_target(&mut command);
        command.args(["--", "--exact", self.test]);
        command
    }

    fn add_target(&self, command: &mut Command) {
        match self.target {
            Target::Lib => command.arg("--lib"),
            Target::Test(target) => command.args(["--test", target]),
            Target::Models => command.args(["--release", "--test", "loom"]),
        };
        if !self.features.is_empty() {
            command.args(["--features", self.features]);
        }
    }

    /// The flags for the compiler. Lints are no errors: a bug may leave something unused.
    pub(crate) fn rustflags(&self) -> &'static str {
        match self.target {
            Target::Lib | Target::Test(_) => "--cap-lints warn",
            Target::Models => "--cap-lints warn --cfg loom",
        }
    }

    /// As a user would type it, in the workspace.
    pub(crate) fn said(&self) -> String {
        let command = self.running();
        let arguments = command.get_args().map(|one| one.to_string_lossy());
        let arguments: Vec<_> = arguments.collect();
        let flags = match self.target {
            Target::Lib | Target::Test(_) => "",
            Target::Models => "RUSTFLAGS='--cfg loom' ",
        };
        format!("{flags}cargo {}", arguments.join(" "))
    }

    /// Whether a file is the one whose module the test is named after.
    pub(crate) fn may_be_in(&self, path: &str) -> bool {
        let Ok(below) = Path::new(path).strip_prefix(self.package) else {
            return false;
        };
        let module = match self.target {
            Target::Lib => below.strip_prefix("src").ok().map(module_of),
            Target::Test(target) => module_in_target(below, target),
            Target::Models => module_in_target(below, "loom"),
        };
        module.is_some_and(|module| module == self.module())
    }

    /// The file's module of the test, without the `tests` within it.
    fn module(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.test.split("::").collect();
        names.pop();
        if names.last() == Some(&"tests") {
            names.pop();
        }
        names
    }
}

/// Of `tests/name.rs`, or of anything in `tests/name`.
fn module_in_target<'a>(below: &'a Path, target: &str) -> Option<Vec<&'a str>> {
    let folder = Path::new("tests").join(target);
    if below == folder.with_extension("rs") {
        return Some(Vec::new());
    }
    below.strip_prefix(folder).ok().map(module_of)
}

/// The module that a file is, below its root. `a_tests.rs` are the tests of `a`.
fn module_of(file: &Path) -> Vec<&str> {
    let folders = file.parent().into_iter().flat_map(Path::components);
    let names = folders.filter_map(|folder| folder.as_os_str().to_str());
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let own = stem.filter(|stem| !["lib", "main", "mod"].contains(stem));
    let own = own.map(|stem| stem.strip_suffix("_tests").unwrap_or(stem));
    names.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killer_is_one_test_of_one_program() {
        let killer =
            Killer::integration("io-engine-core", "sim_files", "a_test").with_features("sim");
        assert_eq!(
            killer.said(),
            "cargo test -p io-engine-core --test sim_files --features sim -- --exact a_test"
        );
        assert!(killer.may_be_in("io-engine-core/tests/sim_files.rs"));
        assert!(killer.may_be_in("io-engine-core/tests/sim_files/main.rs"));
        assert!(!killer.may_be_in("io-engine-core/tests/sim_files/part.rs"));
        assert!(!killer.may_be_in("io-engine-core/tests/sim_faults.rs"));
        assert!(!killer.may_be_in("io-engine-core/src/sim_files.rs"));
        assert!(!killer.may_be_in("io-engine/tests/sim_files.rs"));
    }

    #[test]
    fn a_model_is_run_as_loom_wants_it() {
        let killer = Killer::model("io-engine", "a_model");
        assert_eq!(
            killer.said(),
            "RUSTFLAGS='--cfg loom' cargo test -p io-engine --release --test loom -- --exact a_model"
        );
        assert!(killer.rustflags().ends_with("--cfg loom"));
        let moved = Killer::model("io-engine", "part::a_model");
        assert!(moved.may_be_in("io-engine/tests/loom/part.rs"));
        assert!(!moved.may_be_in("io-engine/tests/loom/main.rs"));
    }

    #[test]
    fn a_unit_test_is_in_the_file_of_its_module() {
        let killer = Killer::unit("io-engine-aio", "queue::tests::a_test");
        assert_eq!(killer.function(), "a_test");
        for good in ["queue.rs", "queue/mod.rs", "queue_tests.rs"] {
            assert!(killer.may_be_in(&format!("io-engine-aio/src/{good}")));
        }
        for wrong in [
            "src/lib.rs",
            "src/other.rs",
            "src/queue/part.rs",
            "tests/queue.rs",
        ] {
            assert!(!killer.may_be_in(&format!("io-engine-aio/{wrong}")));
        }
    }
}
