//! The tasks of this workspace: `cargo xtask <command>`.
#![allow(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod arrows;
mod bench;
mod bench_cell;
mod check;
mod child_process;
mod demo;
mod error_name;
mod faults;
mod features;
mod fuzz;
mod markdown;
mod markers;
mod miri;
mod model;
mod models;
mod mutants;
mod nightly;
mod optimised;
mod probe;
mod progress;
mod sanitize;
mod soak;
mod steps;
mod test;
mod test_output;
mod tidy;
mod usage_error;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use usage_error::UsageError;

#[derive(Parser)]
#[command(name = "cargo xtask", about, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that must pass before a change lands.
    Test,
    /// The fast part of `test`: formatting, lints, arrows, tidy, documentation.
    Check,
    /// Every combination of the facade's features, and each backend alone.
    Features,
    /// The core, merging, workers and the loop on a simulated disk under Miri; needs a nightly toolchain.
    Miri,
    /// The model check and the tests in builds that see misuse of memory and data races; needs a nightly
    /// toolchain.
    Sanitize(sanitize::Options),
    /// Makes up scripts of I/O with faults and crashes, and keeps those that lead somewhere new; needs a
    /// nightly toolchain.
    Fuzz(fuzz::Options),
    /// Plants bugs, one at a time, and proves that a test finds each.
    Mutants(mutants::Options),
    /// Which crate may depend on which, and on what from outside.
    Arrows,
    /// The house rules for files that no lint knows.
    Tidy,
    /// Writes and reads a file through every driver and checks every block.
    Demo(demo::Options),
    /// Random work through every driver against a model of the file, each answer checked byte for byte.
    Model(Box<model::Options>),
    /// What this machine offers: kernel, limits, drivers, direct I/O.
    Probe(probe::Options),
    /// Everything that hunts for lost requests, for as long as is wished.
    Soak(soak::Options),
    /// Compares engines side by side: tables, JSON, an HTML page.
    Bench(Box<bench::Options>),
    /// Real faults, as root: file systems, devices, limits, sandboxes, signals and kills.
    Faults(faults::Options),
    /// A file system whose files fail: the process behind a mount of `faults`.
    #[command(hide = true)]
    FaultFs(faults::file_system::Options),
    /// A process of `faults` that uses the engine.
    #[command(hide = true)]
    FaultScene(faults::scene::Options),
    /// Runs a program under limits and filters: what `faults` starts some processes with.
    #[command(hide = true)]
    FaultConfine(faults::confinement::Options),
    /// An idle context, for the benchmark.
    #[command(hide = true)]
    BenchIdle(bench::idle::Options),
    /// One cell of the benchmark: what `bench` starts for each.
    #[command(hide = true)]
    BenchCell(bench_cell::Options),
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Test => test::run(),
        Command::Check => check::run(),
        Command::Features => features::run(),
        Command::Miri => miri::run(),
        Command::Sanitize(options) => sanitize::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Arrows => arrows::run(),
        Command::Tidy => tidy::run(),
        Command::Demo(options) => demo::run(&options),
        Command::Model(options) => model::run(&options),
        Command::Probe(options) => probe::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Faults(options) => faults::run(&options),
        Command::FaultFs(options) => faults::file_system::run(&options),
        Command::FaultScene(options) => faults::scene::run(&options),
        Command::FaultConfine(options) => faults::confinement::run(&options),
        Command::BenchIdle(options) => bench::idle::run(&options),
        Command::BenchCell(options) => bench_cell::run(&options),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        if error.is::<UsageError>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}
