//! One driver from start to end: a context, the phases, and what they took.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_engine::callback_worker::Inline;
use io_engine::{Driver, IOContext, Submitter};
use rustix::time::{ClockId, clock_gettime};

use super::content::Expected;
use super::job::{Job, Target};
use super::lane::Lane;
use super::phase::{Kind, Phase, Stalled};
use super::report::{DriverReport, PhaseReport};
use super::work_file;
use crate::progress::Operations;

/// Runs every phase on `driver`. That it cannot start is a report as well, with the reason.
pub(crate) fn run(
    driver: Driver,
    job: &Job,
    expected: &Expected,
    progress: &Operations,
) -> anyhow::Result<DriverReport> {
    let (_, operations) = job.operation_counts();
    let (tx, rx) = io_engine::channel::<Lane>(job.depth);
    let context = match IOContext::<Lane, _>::new(job.depth, rx, &Inline, driver) {
        Ok(context) => context,
        Err(error) => {
            progress.advance(operations);
            return Ok(DriverReport::unavailable(driver, error.to_string()));
        }
    };
    let file = Arc::new(work_file::open(job)?);
    let kinds: &[Kind] = match job.target {
        Target::Own { .. } => &[Kind::Write, Kind::DataSync, Kind::Read],
        Target::Users { .. } => &[Kind::Read],
    };
    let mut report = DriverReport::started(driver);
    for &kind in kinds {
        progress.begin(&format!("{driver}: {}", kind.name()));
        let phase = run_phase(kind, job, &file, expected, &tx, progress)?;
        report.phases.push(phase);
        if report.is_stuck() {
            // Its shutdown would wait for what is missing, for ever.
            std::mem::forget(context);
            return Ok(report);
        }
        if report.faults().next().is_some() {
            // What was not written cannot be read back.
            break;
        }
    }
    context.shutdown()?;
    Ok(report)
}

fn run_phase(
    kind: Kind,
    job: &Job,
    file: &Arc<File>,
    expected: &Expected,
    tx: &Submitter<Lane>,
    progress: &Operations,
) -> anyhow::Result<PhaseReport> {
    let (phase, end) = Phase::new(kind, job, file, expected);
    let cpu_before = cpu_time();
    let begin = Instant::now();
    if let Err(refused) = tx.send_batch(Lane::begin(&phase)?) {
        phase.note(format!("the engine refused the first events: {refused}"));
    }
    let waited = phase.wait(&end, &mut |operations| progress.advance(operations));
    let cpu = cpu_time().saturating_sub(cpu_before);
    let (ended, missing) = match waited {
        Ok(ended) => (ended, Vec::new()),
        Err(Stalled { missing }) => (Instant::now(), missing),
    };
    Ok(PhaseReport::of(
        &phase,
        ended.duration_since(begin),
        cpu,
        missing,
    ))
}

/// What all threads of this process have used, the kernel's workers for its rings included.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn job(dir: &std::path::Path) -> Job {
        Job {
            target: Target::Own {
                dir: dir.to_owned(),
            },
            total_bytes: 64 * 4096,
            block_bytes: 4096,
            depth: 8,
            is_direct: false,
            stall_limit: Duration::from_secs(30),
        }
    }

    #[test]
    fn a_driver_writes_and_reads_every_block() {
        let folder = tempfile::tempdir().unwrap();
        let expected = Expected::Pattern { seed: 1 };
        let job = job(folder.path());
        let report = run(Driver::Threads, &job, &expected, &Operations::hidden()).unwrap();
        assert_eq!(
            report.faults().collect::<Vec<String>>(),
            Vec::<String>::new()
        );
        let verified: Vec<u64> = report.phases.iter().map(|phase| phase.verified).collect();
        assert_eq!(verified, [64, 1, 64]);
        let left_behind = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left_behind, 0);
    }

    #[test]
    fn a_wrong_byte_in_the_file_is_a_fault_with_its_offset() {
        let folder = tempfile::tempdir().unwrap();
        let expected = Expected::Pattern { seed: 1 };
        let job = job(folder.path());
        let file = Arc::new(work_file::open(&job).unwrap());
        let (tx, rx) = io_engine::channel::<Lane>(8);
        let context = IOContext::<Lane, _>::new(8, rx, &Inline, Driver::Threads).unwrap();
        let phase =
            |kind| run_phase(kind, &job, &file, &expected, &tx, &Operations::hidden()).unwrap();
        assert_eq!(phase(Kind::Write).failed, 0);
        let mut byte = [0];
        file.read_exact_at(&mut byte, 5 * 4096 + 77).unwrap();
        file.write_all_at(&[byte[0] ^ 1], 5 * 4096 + 77).unwrap();
        let read = phase(Kind::Read);
        assert_eq!((read.verified, read.failed), (63, 1));
        assert!(read.failures[0].contains("at 20480"), "{:?}", read.failures);
        context.shutdown().unwrap();
    }
}
