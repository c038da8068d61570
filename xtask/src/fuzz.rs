//! `fuzz`: scripts of I/O with faults and crashes that a fuzzer makes up, and the corpus of those that
//! lead somewhere new.
//!
//! What a script does, and what it has to come to, is in the tests of io-engine, which perform the corpus
//! too.

mod corpus;
mod findings;
mod target;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use crate::bench::interruption;
use crate::nightly;
use crate::workspace;

use corpus::Corpus;
use findings::Findings;
use target::FuzzTarget;

/// What a user asks of the fuzzer.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// How long it looks for new scripts
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Prints an object in place of the table
    #[arg(long)]
    json: bool,
}

/// What is given up in a script is leaked on purpose, so no process goes on for longer.
const SLICE: Duration = Duration::from_secs(180);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    nightly::need(&[])?;
    interruption::watch()?;
    let metadata = workspace::metadata()?;
    let target = FuzzTarget::build(metadata.target_directory.as_std_path())?;
    let corpus = Corpus::open(target.folder())?;
    let mut findings = Findings {
        kept_before: corpus.kept()?,
        ..Findings::default()
    };
    let mut left = Duration::from_secs(options.seconds);
    while !left.is_zero() && findings.failure.is_none() {
        let slice = left.min(SLICE);
        let began = Instant::now();
        findings.add(&target.fuzz(&corpus, slice)?, began.elapsed());
        interruption::check()?;
        left -= slice;
    }
    if let Some(failure) = &findings.failure {
        eprintln!("{}", failure.report);
        match &failure.script {
            Some(script) => eprintln!(
                "error: a script fails; to perform it again:\n{}",
                how_to_perform(script)
            ),
            None => bail!("the fuzzer has ended badly and left no script"),
        }
    } else {
        target.merge(&corpus)?;
    }
    findings.kept = corpus.kept()?;
    match options.json {
        true => println!("{}", serde_json::to_string(&findings)?),
        false => println!("{}", table(&findings)),
    }
    Ok(ExitCode::from(u8::from(findings.failure.is_some())))
}

fn how_to_perform(script: &Path) -> String {
    format!(
        "FUZZ_INPUT={} cargo test -p io-engine --all-features --test fuzz_corpus -- --nocapture",
        script.display()
    )
}

fn table(findings: &Findings) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "seconds", "scripts", "edges", "kept", "new", "KB kept", "failed",
    ]);
    table.add_row([
        findings.seconds.to_string(),
        findings.scripts.to_string(),
        findings.edges.to_string(),
        findings.kept.files.to_string(),
        (findings.kept.files - findings.kept_before.files.min(findings.kept.files)).to_string(),
        format!("{:.1}", findings.kept.bytes as f64 / 1000.0),
        u8::from(findings.failure.is_some()).to_string(),
    ]);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
