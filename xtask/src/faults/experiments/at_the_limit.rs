//! Limits of the process and of the machine.

use std::fs;

use anyhow::Context;
use io_engine::{DEPTH_MAX, Driver, EventLoop};

use super::Experiment;
use crate::faults::finding::{Finding, Skip};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "uring-disabled",
        needs_root: true,
        cases: &[3],
        mechanism: "kernel.io_uring_disabled=1, as a user",
        run: uring_disabled,
    },
    Experiment {
        name: "aio-budget",
        needs_root: false,
        cases: &[5],
        mechanism: "large contexts until fs.aio-max-nr is used up",
        run: aio_budget,
    },
    Experiment {
        name: "locked-memory",
        needs_root: true,
        cases: &[7],
        mechanism: "RLIMIT_MEMLOCK=0, as a user",
        run: locked_memory,
    },
    Experiment {
        name: "open-files",
        needs_root: false,
        cases: &[8],
        mechanism: "RLIMIT_NOFILE: room for the file alone",
        run: open_files,
    },
    Experiment {
        name: "threads",
        needs_root: true,
        cases: &[11],
        mechanism: "RLIMIT_NPROC=1, as a user",
        run: threads,
    },
    Experiment {
        name: "file-size",
        needs_root: false,
        cases: &[41],
        mechanism: "RLIMIT_FSIZE in the middle of the file",
        run: file_size,
    },
];

/// Nobody else on this machine has processes of this number.
const USER: &str = "64999";

/// The first blocks of a file that anybody may write to.
fn as_user(ground: &Ground, driver: Named, name: &str) -> anyhow::Result<Job> {
    let file = ground.new_file(name, 0)?;
    Ok(Job::scene(Scene::Blocks, driver, &file)?.confined("user", USER))
}

const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";

/// Put back when dropped. 1 takes io_uring away from nobody who has capabilities.
struct Disabled(());

impl Disabled {
    fn set() -> anyhow::Result<Self> {
        let before =
            fs::read_to_string(DISABLED).map_err(|error| Skip(format!("{DISABLED}: {error}")))?;
        if before.trim() != "0" {
            let before = before.trim();
            return Err(Skip(format!("kernel.io_uring_disabled is {before} already")).into());
        }
        fs::write(DISABLED, "1").context(DISABLED)?;
        Ok(Self(()))
    }
}

impl Drop for Disabled {
    fn drop(&mut self) {
        if let Err(error) = fs::write(DISABLED, "0") {
            eprintln!("{DISABLED} stays 1: {error}");
        }
    }
}

fn uring_disabled(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    if !ground.has(Named::Uring) {
        return Err(Skip("io_uring does not start here as it is".to_owned()).into());
    }
    let named = as_user(ground, Named::Uring, "disabled-uring")?;
    let auto = as_user(ground, Named::Auto, "disabled-auto")?;
    let disabled = Disabled::set()?;
    let (named, auto) = (named.run(), auto.run());
    drop(disabled);
    if let Some(answer) = finding.take("uring", &named?) {
        finding.demand_refusal("uring", answer, "EPERM", "kernel.io_uring_disabled");
    }
    if let Some(answer) = finding.take("auto", &auto?) {
        let reason = answer.fallback.as_deref().unwrap_or_default();
        finding.injected += u64::from(!reason.is_empty());
        let well = answer.failed() == 0 && answer.verified_bytes > 0;
        finding.demand(well && reason.contains("kernel.io_uring_disabled"), || {
            format!(
                "auto: {}, because {reason:?}: {:?}",
                answer.driver, answer.errors
            )
        });
    }
    Ok(())
}

/// More than any budget that was ever seen.
const CONTEXTS_MAX: usize = 256;

/// The budget is the machine's, so it is used up for a moment only.
fn aio_budget(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    if !ground.has(Named::Aio) {
        return Err(Skip("AIO does not start here as it is".to_owned()).into());
    }
    let mut held = Vec::new();
    let refusal = loop {
        match EventLoop::<()>::new(DEPTH_MAX, Driver::Aio) {
            Ok(_) if held.len() == CONTEXTS_MAX => {
                let said = format!("fs.aio-max-nr has room for {CONTEXTS_MAX} large contexts");
                return Err(Skip(said).into());
            }
            Ok(context) => held.push(context),
            Err(error) => break error,
        }
    };
    let count = held.len();
    drop(held);
    finding.runs += 1;
    finding.injected += u64::from(refusal.raw_os_error() == Some(libc::EAGAIN));
    finding.demand(refusal.advice().contains("fs.aio-max-nr"), || {
        format!("context {count}: {refusal}")
    });
    let again = EventLoop::<()>::new(DEPTH_MAX, Driver::Aio);
    finding.demand(again.is_ok(), || {
        format!("the budget of {count} contexts is not given back: {again:?}")
    });
    Ok(())
}

fn locked_memory(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in [Named::Uring, Named::Auto] {
        let name = format!("locked-{}", driver.name());
        let job = as_user(ground, driver, &name)?.confined("limit", "memlock=0");
        let answer = job.run()?;
        let Some(answer) = finding.take(driver.name(), &answer) else {
            continue;
        };
        if driver == Named::Uring && answer.not_started.is_none() {
            let said = "this kernel charges rings to no limit: memlock=0 does not hinder it";
            return Err(Skip(said.to_owned()).into());
        }
        if driver == Named::Uring {
            finding.demand_refusal("uring", answer, "ENOMEM", "RLIMIT_MEMLOCK");
        } else {
            let reason = answer.fallback.as_deref().unwrap_or_default();
            finding.injected += u64::from(!reason.is_empty());
            let well = answer.failed() == 0 && answer.verified_bytes > 0;
            finding.demand(well && reason.contains("RLIMIT_MEMLOCK"), || {
                format!(
                    "auto: {}, because {reason:?}: {:?}",
                    answer.driver, answer.errors
                )
            });
        }
    }
    Ok(())
}

fn open_files(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let file = ground.path("open-files");
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        let job = Job::scene(Scene::Blocks, driver, &file)?.confined("free-files", "1");
        let answer = job.run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.demand_refusal(driver.name(), answer, "EMFILE", "RLIMIT_NOFILE");
        }
    }
    Ok(())
}

fn threads(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        let name = format!("threads-{}", driver.name());
        let job = as_user(ground, driver, &name)?.confined("limit", "nproc=1");
        let answer = job.run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.demand_refusal(driver.name(), answer, "EAGAIN", "thread");
        }
    }
    Ok(())
}

/// In the middle of a block. What is left of it is no direct transfer, so there it is at its end.
fn size_limit(direct: bool) -> &'static str {
    if direct {
        "fsize=200704"
    } else {
        "fsize=201234"
    }
}

fn file_size(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        for direct in [false, true] {
            for merge in [false, true] {
                let what = format!("{} direct={direct} merge={merge}", driver.name());
                let file = ground.path(&what.replace(' ', "-"));
                let job = Job::scene(Scene::Blocks, driver, &file)?;
                let job = job.with_if(direct, "direct").with_if(merge, "merge");
                let answer = job.confined("limit", size_limit(direct)).run()?;
                if let Some(answer) = finding.take(&what, &answer) {
                    let refused = answer.errors_named("EFBIG");
                    finding.injected += refused;
                    // Blocks before the limit are written whole, whatever comes after them.
                    let well = refused == answer.failed() && answer.verified_bytes > 0;
                    finding.demand(well && refused > 0, || {
                        let verified = answer.verified_bytes;
                        format!("{what}: {verified} bytes verified, {:?}", answer.errors)
                    });
                }
            }
        }
    }
    Ok(())
}
