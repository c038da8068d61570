//! `faults`: real faults, brought about as root, and whether the engine survives them.

mod beside;
mod cases;
mod cgroup;
mod cleaning;
pub(crate) mod confinement;
mod disks;
mod experiments;
mod file_behaviour;
mod file_content;
pub(crate) mod file_system;
mod finding;
mod fuse_mount;
mod ground;
mod job;
mod options;
mod report;
pub(crate) mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use crate::bench::interruption::{self, Interrupted};
use crate::progress::bar_of_long_steps;
use crate::workspace;

pub(crate) use options::Options;

use beside::Compared;
use experiments::Experiment;
use finding::{Finding, Skip};
use ground::Ground;
use report::{Ended, Row};

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.cases {
        println!("{}", cases::text());
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = options.choose(experiments::all())?;
    if options.list {
        println!("{}", report::list(&chosen));
        return Ok(ExitCode::SUCCESS);
    }
    interruption::watch()?;
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => workspace::root().join("target/faults"),
    };
    let folder = cleaning::take(&dir)?;
    let ground = Ground::new(&folder.path, options.quick, options.kills, options.seed)?;
    let begun = Instant::now();
    let rows = all_rows(&ground, &chosen)?;
    let beside = match options.peers {
        true => beside::compare(&ground)?,
        false => Vec::new(),
    };
    let left = ground.left_behind();
    if options.json {
        println!("{}", report::json(&rows, &beside, &left, options.seed)?);
    } else {
        println!("{}", report::text(&rows, begun.elapsed()));
        if options.peers {
            println!("\n{}", beside::table(&beside));
        }
    }
    for stayed in &left {
        eprintln!("error: left behind: {stayed}");
    }
    let is_good = rows.iter().all(|row| !row.has_failed()) && beside.iter().all(Compared::is_good);
    let bad = !is_good || !left.is_empty();
    Ok(ExitCode::from(u8::from(bad)))
}

fn all_rows(ground: &Ground, chosen: &[Experiment]) -> anyhow::Result<Vec<Row>> {
    let progress = bar_of_long_steps(
        chosen.len() as u64,
        "{wide_bar} {pos}/{len}  {msg:24} {elapsed}",
    );
    let mut rows = Vec::new();
    for experiment in chosen {
        interruption::check()?;
        progress.set_message(experiment.name);
        let row = one_row(ground, experiment)?;
        progress.suspend(|| eprintln!("{}", row.line()));
        progress.inc(1);
        rows.push(row);
    }
    progress.finish_and_clear();
    Ok(rows)
}

/// An experiment that panics has failed; what it made is gone by then, as its guards are.
fn one_row(ground: &Ground, experiment: &Experiment) -> anyhow::Result<Row> {
    let begun = Instant::now();
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let mut finding = Finding::default();
        let may_run = !experiment.needs_root || rustix::process::geteuid().is_root();
        let done = if may_run {
            (experiment.run)(ground, &mut finding)
        } else {
            Err(Skip("it needs root: sudo -E cargo xtask faults".to_owned()).into())
        };
        (done, finding)
    }));
    let (done, mut finding) = tried.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        (Err(anyhow::anyhow!("a panic: {said}")), Finding::default())
    });
    let ended = match done {
        Ok(()) => Ended::Ran(finding.verdict()),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => match error.downcast::<Skip>() {
            Ok(skip) => Ended::Skipped(skip.0),
            Err(error) => {
                finding.complaints.push(format!("{error:#}"));
                Ended::Ran(finding)
            }
        },
    };
    Ok(Row {
        name: experiment.name,
        cases: experiment.cases,
        mechanism: experiment.mechanism,
        seconds: begun.elapsed().as_secs_f64(),
        ended,
    })
}
