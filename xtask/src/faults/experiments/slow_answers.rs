//! Answers that come late, in another order, or never.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Experiment;
use crate::bench::child::Failure;
use crate::bench::interruption;
use crate::faults::cgroup::Cgroup;
use crate::faults::disks::LoopDevice;
use crate::faults::file_behaviour::Injected;
use crate::faults::file_system::RELEASE;
use crate::faults::finding::Finding;
use crate::faults::fuse_mount::{DirectIo, FuseMount};
use crate::faults::ground::{Ground, Made};
use crate::faults::job::Job;
use crate::faults::scene::{Answer, Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "late-answers",
        needs_root: true,
        cases: &[46],
        mechanism: "FUSE: up to 40 ms, answers out of order",
        run: late_answers,
    },
    Experiment {
        name: "blocking-submit",
        needs_root: true,
        cases: &[57],
        mechanism: "FUSE: io_submit takes as long as its reads",
        run: blocking_submit,
    },
    Experiment {
        name: "throttled-device",
        needs_root: true,
        cases: &[46],
        mechanism: "cgroup blkio: 1 MiB/s on a loop",
        run: throttled_device,
    },
    Experiment {
        name: "hung-file",
        needs_root: true,
        cases: &[48],
        mechanism: "FUSE: no answers, then its process is killed",
        run: hung_file,
    },
    Experiment {
        name: "given-up",
        needs_root: true,
        cases: &[48],
        mechanism: "FUSE: no answers, the engine ends in time",
        run: given_up,
    },
    Experiment {
        name: "killed-while-hung",
        needs_root: true,
        cases: &[49],
        mechanism: "FUSE: no answers, kill -9 of caller, then FUSE",
        run: killed_while_hung,
    },
];

fn slow(job: Job) -> Job {
    job.set("blocks", "96").set("depth", "32")
}

fn late_answers(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "late", DirectIo::AtOnce)?;
    for &driver in &ground.drivers {
        let job = Job::scene(Scene::Slow, driver, &mount.path("delay_40"))?;
        // Only direct I/O is asynchronous in AIO.
        let answer = slow(job).with_if(driver == Named::Aio, "direct").run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.demand(answer.failed() == 0 && answer.injected > 0, || {
                let overtaken = answer.injected;
                format!(
                    "{}: {overtaken} overtaken, {:?}",
                    driver.name(),
                    answer.errors
                )
            });
            let said = answer.remarks.join("; ");
            finding.remarks.push(format!("{}: {said}", driver.name()));
        }
    }
    finding.injected += mount.injected()?.late;
    Ok(())
}

fn blocking_submit(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "blocking", DirectIo::InOrder)?;
    let job = Job::scene(Scene::Slow, Named::Aio, &mount.path("delay_20"))?;
    let answer = job.set("blocks", "32").run()?;
    if let Some(answer) = finding.take("aio", &answer) {
        finding.demand(answer.failed() == 0 && answer.verified_bytes > 0, || {
            format!("aio: {:?}", answer.errors)
        });
    }
    finding.injected += mount.injected()?.late;
    Ok(())
}

const BYTES_PER_SECOND: u64 = 1 << 20;
/// What 1 MiB takes longer at this rate than without it, less what the kernel lets through at once.
const SLOWER_AT_LEAST: Duration = Duration::from_millis(600);

fn throttled_device(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let image = ground.new_file("throttled", 4 << 20)?;
    let device = LoopDevice::on(ground, &image, &["--direct-io=on"])?;
    let writing = Job::scene(Scene::Blocks, Named::Threads, device.path())?.with("direct");
    finding.take("writing", &writing.set("rounds", "1").run()?);
    let group = Cgroup::new(ground, "blkio")?;
    let numbers = device.numbers()?;
    let limit = format!("{numbers} {BYTES_PER_SECOND}");
    group.set("blkio.throttle.read_bps_device", &limit)?;
    for &driver in &ground.drivers {
        let reading = Job::scene(Scene::Blocks, driver, device.path())?.with("direct");
        let reading = reading.with("only-reads").set("rounds", "1");
        let begun = Instant::now();
        finding.take(&format!("{}, unhindered", driver.name()), &reading.run()?);
        let unhindered = begun.elapsed();
        let before = throttled_reads(&group, &numbers)?;
        let begun = Instant::now();
        let answer = reading.confined("cgroup", group.path()).run()?;
        let took = begun.elapsed();
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.demand(answer.failed() == 0 && answer.verified_bytes > 0, || {
                format!("{}: {:?}", driver.name(), answer.errors)
            });
        }
        finding.demand(took >= unhindered + SLOWER_AT_LEAST, || {
            format!(
                "{}: {took:?}, and {unhindered:?} without a limit",
                driver.name()
            )
        });
        let reads = throttled_reads(&group, &numbers)? - before;
        finding.injected += reads;
        finding.demand(reads > 0, || {
            format!("{}: no read was throttled", driver.name())
        });
    }
    Ok(())
}

/// The reads of the device that went through the limit, as the kernel counts them.
fn throttled_reads(group: &Cgroup, device: &str) -> anyhow::Result<u64> {
    let text = group.text("blkio.throttle.io_serviced")?;
    let line = text.lines().find_map(|line| {
        let rest = line.strip_prefix(device)?;
        rest.trim().strip_prefix("Read ")
    });
    // Before the first read there is no line.
    line.map_or(Ok(0), |count| count.trim().parse().context("io_serviced"))
}

const HANGING_TAKES: Duration = Duration::from_secs(10);

/// Waits until so many transfers hang in the mount.
fn wait_for_hung(mount: &FuseMount, count: u64) -> anyhow::Result<u64> {
    let what = format!("{count} calls");
    Ok(await_hung(mount, &what, |hung| hung.hung >= count)?.hung)
}

/// Waits until what hangs in the mount is enough.
fn await_hung(
    mount: &FuseMount,
    what: &str,
    is_enough: impl Fn(&Injected) -> bool,
) -> anyhow::Result<Injected> {
    let deadline = Instant::now() + HANGING_TAKES;
    loop {
        interruption::check()?;
        let hung = mount.injected()?;
        if is_enough(&hung) {
            return Ok(hung);
        }
        if Instant::now() > deadline {
            let seconds = HANGING_TAKES.as_secs();
            bail!("{what} do not hang after {seconds} s: {hung:?}");
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Runs a job on the mount and does something meanwhile, then ends the process of the mount.
fn while_it_hangs<R>(
    mount: &FuseMount,
    job: Job,
    then: impl FnOnce() -> anyhow::Result<R>,
) -> anyhow::Result<(Result<Answer, Failure>, R)> {
    thread::scope(|scope| {
        let running = scope.spawn(|| job.run());
        let done = then();
        // However that went: the process ends only when this one has.
        mount.end_process();
        let answer = running.join().expect("the runner does not panic");
        Ok((answer?, done?))
    })
}

/// As many as the depth, or as there are threads for them.
const HUNG_MIN: u64 = 4;

/// Reads of a file that answers none of them.
fn reads_that_hang(mount: &FuseMount, driver: Named) -> anyhow::Result<Job> {
    let job = hanging(Scene::Blocks, mount, driver)?.with("only-reads");
    Ok(job.set("blocks", "64").set("rounds", "1"))
}

fn hanging(scene: Scene, mount: &FuseMount, driver: Named) -> anyhow::Result<Job> {
    let file = mount.path("hang");
    // Behind its end the kernel would answer by itself.
    std::fs::File::create(&file)?.set_len(64 * 4096)?;
    let job = Job::scene(scene, driver, &file)?;
    // A buffered transfer blocks AIO in io_submit, so that there is only ever one.
    Ok(job.with_if(driver == Named::Aio, "direct"))
}

fn hung_file(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        let name = format!("hung-{}", driver.name());
        let mount = FuseMount::new(ground, &name, DirectIo::AtOnce)?;
        let job = reads_that_hang(&mount, driver)?;
        let (answer, hung) = while_it_hangs(&mount, job, || wait_for_hung(&mount, HUNG_MIN))?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.injected += hung;
            let aborted = answer.errors_named("ECONNABORTED");
            finding.demand(aborted >= hung, || {
                format!("{}: {hung} hung, {:?}", driver.name(), answer.errors)
            });
        }
    }
    Ok(())
}

/// Fewer than there are threads, so that the sync behind them reaches the file too.
const READS_GIVEN_UP: u64 = 3;

/// With reads and a sync at a file that answers neither, the engine ends in time. Their answers come when
/// it is gone, with bytes.
fn given_up(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
        for on_this_thread in [false, true] {
            let name = format!("given-up-{}-{on_this_thread}", driver.name());
            let mount = FuseMount::new(ground, &name, DirectIo::AtOnce)?;
            let job = hanging(Scene::GivenUp, &mount, driver)?;
            let job = job.set("blocks", READS_GIVEN_UP.to_string());
            let job = job.with_if(on_this_thread, "on-this-thread");
            let (answer, hung) = while_it_hangs(&mount, job, || {
                let what =
                    format!("a sync and {READS_GIVEN_UP} reads, and one when the engine is gone");
                let hung = await_hung(&mount, &what, |hung| {
                    hung.hung > READS_GIVEN_UP && hung.hung_syncs >= 1
                })?;
                std::fs::File::create(mount.path(RELEASE))?;
                Ok(hung.hung + hung.hung_syncs)
            })?;
            let what = format!("{} on-this-thread={on_this_thread}", driver.name());
            if let Some(answer) = finding.take(&what, &answer) {
                finding.injected += hung;
                let given_up = answer.errors_named("BrokenPipe");
                finding.demand(given_up == answer.requests, || {
                    format!("{what}: {:?}", answer.errors)
                });
            }
        }
    }
    Ok(())
}

const DYING_TAKES: Duration = Duration::from_secs(10);

fn killed_while_hung(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for &driver in &ground.drivers {
        let name = format!("killed-{}", driver.name());
        let mount = FuseMount::new(ground, &name, DirectIo::AtOnce)?;
        let mut command = reads_that_hang(&mount, driver)?.into_command();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = command.spawn().context("a process")?;
        ground.note(Made::Process(process.id()));
        finding.runs += 1;
        let hung = wait_for_hung(&mount, HUNG_MIN);
        let begun = Instant::now();
        process.kill()?;
        // What is asleep in the kernel for direct I/O of AIO goes only with the mount's process.
        thread::park_timeout(Duration::from_millis(300));
        let at_once = process.try_wait()?.is_some();
        mount.end_process();
        while process.try_wait()?.is_none() && begun.elapsed() < DYING_TAKES {
            thread::park_timeout(Duration::from_millis(20));
        }
        let gone = process.try_wait()?.is_some();
        finding.injected += hung?;
        finding.demand(gone, || {
            format!(
                "{}: not gone {DYING_TAKES:?} after both were killed",
                driver.name()
            )
        });
        let when = if at_once {
            "at once"
        } else {
            "with the file system"
        };
        finding
            .remarks
            .push(format!("{}: gone {when}", driver.name()));
    }
    Ok(())
}
