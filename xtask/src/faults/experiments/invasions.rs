//! What others do inside the process of an engine: signals, forks, closed descriptors, threads that
//! end.

use super::Experiment;
use crate::faults::finding::{Finding, Skip};
use crate::faults::fuse_mount::{DirectIo, FuseMount};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "signal-storm",
        needs_root: true,
        cases: &[45, 56],
        mechanism: "SIGALRM each 200 µs on the loop's thread",
        run: signal_storm,
    },
    Experiment {
        name: "fork",
        needs_root: true,
        cases: &[59],
        mechanism: "fork with requests in flight, child ends",
        run: forked,
    },
    Experiment {
        name: "lost-ring",
        needs_root: true,
        cases: &[60],
        mechanism: "close() of the ring with requests in flight",
        run: lost_ring,
    },
    Experiment {
        name: "submitter-gone",
        needs_root: true,
        cases: &[58],
        mechanism: "end of the thread that handed requests over",
        run: submitter_gone,
    },
];

fn signal_storm(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "storm", DirectIo::AtOnce)?;
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        for direct in [false, true] {
            let what = format!("{} direct={direct}", driver.name());
            let job = Job::scene(Scene::Blocks, driver, &mount.path("delay_4"))?;
            let job = job
                .set("alarm", "200")
                .with("on-this-thread")
                .with_if(direct, "direct");
            let answer = job.set("blocks", "100").set("depth", "4").run()?;
            if let Some(answer) = finding.take(&what, &answer) {
                let (signals, well) = (answer.injected, answer.verified_bytes > 0);
                finding.demand(answer.failed() == 0 && well && signals > 100, || {
                    format!("{what}: {signals} signals, {:?}", answer.errors)
                });
            }
        }
    }
    Ok(())
}

fn forked(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "forked", DirectIo::AtOnce)?;
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        for on_this_thread in [false, true] {
            let what = format!("{} on-this-thread={on_this_thread}", driver.name());
            let job = Job::scene(Scene::Forked, driver, &mount.path("delay_4"))?;
            let job = job.with_if(on_this_thread, "on-this-thread");
            let job = job
                .set("blocks", "64")
                .set("depth", "32")
                .set("rounds", "10");
            let answer = job.with_if(driver == Named::Aio, "direct").run()?;
            if let Some(answer) = finding.take(&what, &answer) {
                finding.demand(answer.failed() == 0 && answer.injected > 0, || {
                    format!("{what}: {} forks, {:?}", answer.injected, answer.errors)
                });
            }
        }
    }
    Ok(())
}

fn lost_ring(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    if !ground.has(Named::Uring) {
        return Err(Skip("io_uring does not start here".to_owned()).into());
    }
    let mount = FuseMount::new(ground, "lost-ring", DirectIo::AtOnce)?;
    for driver in [Named::Uring, Named::Auto] {
        for depth in ["1", "16"] {
            let what = format!("{} depth={depth}", driver.name());
            let job = Job::scene(Scene::LostRing, driver, &mount.path("delay_30"))?;
            let answer = job.set("depth", depth).set("blocks", "64").run()?;
            if let Some(answer) = finding.take(&what, &answer) {
                finding.demand(answer.injected > 0, || format!("{what}: no ring was found"));
                finding.demand(driver != Named::Uring || answer.failed() > 0, || {
                    format!("{what}: no request noticed that the ring is gone")
                });
            }
        }
    }
    Ok(())
}

fn submitter_gone(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "submitter-gone", DirectIo::AtOnce)?;
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        for on_this_thread in [false, true] {
            let what = format!("{} loop-moves={on_this_thread}", driver.name());
            let job = Job::scene(Scene::Orphans, driver, &mount.path("delay_20"))?;
            let job = job.with_if(on_this_thread, "on-this-thread");
            let job = job
                .set("blocks", "16")
                .set("depth", "32")
                .set("rounds", "5");
            let answer = job.with_if(driver == Named::Aio, "direct").run()?;
            if let Some(answer) = finding.take(&what, &answer) {
                finding.demand(answer.injected > 0, || {
                    format!("{what}: nothing was in flight when the thread ended")
                });
                if answer.failed() > 0 {
                    finding.remarks.push(format!("{what}: {:?}", answer.errors));
                }
            }
        }
    }
    Ok(())
}
