//! `model`: random work through every driver against a model of the file, each answer checked byte for
//! byte, each callback counted.

mod carrier;
mod context_way;
mod driver_run;
mod guarded_memory;
mod ledger;
mod loop_way;
#[cfg(test)]
mod lying_engine_tests;
mod mailbox;
mod medium;
mod operation;
mod options;
mod replay_file;
mod report;
mod round;
mod script;
mod sender;
mod shrink;
mod table;
mod trial;
mod watchdog;
mod work_file;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use io_engine::sim::Dice;

use crate::bench::interruption;
use crate::optimised;
use crate::progress::Operations;
use crate::usage_error::UsageError;

pub(crate) use options::Options;

use carrier::Carrier;
use context_way::Pool;
use driver_run::{Plan, how_to_replay, operations_max};
use medium::{Medium, RealFile};
use replay_file::ReplayFile;
use report::Report;
use round::Wishes;
use trial::Trial;
use watchdog::{Board, Watchdog};
use work_file::WorkFile;

/// So much is done in no time by a build without optimisation too.
const UNOPTIMISED_OPERATIONS_MAX: u64 = 20_000;

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let is_long = options.ops > UNOPTIMISED_OPERATIONS_MAX && options.replay.is_none();
    if cfg!(debug_assertions) && is_long && !options.unoptimised {
        return optimised::run_again();
    }
    interruption::watch()?;
    let plan = Plan {
        seed: options.seed.unwrap_or_else(any_seed),
        operations: options.ops,
        is_direct: options.direct,
        is_json: options.json,
        folder: folder()?,
        board: Board::default(),
    };
    let _watchdog = Watchdog::start(&plan.board, options.deadline);
    let reports = match &options.replay {
        Some(path) => replay(options, &plan, &ReplayFile::read(path)?)?,
        None => check(options, &plan)?,
    };
    if !options.json {
        println!("{}", report::table(&reports));
    }
    Ok(verdict(&reports))
}

/// Where files and rounds that failed are left: beside what was built.
fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("the path of this program")?;
    let folder = program.parent().context("the folder of this program")?;
    let folder = folder.join("model");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// One that people can type.
fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let moment = now.map_or(0, |now| now.subsec_nanos().into());
    let mut dice = Dice::new(u64::from(std::process::id()) << 32 | moment);
    dice.number() % 1_000_000_000
}

fn check(options: &Options, plan: &Plan) -> anyhow::Result<Vec<Report>> {
    let is_chosen = !options.driver.is_empty();
    let carriers = match is_chosen {
        true => options.driver.as_slice(),
        false => &Carrier::ALL,
    };
    eprintln!(
        "{} operations for each driver; --seed {} for the same again",
        options.ops, plan.seed
    );
    let progress = Operations::new(options.ops * carriers.len() as u64);
    let mut reports = Vec::new();
    for &carrier in carriers {
        let report = match carrier.try_start() {
            Ok(()) => {
                progress.begin(&carrier.to_string());
                check_one(options, plan, carrier, &progress)?
            }
            Err(error) if is_chosen => {
                return Err(anyhow::Error::from(error).context(format!("--driver {carrier}")));
            }
            Err(error) => {
                let mut report = Report::new(carrier, plan.seed, options.faulty);
                report.unavailable = Some(error.to_string());
                progress.advance(options.ops);
                report
            }
        };
        say(options, &report)?;
        reports.push(report);
    }
    progress.finish();
    Ok(reports)
}

fn say(options: &Options, report: &Report) -> anyhow::Result<()> {
    if options.json {
        println!("{}", report::json(report)?);
    }
    Ok(())
}

fn check_one(
    options: &Options,
    plan: &Plan,
    carrier: Carrier,
    progress: &Operations,
) -> anyhow::Result<Report> {
    let (mut trial, file) = trial(options, plan, carrier, options.direct, options.faulty)?;
    let wishes = Wishes {
        way: options.way.chosen(carrier),
        merges: options.merge.chosen(),
        has_gaps: !options.without_gaps,
        depth: options.depth,
        senders: options.senders,
        operations_max: options
            .round_ops
            .unwrap_or_else(|| operations_max(carrier, options.ops)),
        fixed_bytes: trial.medium.fixed_bytes(),
    };
    let report = plan.run(&mut trial, &wishes, progress)?;
    keep_if_bad(file, &report);
    Ok(report)
}

fn replay(options: &Options, plan: &Plan, file: &ReplayFile) -> anyhow::Result<Vec<Report>> {
    let carrier = match options.driver.as_slice() {
        [] => file.driver,
        [carrier] => *carrier,
        _ => return Err(UsageError("--replay runs on one --driver".to_owned()).into()),
    };
    let (is_direct, is_faulty) = (options.direct || file.direct, options.faulty || file.faulty);
    let (mut trial, work_file) = trial(options, plan, carrier, is_direct, is_faulty)?;
    let report = plan.replay(&mut trial, file.round.clone())?;
    keep_if_bad(work_file, &report);
    say(options, &report)?;
    Ok(vec![report])
}

fn trial(
    options: &Options,
    plan: &Plan,
    carrier: Carrier,
    is_direct: bool,
    is_faulty: bool,
) -> anyhow::Result<(Trial, Option<WorkFile>)> {
    let (medium, file) = match carrier {
        Carrier::Sim => (Medium::Sim { is_direct }, None),
        Carrier::Uring | Carrier::Aio | Carrier::Threads | Carrier::Auto => {
            let file = match &options.file {
                Some(path) => WorkFile::named(path)?,
                None => WorkFile::temporary(&plan.folder)?,
            };
            let real = RealFile::open(file.path(), is_direct, is_faulty)?;
            (Medium::Real(real), Some(file))
        }
    };
    let trial = Trial {
        carrier,
        medium,
        expects_errors: is_faulty,
        pool: Pool::default(),
        moves: plan.board.moves.clone(),
    };
    Ok((trial, file))
}

fn keep_if_bad(file: Option<WorkFile>, report: &Report) {
    if let Some(file) = file
        && !report.is_good()
    {
        eprintln!("the file as it is now: {}", file.keep().display());
    }
}

fn verdict(reports: &[Report]) -> ExitCode {
    for report in reports {
        for finding in &report.ledger.findings {
            eprintln!("error: {}: {finding}", report.driver);
        }
        if let Some(path) = &report.replay {
            eprintln!("to run it again: {}", how_to_replay(path));
        }
    }
    let nothing_ran = reports.iter().all(|report| report.unavailable.is_some());
    let is_bad = nothing_ran || !reports.iter().all(Report::is_good);
    ExitCode::from(u8::from(is_bad))
}
