//! Running the parts, each in a process of its own with a deadline.

use std::time::{Duration, Instant};

use crate::bench::child;
use crate::bench::interruption::{self, Interrupted};
use crate::bench::machine::{Commit, Machine};
use crate::progress::bar_of_long_steps;

use super::counts::Counts;
use super::options::Options;
use super::part::Part;
use super::summary::{PartSummary, Summary, VERSION};

/// Runs every part once, and those that have seeds again and again until the time is over. An
/// interruption ends it with what there is.
pub(crate) fn all(options: &Options) -> anyhow::Result<Summary> {
    let parts = options.parts();
    let begun = Instant::now();
    let mut summary = Summary {
        version: VERSION,
        machine: Machine::this(),
        commit: Commit::current(),
        hours: options.hours.map(|hours| hours.as_secs_f64() / 3600.0),
        seed: options.seed,
        seconds: 0.0,
        interrupted: false,
        counts: Counts::default(),
        parts: parts.iter().map(|part| PartSummary::of(part)).collect(),
    };
    let progress = bar_of_long_steps(
        parts.len() as u64,
        "{wide_bar} {pos}/{len}  {msg:14} {elapsed}",
    );
    let mut pass = 0;
    loop {
        for (index, part) in parts.iter().enumerate() {
            if pass > 0 && (!part.has_seed || is_over(options.hours, begun)) {
                continue;
            }
            progress.set_message(part.name);
            let one = &mut summary.parts[index];
            match one_part(part, options.seed + pass, one) {
                Ok(counts) => summary.counts.add(&counts),
                Err(Interrupted) => summary.interrupted = true,
            }
            progress.suspend(|| eprintln!("{}", summary.parts[index].line()));
            if summary.interrupted {
                break;
            }
            progress.inc(u64::from(pass == 0));
        }
        pass += 1;
        let goes_on = parts.iter().any(|part| part.has_seed) && !summary.interrupted;
        if !goes_on || is_over(options.hours, begun) {
            break;
        }
    }
    progress.finish_and_clear();
    summary.seconds = begun.elapsed().as_secs_f64();
    Ok(summary)
}

/// Without hours, one pass is all.
fn is_over(hours: Option<Duration>, begun: Instant) -> bool {
    hours.is_none_or(|hours| begun.elapsed() >= hours)
}

fn one_part(part: &Part, seed: u64, summary: &mut PartSummary) -> Result<Counts, Interrupted> {
    interruption::check()?;
    if part.needs_root && !rustix::process::geteuid().is_root() {
        summary.skipped = Some("needs root".to_owned());
        return Ok(Counts::default());
    }
    let begun = Instant::now();
    let ran = child::run(&mut (part.command)(seed), part.limit)?;
    summary.seconds += begun.elapsed().as_secs_f64();
    summary.runs += 1;
    let counted = match ran {
        Ok(printed) => (part.read)(&printed.stdout).map_err(|error| format!("{error:#}")),
        Err(failure) => Err(failure.text()),
    };
    Ok(counted.unwrap_or_else(|reason| {
        summary.failures.push(format!("seed {seed}: {reason}"));
        Counts::default()
    }))
}
