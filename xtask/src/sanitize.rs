//! `sanitize`: the model check and the crates' tests in builds that see misuse of memory and data races.
//!
//! Neither sanitizer sees what the kernel does: a buffer that the kernel writes to after it was freed is
//! found by the guarded pages of the model check, which turn that write into an error.

mod sanitizer;
mod tests;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use io_engine::{Driver, EventLoop};

use crate::nightly;
use crate::steps::Steps;
use crate::workspace;

use sanitizer::Sanitizer;

/// What a user asks of the sanitizers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Operations of the model check for each driver
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    ops: u64,

    /// One of the sanitizers; both if left out
    #[arg(long, value_name = "SANITIZER", value_enum)]
    only: Option<Sanitizer>,

    /// Everything random follows from it; a new one for each run if left out
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// As the model check names what carries the requests.
const CARRIERS: [(&str, Option<Driver>); 4] = [
    ("sim", None),
    ("uring", Some(Driver::Uring)),
    ("aio", Some(Driver::Aio)),
    ("threads", Some(Driver::Threads)),
];

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = match options.only {
        Some(sanitizer) => vec![sanitizer],
        None => Sanitizer::ALL.to_vec(),
    };
    for sanitizer in &chosen {
        nightly::need(sanitizer.components())?;
    }
    let metadata = workspace::metadata()?;
    let target = metadata.target_directory.as_std_path();
    let mut steps = Steps::new();
    for sanitizer in chosen {
        add_to(&mut steps, sanitizer, options, target);
    }
    Ok(steps.finish())
}

fn add_to(steps: &mut Steps, sanitizer: Sanitizer, options: &Options, target: &Path) {
    let step = |what: &str| format!("{sanitizer}: {what}");
    let build = sanitizer.cargo(&["build", "--release", "-p", "xtask"], target);
    steps.command(&step("build"), build);
    for (name, driver) in CARRIERS {
        if let Some(driver) = driver
            && let Err(error) = EventLoop::<()>::new(1, driver)
        {
            println!("skipped: {name}: {error}");
            continue;
        }
        let ops = options.ops.to_string();
        let mut model = vec!["model", "--unoptimised", "--driver", name, "--ops", &ops];
        if sanitizer == Sanitizer::Tsan {
            model.push("--without-gaps");
        }
        let seed = options.seed.map(|seed| seed.to_string());
        if let Some(seed) = &seed {
            model.extend(["--seed", seed]);
        }
        steps.command(
            &step(&format!("model, {name}")),
            sanitizer.program(&model, target),
        );
    }
    for tests in sanitizer.tests() {
        steps.command(&step(tests.name), sanitizer.tests_command(tests, target));
    }
}
