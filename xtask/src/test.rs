//! `test`: everything that must pass before a change lands.

use std::path::Path;
use std::process::{Command, ExitCode};

use cargo_metadata::{Metadata, TargetKind};

use crate::check;
use crate::features;
use crate::models;
use crate::steps::{Findings, Steps};
use crate::test_output::Tally;
use crate::workspace::{self, cargo};

/// Drivers that must run here, as in `uring,aio`: a skip of one of them is a failure.
const REQUIRE_DRIVERS: &str = "REQUIRE_DRIVERS";

/// For each driver: some seconds without optimisation.
const MODEL_OPERATIONS: &str = "3000";

/// Experiments of `faults` that take a second together.
const FAULTS_WITHOUT_ROOT: [&str; 6] = [
    "uring-forbidden",
    "enter-forbidden",
    "aio-forbidden",
    "all-forbidden",
    "open-files",
    "full-device",
];

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    check::need_components()?;
    let metadata = workspace::metadata()?;
    let mut steps = Steps::new();
    check::add_to(&mut steps);
    add_tests(&mut steps, &metadata);
    features::add_to(&mut steps)?;
    if let Some(models) = models::command(&metadata) {
        steps.command("loom models", models);
    }
    steps.command("mutants, the quick ones", quick_mutants());
    steps.command("docs", check::docs());
    add_programs(&mut steps, metadata.target_directory.as_std_path())?;
    let tally = steps.tally();
    if let Ok(required) = std::env::var(REQUIRE_DRIVERS) {
        steps.check("required drivers", || {
            Ok(required_drivers(&tally, &required))
        });
    }
    let failed = tally.failed + steps.failed_without_a_test();
    let status = steps.finish();
    for (skip, times) in tally.distinct_skips() {
        match times {
            1 => println!("skipped: {skip}"),
            _ => println!("skipped: {skip} ({times} times)"),
        }
    }
    println!(
        "{} passed, {failed} failed, {} skipped",
        tally.passed,
        tally.skipped_count()
    );
    Ok(status)
}

/// The tests by kind. One set of packages and features in all of them, so that everything is
/// compiled once.
fn add_tests(steps: &mut Steps, metadata: &Metadata) {
    steps.command("build", of_workspace(&["test", "--no-run"]));
    steps.command(
        "unit tests",
        shown(of_workspace(&["test", "--lib", "--bins"])),
    );
    let packages = metadata.workspace_packages();
    let mut targets = packages.iter().flat_map(|package| &package.targets);
    // cargo refuses a pattern that matches nothing.
    if targets.any(|target| target.is_kind(TargetKind::Test)) {
        steps.command(
            "integration tests",
            shown(of_workspace(&["test", "--test", "*"])),
        );
    }
    steps.command("doc tests", shown(of_workspace(&["test", "--doc"])));
    // That they work; what they measure is for `cargo bench`.
    let benches = of_workspace(&["test", "--bench", "*"]);
    steps.command("benches, each once", benches);
}

fn of_workspace(arguments: &[&'static str]) -> Command {
    let mut command = cargo(arguments.iter().copied());
    command.args(["--workspace", "--all-features"]);
    command
}

/// With what passing tests print too, and not stopping at the first crate that fails.
fn shown(mut tests: Command) -> Command {
    tests.args(["--no-fail-fast", "--", "--show-output"]);
    tests
}

/// The examples, as the build step has left them, a small demo, the model check for some
/// seconds, and the faults that anybody can bring about.
fn add_programs(steps: &mut Steps, target: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(target)?;
    let source = folder.path().join("source");
    // Not a whole number of blocks, so that the end of the file is met.
    let bytes: Vec<u8> = (0..3_000_017_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    std::fs::write(&source, bytes)?;

    let example = |name: &str| Command::new(target.join("debug/examples").join(name));
    for name in ["quickstart", "struct_callback", "no_threads"] {
        steps.command(&format!("example {name}"), example(name));
    }
    let mut copy = example("copy");
    copy.arg(&source).arg(folder.path().join("target"));
    steps.command("example copy", copy);

    let demos = [
        vec!["--size", "4M"],
        vec!["--size", "4M", "--block", "64K", "--depth", "4", "--json"],
        vec!["--file", "Cargo.lock", "--block", "512", "--depth", "128"],
    ];
    let demo = |arguments: &Vec<&str>| {
        let mut demo = this_program("demo");
        demo.arg("--unoptimised").args(arguments);
        demo
    };
    steps.commands("demo", demos.iter().map(demo).collect());
    let mut model = this_program("model");
    model.args(["--ops", MODEL_OPERATIONS, "--unoptimised"]);
    steps.command("model check", model);
    let mut faults = this_program("faults");
    faults.args(["--quick", "--only", &FAULTS_WITHOUT_ROOT.join(",")]);
    faults.arg("--dir").arg(folder.path().join("faults"));
    steps.command("faults that need no root", faults);
    Ok(())
}

/// Proof that the tests find what they are there for, by samples.
fn quick_mutants() -> Command {
    let mut mutants = this_program("mutants");
    mutants.arg("--quick");
    mutants
}

/// This very program, even if the build step has put another file in its place.
fn this_program(command: &str) -> Command {
    let mut program = Command::new("/proc/self/exe");
    program.arg(command).current_dir(workspace::root());
    program
}

fn required_drivers(tally: &Tally, required: &str) -> Findings {
    let skips = tally.forbidden_skips(required);
    let faults = skips
        .iter()
        .map(|skip| format!("{REQUIRE_DRIVERS}={required} and yet: skipped: {skip}"));
    Findings {
        faults: faults.collect(),
        notes: Vec::new(),
    }
}
