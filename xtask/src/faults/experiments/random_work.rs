//! Random work against a model of the file, by the model checker, on media that fail.

use super::Experiment;
use super::failing_files::{CONTINUED_BY_THE_KERNEL, is_continued_wrongly, make};
use crate::faults::disks::Mounted;
use crate::faults::finding::Finding;
use crate::faults::fuse_mount::{DirectIo, FuseMount};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::Named;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "random-work",
        needs_root: true,
        cases: &[38, 39, 47, 66, 68],
        mechanism: "model check, FUSE: short and EIO at random",
        run: |ground, finding| on_failing_files(ground, finding, "rand_1"),
    },
    Experiment {
        name: "random-work-short",
        needs_root: true,
        cases: &[32, 33, 37],
        mechanism: "model check, FUSE: 3000 bytes a call at most",
        run: |ground, finding| on_failing_files(ground, finding, "short_3000"),
    },
    Experiment {
        name: "random-work-full",
        needs_root: true,
        cases: &[40, 68],
        mechanism: "model check on a tmpfs of 24 KiB",
        run: on_a_full_disk,
    },
    Experiment {
        name: "random-work-calls",
        needs_root: false,
        cases: &[51, 52, 54],
        mechanism: "model check, strace: EINTR, EAGAIN, nothing",
        run: with_failing_calls,
    },
];

fn model(ground: &Ground, driver: Named, file: &std::path::Path) -> anyhow::Result<Job> {
    let operations = if ground.quick { "600" } else { "2000" };
    let job = Job::model(driver, file)?.set("ops", operations);
    Ok(job.set("seed", ground.seed.to_string()))
}

fn on_failing_files(ground: &Ground, finding: &mut Finding, file: &str) -> anyhow::Result<()> {
    for direct_io in [DirectIo::InOrder, DirectIo::AtOnce] {
        let mount = FuseMount::new(ground, &format!("{file}-{direct_io:?}"), direct_io)?;
        for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
            if driver == Named::Uring && is_continued_wrongly(file, direct_io) {
                finding.leave_out(CONTINUED_BY_THE_KERNEL);
                continue;
            }
            for direct in [false, true] {
                let what = format!("{file} {direct_io:?} {} direct={direct}", driver.name());
                let path = make(&mount, file)?;
                let job = model(ground, driver, &path)?.with_if(direct, "direct");
                // Of short direct writes that are one of several the kernel makes errors.
                let fails = file.starts_with("rand") || direct_io == DirectIo::AtOnce;
                let before = mount.injected()?.total();
                finding.take(&what, &job.with_if(fails, "faulty").run()?);
                let injected = mount.injected()?.total() - before;
                finding.injected += injected;
                finding.demand(injected > 0, || format!("{what}: nothing was injected"));
            }
        }
    }
    Ok(())
}

fn on_a_full_disk(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        let disk = Mounted::tmpfs(ground, &format!("random-full-{}", driver.name()), 24 << 10)?;
        let job = model(ground, driver, &disk.path("file"))?.with("faulty");
        if let Some(answer) = finding.take(driver.name(), &job.run()?) {
            let full = answer.errors_named("ENOSPC");
            finding.injected += full;
            finding.demand(full > 0, || {
                format!(
                    "{}: the disk was never full: {:?}",
                    driver.name(),
                    answer.errors
                )
            });
        }
    }
    Ok(())
}

const CALLS: [(Named, &str); 3] = [
    (Named::Uring, "io_uring_enter"),
    (Named::Aio, "io_submit"),
    (Named::Aio, "io_getevents,io_pgetevents"),
];

/// Nobody may notice any of them.
const PASSING: [&str; 3] = ["error=EINTR", "error=EAGAIN", "retval=0"];

fn with_failing_calls(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let log = ground.path("strace-model.log");
    for (driver, call) in CALLS {
        if !ground.has(driver) {
            finding.leave_out(&format!("{}: it does not start here", driver.name()));
            continue;
        }
        for passing in PASSING {
            // At the start of a ring it is a refusal, and io_getevents has no such answer.
            if passing == "error=EAGAIN" && call != "io_submit" {
                continue;
            }
            let what = format!("{} {call} {passing}", driver.name());
            let trace = format!("trace={call}");
            let inject = format!("inject={call}:{passing}:when=3+5");
            let job = model(ground, driver, &ground.path("random-calls"))?;
            let job = job.traced(&["--seccomp-bpf", "-e", &trace, "-e", &inject], &log);
            finding.take(&what, &job.run()?);
            let injected = job
                .trace()?
                .lines()
                .filter(|line| line.contains("(INJECTED)"))
                .count();
            finding.injected += injected as u64;
            finding.demand(injected > 0, || format!("{what}: nothing was injected"));
        }
    }
    Ok(())
}
