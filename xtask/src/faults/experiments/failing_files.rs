//! Files whose reads and writes are short, empty, failing, or all of it at random.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context;

use super::Experiment;
use crate::faults::file_behaviour::Behaviour;
use crate::faults::finding::Finding;
use crate::faults::fuse_mount::{DirectIo, FuseMount};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Answer, Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "short-transfers",
        needs_root: true,
        cases: &[32, 33],
        mechanism: "FUSE: calls move 1000 or 4096 bytes at most",
        run: short_transfers,
    },
    Experiment {
        name: "short-direct",
        needs_root: true,
        cases: &[37],
        mechanism: "FUSE, O_DIRECT: ends where none may begin",
        run: short_direct,
    },
    Experiment {
        name: "empty-transfers",
        needs_root: true,
        cases: &[34],
        mechanism: "FUSE: reads and writes of no bytes",
        run: empty_transfers,
    },
    Experiment {
        name: "failing-calls",
        needs_root: true,
        cases: &[38],
        mechanism: "FUSE: each 3rd or 7th call gives EIO",
        run: failing_calls,
    },
    Experiment {
        name: "mixed-faults",
        needs_root: true,
        cases: &[39, 47],
        mechanism: "FUSE: whole, short and EIO at random",
        run: mixed_faults,
    },
    Experiment {
        name: "full-file",
        needs_root: true,
        cases: &[36, 40],
        mechanism: "FUSE: ENOSPC in the middle of a block",
        run: full_file,
    },
    Experiment {
        name: "failing-file-sync",
        needs_root: true,
        cases: &[42],
        mechanism: "FUSE: each 2nd sync gives EIO",
        run: failing_file_sync,
    },
];

/// One process on a file of a mount.
struct Trial<'a> {
    file: &'a str,
    driver: Named,
    direct: bool,
    merge: bool,
}

impl Trial<'_> {
    fn job(&self, mount: &FuseMount) -> anyhow::Result<Job> {
        let job = Job::scene(Scene::Blocks, self.driver, &mount.path(self.file))?;
        Ok(job
            .with_if(self.direct, "direct")
            .with_if(self.merge, "merge"))
    }

    fn name(&self) -> String {
        let (file, driver) = (self.file, self.driver.name());
        format!(
            "{file} {driver} direct={} merge={}",
            self.direct, self.merge
        )
    }
}

/// Without `FUSE_ASYNC_DIO`, io_uring itself goes on with what was short, and FUSE has not moved the
/// place: the second part of a read is the first once more, and a write of nothing never ends. That
/// is so without any engine, and `auto` uses threads for such files.
pub(super) const CONTINUED_BY_THE_KERNEL: &str = "uring on a mount without FUSE_ASYNC_DIO: this kernel continues short transfers of io_uring there by itself and at the wrong place";

/// Every combination on a mount of its own, from which the number of faults is taken.
fn on_mount(
    ground: &Ground,
    finding: &mut Finding,
    (mount, direct_io): (&str, DirectIo),
    (files, directs): (&[&str], &[bool]),
    set_up: impl Fn(Job) -> Job,
    judge: impl Fn(&mut Finding, &str, &Answer),
) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, mount, direct_io)?;
    let merges: &[bool] = if ground.quick {
        &[true]
    } else {
        &[false, true]
    };
    for file in files {
        make(&mount, file)?;
        for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
            if driver == Named::Uring && is_continued_wrongly(file, direct_io) {
                finding.leave_out(CONTINUED_BY_THE_KERNEL);
                continue;
            }
            for &direct in directs {
                for &merge in merges {
                    let trial = Trial {
                        file,
                        driver,
                        direct,
                        merge,
                    };
                    let before = mount.injected()?.total();
                    let answer = set_up(trial.job(&mount)?).run()?;
                    let what = trial.name();
                    if let Some(answer) = finding.take(&what, &answer) {
                        judge(finding, &what, answer);
                    }
                    let injected = mount.injected()?.total() - before;
                    finding.injected += injected;
                    finding.demand(injected > 0, || format!("{what}: nothing was injected"));
                }
            }
        }
    }
    Ok(())
}

fn no_errors(finding: &mut Finding, what: &str, answer: &Answer) {
    finding.demand(answer.failed() == 0 && answer.verified_bytes > 0, || {
        format!("{what}: short is no error: {:?}", answer.errors)
    });
}

/// Errors are what was injected and nothing else, and something was written all the same.
fn only(names: &'static [&'static str]) -> impl Fn(&mut Finding, &str, &Answer) {
    move |finding, what, answer| {
        let others = answer
            .errors
            .keys()
            .find(|name| !names.contains(&name.as_str()));
        finding.demand(others.is_none() && answer.failed() > 0, || {
            format!("{what}: errors {:?}, not {names:?}", answer.errors)
        });
    }
}

pub(super) fn is_continued_wrongly(file: &str, direct_io: DirectIo) -> bool {
    let is_short = match Behaviour::of(file) {
        Behaviour::AtRandom | Behaviour::Short { .. } | Behaviour::FullFrom { .. } => true,
        Behaviour::Sound
        | Behaviour::FailsEach { .. }
        | Behaviour::Late { .. }
        | Behaviour::SyncFailsEach { .. }
        | Behaviour::Hangs => false,
    };
    is_short && direct_io == DirectIo::InOrder
}

/// As long as any experiment writes: of a direct write that fails behind the end the kernel makes a
/// truncation, which takes away what others have just written there.
const FILE_BYTES: u64 = 2 << 20;

pub(super) fn make(mount: &FuseMount, file: &str) -> anyhow::Result<PathBuf> {
    let path = mount.path(file);
    let made = File::create(&path).and_then(|file| file.set_len(FILE_BYTES));
    made.with_context(|| path.display().to_string())?;
    Ok(path)
}

/// Short writes are written by calls that wait, of which the kernel makes no error, and then read.
fn short_reads_at_once(
    ground: &Ground,
    finding: &mut Finding,
    files: &[&str],
) -> anyhow::Result<()> {
    let mount = FuseMount::new(ground, "short-at-once", DirectIo::AtOnce)?;
    for file in files {
        let path = make(&mount, file)?;
        let writing = large(Job::scene(Scene::Blocks, Named::Threads, &path)?);
        finding.take(
            &format!("{file}, writing"),
            &writing.set("rounds", "1").run()?,
        );
        for driver in ground.drivers.iter().copied().chain([Named::Auto]) {
            for direct in [false, true] {
                let what = format!("{file} {} direct={direct}, reading", driver.name());
                let job = large(Job::scene(Scene::Blocks, driver, &path)?).with("only-reads");
                let answer = job.with_if(direct, "direct").set("rounds", "1").run()?;
                if let Some(answer) = finding.take(&what, &answer) {
                    no_errors(finding, &what, answer);
                }
            }
        }
    }
    finding.injected += mount.injected()?.short;
    Ok(())
}

fn large(job: Job) -> Job {
    job.set("blocks", "24").set("block-bytes", "65536")
}

fn short_transfers(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let files = ["short_1000", "short_4096"];
    let mount = ("short", DirectIo::InOrder);
    on_mount(ground, finding, mount, (&files, &[false]), large, no_errors)?;
    short_reads_at_once(ground, finding, &files)
}

fn short_direct(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let files = ["short_5000", "short_4096"];
    let in_order = ("short-direct", DirectIo::InOrder);
    on_mount(
        ground,
        finding,
        in_order,
        (&files, &[true]),
        large,
        no_errors,
    )?;
    // The kernel makes an error of a direct write that is short while it is one of several.
    let at_once = ("short-direct-at-once", DirectIo::AtOnce);
    let judge = |finding: &mut Finding, what: &str, answer: &Answer| {
        let others = answer.errors.keys().find(|name| *name != "EIO");
        finding.demand(others.is_none(), || format!("{what}: {:?}", answer.errors));
    };
    on_mount(ground, finding, at_once, (&files, &[true]), large, judge)
}

fn empty_transfers(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = ("empty", DirectIo::InOrder);
    let all = [false, true];
    let judge = only(&["WriteZero", "EIO"]);
    on_mount(
        ground,
        finding,
        mount,
        (&["short_0"], &all),
        |job| job,
        judge,
    )
}

fn failing_calls(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let files = ["eio_3", "eio_7"];
    for mount in [
        ("failing", DirectIo::InOrder),
        ("failing-at-once", DirectIo::AtOnce),
    ] {
        on_mount(
            ground,
            finding,
            mount,
            (&files, &[false, true]),
            |job| job,
            only(&["EIO"]),
        )?;
    }
    Ok(())
}

fn mixed_faults(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    for mount in [
        ("mixed", DirectIo::InOrder),
        ("mixed-at-once", DirectIo::AtOnce),
    ] {
        let set_up = |job: Job| job.set("rounds", "4").set("block-bytes", "8192");
        let directs = [false, true];
        on_mount(
            ground,
            finding,
            mount,
            (&["rand_1"], &directs),
            set_up,
            only(&["EIO"]),
        )?;
    }
    Ok(())
}

fn full_file(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = ("full-file", DirectIo::InOrder);
    let files = ["enospc_501000"];
    on_mount(
        ground,
        finding,
        mount,
        (&files, &[false]),
        |job| job,
        only(&["ENOSPC"]),
    )
}

fn failing_file_sync(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mount = ("failing-sync", DirectIo::InOrder);
    let set_up = |job: Job| job.set("rounds", "4");
    on_mount(
        ground,
        finding,
        mount,
        (&["sync_2"], &[false]),
        set_up,
        only(&["EIO"]),
    )
}
