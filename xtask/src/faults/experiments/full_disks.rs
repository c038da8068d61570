//! Disks without room: what was acknowledged stays, what has no room fails, and syncs say so.

use std::path::Path;

use super::Experiment;
use crate::faults::disks::{LoopDevice, Mounted};
use crate::faults::finding::Finding;
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "full-tmpfs",
        needs_root: true,
        cases: &[40],
        mechanism: "4 MiB onto a tmpfs of 2 MiB",
        run: full_tmpfs,
    },
    Experiment {
        name: "full-ext4",
        needs_root: true,
        cases: &[40],
        mechanism: "16 MiB onto an ext4 of 12 MiB",
        run: full_ext4,
    },
    Experiment {
        name: "full-device",
        needs_root: false,
        cases: &[27, 40],
        mechanism: "/dev/full: every write and every sync fails",
        run: full_device,
    },
    Experiment {
        name: "failing-sync",
        needs_root: true,
        cases: &[42],
        mechanism: "1 MiB onto a loop over a tmpfs of 512 KiB",
        run: failing_sync,
    },
];

/// Runs the blocks with and without merging; every error has to be this one.
fn blocks(
    finding: &mut Finding,
    driver: Named,
    file: &Path,
    set_up: impl Fn(Job) -> Job,
) -> anyhow::Result<()> {
    for merge in [false, true] {
        let job = set_up(Job::scene(Scene::Blocks, driver, file)?).with_if(merge, "merge");
        let what = format!("{} merge={merge}", driver.name());
        let answer = job.run()?;
        if let Some(answer) = finding.take(&what, &answer) {
            let full = answer.errors_named("ENOSPC");
            finding.injected += full;
            let well = full > 0 && full == answer.failed() && answer.verified_bytes > 0;
            finding.demand(well, || {
                let verified = answer.verified_bytes;
                format!("{what}: {verified} bytes verified, {:?}", answer.errors)
            });
        }
    }
    Ok(())
}

fn full_tmpfs(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        let name = format!("full-tmpfs-{}", driver.name());
        let disk = Mounted::tmpfs(ground, &name, 2 << 20)?;
        blocks(finding, driver, &disk.path("file"), |job| {
            job.set("blocks", "1024")
        })?;
    }
    Ok(())
}

fn full_ext4(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        for direct in [false, true] {
            let name = format!("full-ext4-{}-{direct}", driver.name());
            let disk = Mounted::ext4(ground, &name, 12 << 20)?;
            blocks(finding, driver, &disk.path("file"), |job| {
                let job = job.with_if(direct, "direct");
                job.set("blocks", "1024")
                    .set("block-bytes", "16384")
                    .set("rounds", "1")
            })?;
        }
    }
    Ok(())
}

fn full_device(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        for merge in [false, true] {
            let job = Job::scene(Scene::Blocks, driver, Path::new("/dev/full"))?;
            let answer = job.with_if(merge, "merge").run()?;
            let what = format!("{} merge={merge}", driver.name());
            let Some(answer) = finding.take(&what, &answer) else {
                continue;
            };
            let (full, unsynced) = (answer.errors_named("ENOSPC"), answer.errors_named("EINVAL"));
            finding.injected += full + unsynced;
            // 256 blocks and a sync, twice; reads give zeroes. AIO cannot write to it at all.
            let is_all = full + unsynced == 514 && answer.failed() == 514;
            finding.demand(is_all && (driver == Named::Aio || full == 512), || {
                let errors = &answer.errors;
                format!("{what}: {errors:?}, not every write and every sync")
            });
        }
    }
    Ok(())
}

fn failing_sync(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        let disk = Mounted::tmpfs(
            ground,
            &format!("failing-sync-{}", driver.name()),
            512 << 10,
        )?;
        let image = disk.path("image");
        std::fs::File::create(&image)?.set_len(4 << 20)?;
        let device = LoopDevice::on(ground, &image, &[])?;
        let answer = Job::scene(Scene::RefusedSync, driver, device.path())?.run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding
                .remarks
                .push(format!("{}: {}", driver.name(), answer.remarks.join("; ")));
        }
    }
    Ok(())
}
