//! `demo`: a file through every driver, every block checked, and what it took.

mod content;
mod driver_run;
mod job;
mod lane;
mod options;
mod phase;
mod random_order;
mod report;
mod work_file;

use std::process::ExitCode;

use io_engine::Driver;

use crate::optimised;
use crate::progress::Operations;

pub(crate) use options::Options;

use job::Job;
use report::DriverReport;

/// The drivers that the demo tries, in the order in which `Driver::Auto` would.
const DRIVERS: [Driver; 3] = [Driver::Uring, Driver::Aio, Driver::Threads];

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let job = Job::from_options(options)?;
    if cfg!(debug_assertions) && !options.unoptimised {
        return optimised::run_again();
    }
    eprintln!("{job}");
    let (before, per_driver) = job.operation_counts();
    let progress = Operations::new(before + per_driver * DRIVERS.len() as u64);
    let expected = job.expected(&progress)?;
    let mut reports = Vec::with_capacity(DRIVERS.len());
    for (number, driver) in (1..).zip(DRIVERS) {
        let report = driver_run::run(driver, &job, &expected.with_seed(number), &progress)?;
        let is_stuck = report.is_stuck();
        reports.push(report);
        if is_stuck {
            // What never comes back still holds its threads; the next driver would prove nothing.
            break;
        }
    }
    progress.finish();
    if options.json {
        println!("{}", report::json(&job, &reports)?);
    } else {
        println!("{}", report::table(&job, &reports));
    }
    Ok(verdict(&reports))
}

fn verdict(reports: &[DriverReport]) -> ExitCode {
    let faults: Vec<String> = reports.iter().flat_map(DriverReport::faults).collect();
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    let nothing_ran = !reports.iter().any(DriverReport::has_run);
    ExitCode::from(u8::from(nothing_ran || !faults.is_empty()))
}
