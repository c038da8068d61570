//! What a driver needs is forbidden: another one is taken or the reason is told with its remedy.

use super::Experiment;
use crate::faults::finding::{Finding, Skip};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "uring-forbidden",
        needs_root: false,
        cases: &[1],
        mechanism: "seccomp: io_uring_setup or all of io_uring",
        run: uring_forbidden,
    },
    Experiment {
        name: "enter-forbidden",
        needs_root: false,
        cases: &[2],
        mechanism: "seccomp: io_uring_enter alone",
        run: enter_forbidden,
    },
    Experiment {
        name: "aio-forbidden",
        needs_root: false,
        cases: &[4],
        mechanism: "seccomp: io_setup, io_submit or all of AIO",
        run: aio_forbidden,
    },
    Experiment {
        name: "all-forbidden",
        needs_root: false,
        cases: &[1, 4],
        mechanism: "seccomp: io_uring and AIO",
        run: all_forbidden,
    },
];

const URING: [&str; 3] = ["io_uring_setup", "io_uring_enter", "io_uring_register"];
const AIO: [&str; 4] = ["io_setup", "io_submit", "io_getevents", "io_destroy"];
const ERRNOS: [&str; 2] = ["EPERM", "ENOSYS"];

fn sandboxed(ground: &Ground, driver: Named, calls: &[&str], errno: &str) -> anyhow::Result<Job> {
    let file = ground.path("sandboxed");
    let job = Job::scene(Scene::Blocks, driver, &file)?;
    let forbid = |job: Job, call: &&str| job.confined("forbid", format!("{call}={errno}"));
    Ok(calls.iter().fold(job, forbid))
}

/// The driver that was asked for by name says why not.
fn refused(
    ground: &Ground,
    finding: &mut Finding,
    driver: Named,
    calls: &[&str],
) -> anyhow::Result<()> {
    for errno in ERRNOS {
        let what = format!("{}, {}={errno}", driver.name(), calls.join(" "));
        let answer = sandboxed(ground, driver, calls, errno)?.run()?;
        if let Some(answer) = finding.take(&what, &answer) {
            finding.demand_refusal(&what, answer, errno, "seccomp");
        }
    }
    Ok(())
}

/// `auto` takes this one, says what it has passed over, and works.
fn replaced(
    ground: &Ground,
    finding: &mut Finding,
    taken: &str,
    calls: &[&str],
) -> anyhow::Result<()> {
    for errno in ERRNOS {
        let what = format!("auto, {}={errno}", calls.join(" "));
        let answer = sandboxed(ground, Named::Auto, calls, errno)?.run()?;
        if let Some(answer) = finding.take(&what, &answer) {
            let reason = answer.fallback.as_deref().unwrap_or_default();
            finding.injected += u64::from(!reason.is_empty());
            finding.demand(answer.driver == taken && reason.contains("seccomp"), || {
                format!(
                    "{what}: not {taken} but {}, because {reason:?}",
                    answer.driver
                )
            });
            finding.demand(answer.failed() == 0 && answer.verified_bytes > 0, || {
                format!(
                    "{what}: the driver that was taken failed: {:?}",
                    answer.errors
                )
            });
        }
    }
    Ok(())
}

fn need(ground: &Ground, driver: Named) -> Result<(), Skip> {
    if ground.has(driver) {
        return Ok(());
    }
    let name = driver.name();
    Err(Skip(format!(
        "{name} does not start here as it is; cargo xtask probe says why"
    )))
}

fn uring_forbidden(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    need(ground, Named::Uring)?;
    need(ground, Named::Aio)?;
    for calls in [&URING[..1], &URING[..]] {
        refused(ground, finding, Named::Uring, calls)?;
        replaced(ground, finding, "AIO", calls)?;
    }
    Ok(())
}

fn enter_forbidden(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    need(ground, Named::Uring)?;
    need(ground, Named::Aio)?;
    refused(ground, finding, Named::Uring, &URING[1..2])?;
    replaced(ground, finding, "AIO", &URING[1..2])
}

fn aio_forbidden(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    need(ground, Named::Aio)?;
    for calls in [&AIO[..1], &AIO[1..2], &AIO[..]] {
        refused(ground, finding, Named::Aio, calls)?;
    }
    Ok(())
}

fn all_forbidden(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    need(ground, Named::Uring)?;
    need(ground, Named::Aio)?;
    for aio in [&AIO[..1], &AIO[1..2], &AIO[..]] {
        let calls = [&URING[..], aio].concat();
        replaced(ground, finding, "threads", &calls)?;
    }
    Ok(())
}
