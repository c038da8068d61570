//! The scripts that a fuzzer has found worth keeping, and random ones.
//!
//! `FUZZ_INPUT=FILE` performs only the script in FILE and prints it: what a crash of
//! `cargo xtask fuzz` has left, for instance. `SIM_SEED=n` performs one random script.
#![cfg(all(feature = "sim", feature = "merge"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(
    clippy::print_stdout,
    reason = "a script that fails is shown with its panic"
)]

use std::fs;
use std::path::Path;

use io_engine::sim::{Dice, Fault, SEED_VARIABLE, for_each_seed};
use script::Summary;
use watchdog::Watchdog;

#[path = "script/mod.rs"]
mod script;
mod watchdog;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz_corpus");
const BYTES_MAX: usize = if cfg!(miri) { 60 } else { 400 };

/// The path of a script to perform alone.
fn input() -> Option<std::path::PathBuf> {
    std::env::var_os("FUZZ_INPUT").map(Into::into)
}

fn perform_file(path: &Path, watchdog: &Watchdog) -> Summary {
    watchdog.begins(path.display());
    let bytes = fs::read(path).unwrap();
    // A panic of the script shows this; it is captured otherwise.
    println!("{}:\n{}", path.display(), script::told(&bytes));
    script::perform(&bytes)
}

#[test]
fn what_the_fuzzer_has_kept_still_passes() {
    let watchdog = Watchdog::new();
    if let Some(path) = input() {
        println!("{:?}", perform_file(&path, &watchdog));
        return;
    }
    let mut kept: Vec<_> = fs::read_dir(CORPUS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    kept.sort();
    assert!(kept.len() > 20, "the corpus is missing from {CORPUS}");
    // An interpreter gets through a few of them.
    let stride = if cfg!(miri) { 50 } else { 1 };
    let mut all = Summary::default();
    for path in kept.iter().step_by(stride) {
        all.add(&perform_file(path, &watchdog));
    }
    println!("{} scripts: {all:?}", kept.len());
}

#[test]
fn random_scripts_keep_every_promise() {
    if input().is_some() {
        return;
    }
    let watchdog = Watchdog::new();
    let scripts = match cfg!(debug_assertions) {
        true if cfg!(miri) => 2,
        true => 2000,
        false => 20_000,
    };
    let mut all = Summary::default();
    let mut performed = 0;
    for_each_seed(0..scripts, |seed| {
        watchdog.begins(format_args!("seed {seed}"));
        let mut dice = Dice::new(seed);
        let mut bytes = vec![0; dice.below(BYTES_MAX)];
        dice.fill(&mut bytes);
        if std::env::var_os(SEED_VARIABLE).is_some() {
            println!("{}", script::told(&bytes));
        }
        all.add(&script::perform(&bytes));
        performed += 1;
    });
    println!("{performed} scripts: {all:?}");
    if performed < 1000 {
        return;
    }
    let each = [
        all.crashes,
        all.ends,
        all.given_up,
        all.handed_over,
        all.failed,
        all.synced,
    ];
    assert!(each.iter().all(|count| *count > performed / 20), "{all:?}");
    assert!(all.operations > 10 * performed);
    let unseen = [Fault::UnknownTicket, Fault::RepeatedTicket];
    let mut faults = Fault::ALL
        .into_iter()
        .filter(|fault| !unseen.contains(fault));
    assert!(
        faults.all(|fault| all.injected.of(fault) > 20),
        "{:?}",
        all.injected
    );
}
