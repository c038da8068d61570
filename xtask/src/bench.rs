//! `bench`: comparing engines side by side in one run.

pub(crate) mod cell;
pub(crate) mod child;
mod compare;
mod engine_name;
pub(crate) mod engines;
pub(crate) mod executables;
mod fio;
mod groups;
pub(crate) mod idle;
pub(crate) mod interruption;
mod list;
pub(crate) mod machine;
mod merge_groups;
pub(crate) mod meter;
mod options;
mod page;
pub(crate) mod page_buffer;
pub(crate) mod pattern;
pub(crate) mod peers;
mod place;
mod plan;
mod progress;
pub(crate) mod record;
mod report;
mod run;
#[cfg(test)]
mod sample;
pub(crate) mod slot;
mod statistics;
mod table;
mod targets;
mod tracepoint;
pub(crate) mod units;
pub(crate) mod usage;
pub(crate) mod zram;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;

use crate::usage_error::UsageError;
use crate::workspace;

pub(crate) use options::Options;

use compare::Comparison;
use engine_name::Kind;
use executables::Executables;
use machine::{Commit, Machine};
use peers::Peers;
use place::{Layout, Sites};
use plan::Plan;
use progress::Progress;
use record::{Record, RunSettings, VERSION, write_whole};
use run::Runner;

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // Before anything takes minutes, everything that can be wrong with the arguments is found.
    let old = options.compare.as_deref().map(Record::read).transpose()?;
    if let (Some(old), Some(new)) = (&old, &options.with) {
        println!("{}", Comparison::of(old, &Record::read(new)?)?.text());
        return Ok(ExitCode::SUCCESS);
    }
    if options.list {
        println!("{}", list::text(&Plan::new(options, &[])?));
        return Ok(ExitCode::SUCCESS);
    }
    if !options.peers {
        Plan::new(options, &[])?;
    }
    let report = report_path(options);
    if let Some(path) = &options.page {
        page::check(path)?;
    }
    check_outputs(options, &report)?;
    let record = match &options.show {
        Some(path) => Record::read(path)?,
        None => {
            let layout = layout(options)?;
            interruption::watch()?;
            measure(options, &layout)?
        }
    };
    show(options, &record, &report)?;
    if let Some(old) = &old {
        let comparison = Comparison::of(old, &record)?;
        tell(options, &format!("\n{}", comparison.text()));
    }
    Ok(verdict(&record))
}

/// Builds what is to be measured, prepares the places and measures.
fn measure(options: &Options, layout: &Layout) -> anyhow::Result<Record> {
    let peers = if options.peers {
        Peers::build()?
    } else {
        Peers::default()
    };
    let names: Vec<String> = peers.engines.keys().cloned().collect();
    let mut plan = Plan::new(options, &names)?;
    let executables = Executables {
        own: executables::own(options.unoptimised)?,
        peers: peers.engines,
    };
    interruption::check()?;
    let mut notes = Vec::new();
    notes.extend(leave_fio_out(&mut plan));
    let mut prepared = |what: &str| eprintln!("{what}");
    let sites = Sites::prepare(&plan.places(), layout, &mut prepared)?;
    notes.extend(leave_places_out(&mut plan, &sites));
    if plan.groups.is_empty() {
        bail!("nothing is left to measure: {}", notes.join("; "));
    }
    let tracepoint = tracepoint::syscall_id();
    if let Err(reason) = &tracepoint {
        plan.counting = false;
        notes.push(format!("counting system calls: {reason}"));
    }
    let mut record = Record {
        version: VERSION,
        started: now(),
        machine: Machine::this(),
        commit: Commit::current(),
        settings: settings(options, &plan),
        grounds: sites.grounds(),
        groups: run::blank(&plan),
        idle: None,
        notes,
        broken_peers: peers.broken,
    };
    let progress = Progress::new(plan.total_time());
    progress.say(&format!(
        "{} cells, {}",
        plan.cell_count(),
        list::minutes(plan.total_time())
    ));
    let runner = Runner {
        plan: &plan,
        sites: &sites,
        executables: &executables,
        progress: &progress,
    };
    fill(&mut record, &runner, tracepoint.ok())?;
    Ok(record)
}

/// Every measurement of the run.
fn fill(record: &mut Record, runner: &Runner<'_>, tracepoint: Option<u64>) -> anyhow::Result<()> {
    runner.measure(&mut record.groups)?;
    if let Some(tracepoint) = tracepoint
        && let Some(reason) = runner.count_calls(tracepoint, &mut record.groups)?
    {
        record
            .notes
            .push(format!("counting system calls in some cells: {reason}"));
    }
    match runner.idle()? {
        Some(Ok(idle)) => record.idle = Some(idle),
        Some(Err(reason)) => record.notes.push(format!("the idle context: {reason}")),
        None => {}
    }
    for group in &mut record.groups {
        group.summarise();
    }
    Ok(())
}

fn leave_fio_out(plan: &mut Plan) -> Option<String> {
    let is_fio = |engine: &str| Kind::of(engine) == Kind::Fio;
    let mut cells = plan.groups.iter().flat_map(|planned| &planned.cells);
    if !cells.any(|cell| is_fio(&cell.engine)) || fio::version().is_some() {
        return None;
    }
    plan.retain(|_, cell| !is_fio(&cell.engine));
    Some("fio is not installed".to_owned())
}

fn leave_places_out(plan: &mut Plan, sites: &Sites) -> Vec<String> {
    plan.retain(|group, _| sites.ready(group.place).is_some());
    let missing = sites.missing();
    let notes: Vec<String> = missing
        .map(|(place, reason)| format!("{}: {reason}", place.name()))
        .collect();
    for note in &notes {
        eprintln!("left out: {note}");
    }
    notes
}

fn settings(options: &Options, plan: &Plan) -> RunSettings {
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    RunSettings {
        quick: options.quick,
        peers: options.peers,
        optimised: !(options.unoptimised && cfg!(debug_assertions)),
        rounds: plan.rounds,
        warm_up_ms: ms(plan.warm_up),
        measure_ms: ms(plan.measure),
    }
}

const FILE_BYTES: u64 = 1 << 30;
const QUICK_FILE_BYTES: u64 = 256 << 20;

fn layout(options: &Options) -> anyhow::Result<Layout> {
    let dir = match &options.dir {
        Some(dir) if dir.is_dir() => dir.clone(),
        Some(dir) => {
            return Err(UsageError(format!("--dir: {} is not a folder", dir.display())).into());
        }
        None => {
            let dir = workspace::root().join("target/bench");
            std::fs::create_dir_all(&dir)?;
            dir
        }
    };
    let usual = if options.quick {
        QUICK_FILE_BYTES
    } else {
        FILE_BYTES
    };
    let file_bytes = options.file_bytes.unwrap_or(usual);
    Ok(Layout { dir, file_bytes })
}

const STDOUT: &str = "-";

fn report_path(options: &Options) -> PathBuf {
    let usual = || workspace::root().join("target/bench/report.html");
    options.report.clone().unwrap_or_else(usual)
}

/// Finds out now what would be a pity to find out at the end.
fn check_outputs(options: &Options, report: &Path) -> Result<(), UsageError> {
    let json = options
        .json
        .as_deref()
        .filter(|path| *path != Path::new(STDOUT));
    let page = options.page.as_deref();
    for (option, path) in [
        ("--json", json),
        ("--report", Some(report)),
        ("--page", page),
    ] {
        let Some(path) = path else { continue };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let tried = dir.map_or(Ok(()), std::fs::create_dir_all);
        let tried = tried.and_then(|()| tempfile::tempfile_in(dir.unwrap_or(Path::new("."))));
        if let Err(error) = tried {
            let path = path.display();
            return Err(UsageError(format!(
                "{option}: {path} cannot be written: {error}"
            )));
        }
        if path.is_dir() {
            return Err(UsageError(format!(
                "{option}: {} is a folder",
                path.display()
            )));
        }
    }
    Ok(())
}

fn now() -> String {
    let second = jiff::Timestamp::now().round(jiff::Unit::Second);
    second.unwrap_or_default().to_string()
}

fn show(options: &Options, record: &Record, report: &Path) -> anyhow::Result<()> {
    tell(options, &table::all(record));
    tell(options, &targets::text(&targets::verdicts(record)));
    match options.json.as_deref() {
        Some(path) if path == Path::new(STDOUT) => println!("{}", record.to_json()?),
        Some(path) => record.write(path)?,
        None => {}
    }
    write_whole(report, &report::page(record))?;
    eprintln!("the report: {}", report.display());
    if let Some(path) = &options.page {
        page::rewrite(path, record)?;
        eprintln!("the page: {}", path.display());
    }
    Ok(())
}

/// For people; where JSON goes to stdout, this goes beside it.
fn tell(options: &Options, text: &str) {
    if options.json.as_deref() == Some(Path::new(STDOUT)) {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}

/// Only our own engines decide: what ails a peer is its own.
fn verdict(record: &Record) -> ExitCode {
    let own = record.cells().filter(|(_, cell)| cell.kind == Kind::Own);
    let mut failed = 0;
    for (group, cell) in own {
        if let Some(reason) = cell.failure() {
            failed += 1;
            eprintln!(
                "error: {}, depth {}, {}: {reason}",
                group.name,
                cell.depth,
                cell.label()
            );
        }
    }
    ExitCode::from(u8::from(failed > 0))
}
