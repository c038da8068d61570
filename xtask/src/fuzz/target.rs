//! The fuzz target as a program: built, run, and asked which scripts lead somewhere new.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::corpus::Corpus;
use crate::child_process::{self, Finished};
use crate::nightly::{self, TARGET};
use crate::test_output::without_successes;

/// A workspace of its own.
const MANIFEST: &str = "xtask/fuzz/Cargo.toml";

/// What libFuzzer needs to see where a script leads, and what finds misuse of memory.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Zsanitizer=address",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
];

/// Longer scripts lead nowhere that shorter ones do not.
const BYTES_MAX: usize = 512;
const BUILD_TAKES: Duration = Duration::from_secs(1800);
/// Reading the corpus and writing it anew, on a slow machine.
const MERGE_TAKES: Duration = Duration::from_secs(900);
/// A script that takes longer hangs.
const SCRIPT_TAKES: Duration = Duration::from_secs(60);

/// The program.
#[derive(Debug)]
pub(crate) struct FuzzTarget {
    folder: PathBuf,
}

impl FuzzTarget {
    /// Builds it in a folder of its own below `target`.
    pub(crate) fn build(target: &Path) -> anyhow::Result<Self> {
        let folder = target.join("fuzz");
        let mut command = nightly::cargo(["build", "--release", "--target", TARGET]);
        command.args(["--manifest-path", MANIFEST]);
        command.env("CARGO_TARGET_DIR", &folder);
        command.env("RUSTFLAGS", FLAGS.join(" "));
        let built = shown("building", command, BUILD_TAKES)?;
        ensure!(built.success, "{}", without_successes(&built.output));
        Ok(Self { folder })
    }

    /// Where it is, and where the scripts of this machine are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.folder.join(TARGET).join("release/script"));
        command.arg(format!("-timeout={}", SCRIPT_TAKES.as_secs()));
        command.arg(format!("-max_len={BYTES_MAX}"));
        // What a kernel may still write to is leaked on purpose, which is no finding.
        command.env("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=16");
        command
    }

    /// Performs what there is and makes up new scripts.
    pub(crate) fn fuzz(&self, corpus: &Corpus, how_long: Duration) -> anyhow::Result<Finished> {
        let mut command = self.command();
        command.arg(format!("-max_total_time={}", how_long.as_secs()));
        let failing = corpus.failing.display();
        command.args([
            &format!("-artifact_prefix={failing}/"),
            "-print_final_stats=1",
        ]);
        command.args([&corpus.working, &corpus.kept]);
        shown("fuzzing", command, how_long + MERGE_TAKES)
    }

    /// Adds to what is kept the scripts that reach a place which none of those does.
    pub(crate) fn merge(&self, corpus: &Corpus) -> anyhow::Result<()> {
        let mut command = self.command();
        command.args(["-set_cover_merge=1", "-use_counters=0"]);
        command.args([&corpus.kept, &corpus.working]);
        let merged = shown("merging", command, MERGE_TAKES)?;
        ensure!(
            merged.success,
            "the corpus cannot be merged: {}",
            merged.output
        );
        Ok(())
    }
}

/// Runs `command`; on a terminal its last line is seen, elsewhere what is done.
fn shown(what: &'static str, command: Command, limit: Duration) -> anyhow::Result<Finished> {
    let bar = match io::stderr().is_terminal() {
        true => {
            let style =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}");
            ProgressBar::new_spinner().with_style(style.expect("a valid template"))
        }
        false => {
            eprintln!("{what} ...");
            ProgressBar::hidden()
        }
    };
    bar.set_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    let finished = child_process::run(command, limit, &mut |line| {
        bar.set_message(line.trim().replace('\t', " "));
    });
    bar.finish_and_clear();
    finished.with_context(|| format!("{what} cannot be started"))
}
