//! Devices that end, that have large sectors, that have shrunk, that have no memory left.

use std::fs::File;
use std::path::Path;

use super::Experiment;
use crate::bench::zram::Zram;
use crate::faults::disks::LoopDevice;
use crate::faults::finding::{Finding, Skip};
use crate::faults::ground::{Ground, Made};
use crate::faults::job::Job;
use crate::faults::scene::Scene;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "device-end",
        needs_root: true,
        cases: &[35, 36],
        mechanism: "across and behind the end of loop and zram",
        run: device_end,
    },
    Experiment {
        name: "large-sectors",
        needs_root: true,
        cases: &[19, 20, 21],
        mechanism: "parts of 4 KiB sectors of loop and zram",
        run: large_sectors,
    },
    Experiment {
        name: "shrunk-device",
        needs_root: true,
        cases: &[38, 67],
        mechanism: "loop whose file has lost its second half",
        run: shrunk_device,
    },
    Experiment {
        name: "zram-limit",
        needs_root: true,
        cases: &[67],
        mechanism: "zram of 8 MiB that may use 1 MiB",
        run: zram_limit,
    },
];

const DEVICE_BYTES: u64 = 1 << 20;

fn zram(ground: &Ground, bytes: u64) -> anyhow::Result<Zram> {
    let device = Zram::add(bytes).map_err(Skip)?;
    ground.note(Made::Zram(device.path()));
    Ok(device)
}

/// Plays a scene on a device with every driver, buffered and direct.
fn on_device(
    ground: &Ground,
    finding: &mut Finding,
    scene: Scene,
    device: &Path,
    directs: &[bool],
) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        for &direct in directs {
            let what = format!("{} on {} direct={direct}", driver.name(), device.display());
            let answer = Job::scene(scene, driver, device)?
                .with_if(direct, "direct")
                .run()?;
            finding.take(&what, &answer);
        }
    }
    Ok(())
}

fn device_end(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let image = ground.new_file("device-end", DEVICE_BYTES)?;
    let device = LoopDevice::on(ground, &image, &[])?;
    on_device(ground, finding, Scene::Edges, device.path(), &[false, true])?;
    match zram(ground, DEVICE_BYTES) {
        Ok(zram) => on_device(ground, finding, Scene::Edges, &zram.path(), &[false, true]),
        Err(error) => {
            finding.remarks.push(format!("without zram: {error}"));
            Ok(())
        }
    }
}

fn large_sectors(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let image = ground.new_file("large-sectors", DEVICE_BYTES)?;
    let device = LoopDevice::on(ground, &image, &["--sector-size", "4096", "--direct-io=on"])?;
    on_device(ground, finding, Scene::Sectors, device.path(), &[true])?;
    match zram(ground, DEVICE_BYTES) {
        Ok(zram) => on_device(ground, finding, Scene::Sectors, &zram.path(), &[true]),
        Err(error) => {
            finding.remarks.push(format!("without zram: {error}"));
            Ok(())
        }
    }
}

fn shrunk_device(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in &ground.drivers {
        for merge in [false, true] {
            let what = format!("{} merge={merge}", driver.name());
            let image =
                ground.new_file(&format!("shrunk-{}-{merge}", driver.name()), DEVICE_BYTES)?;
            let device = LoopDevice::on(ground, &image, &[])?;
            let job = |only_reads: bool| {
                let job = Job::scene(Scene::Blocks, *driver, device.path())?;
                let job = job
                    .with("direct")
                    .with_if(merge, "merge")
                    .set("rounds", "1");
                anyhow::Ok(job.with_if(only_reads, "only-reads"))
            };
            finding.take(&format!("{what}, whole"), &job(false)?.run()?);
            File::options()
                .write(true)
                .open(&image)?
                .set_len(DEVICE_BYTES / 2)?;
            let answer = job(true)?.run()?;
            if let Some(answer) = finding.take(&what, &answer) {
                let failed = answer.errors_named("EIO");
                finding.injected += failed;
                // Half of the blocks, and no block of the other half.
                let well = failed == 128 && answer.failed() == 128;
                finding.demand(well && answer.verified_bytes == DEVICE_BYTES / 2, || {
                    let verified = answer.verified_bytes;
                    format!("{what}: {verified} bytes verified, {:?}", answer.errors)
                });
            }
        }
    }
    Ok(())
}

fn zram_limit(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        let device = zram(ground, 8 << 20)?;
        device.limit_memory(1 << 20).map_err(anyhow::Error::msg)?;
        let job = Job::scene(Scene::Blocks, driver, &device.path())?.with("direct");
        let answer = job.set("blocks", "2048").set("rounds", "1").run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.injected += answer.failed();
            finding.demand(answer.failed() > 0 && answer.verified_bytes > 0, || {
                let verified = answer.verified_bytes;
                format!(
                    "{}: {verified} bytes verified, {:?}",
                    driver.name(),
                    answer.errors
                )
            });
        }
    }
    Ok(())
}
