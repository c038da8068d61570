//! A writer that is killed at any moment: what it has acknowledged is there, and nothing is torn.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use io_engine_core::sim::Dice;

use super::Experiment;
use crate::bench::interruption;
use crate::faults::finding::Finding;
use crate::faults::ground::{Ground, Made};
use crate::faults::job::Job;
use crate::faults::scene::{Named, Scene, verify_acknowledged};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "killed-writer",
    needs_root: false,
    cases: &[64],
    mechanism: "kill -9 while records are acknowledged",
    run: killed_writer,
}];

const BLOCKS: usize = 64;
/// A process that has not acknowledged anything by then does not work.
const BEGINNING_TAKES: Duration = Duration::from_secs(20);
/// After the first acknowledgement it lives for up to this long.
const LIFE_MS: usize = 150;

fn killed_writer(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let mut dice = Dice::new(ground.seed);
    for &driver in &ground.drivers {
        for direct in [false, true] {
            // Once more the same file, so that old records are overwritten.
            let name = format!("killed-writer-{}-{direct}", driver.name());
            let file = ground.new_file(&name, 0)?;
            for kill in 0..ground.kills {
                let notes = ground.path(&format!("{name}-notes-{kill}"));
                let life = Duration::from_millis(dice.below(LIFE_MS) as u64);
                let job = Job::scene(Scene::Acknowledged, driver, &file)?;
                let job = job
                    .with_if(direct, "direct")
                    .set("acknowledgements", &notes);
                let job = job.set("blocks", BLOCKS.to_string()).set("depth", "8");
                write_and_kill(ground, job, &notes, life)?;
                finding.runs += 1;
                finding.injected += 1;
                judge(finding, driver, &file, &notes)?;
            }
        }
    }
    Ok(())
}

/// Lets a process live until it has acknowledged something, and for `life` longer.
fn write_and_kill(ground: &Ground, job: Job, notes: &Path, life: Duration) -> anyhow::Result<()> {
    let mut command = job.into_command();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = command.spawn().context("a writer")?;
    ground.note(Made::Process(process.id()));
    let begun = wait_for_notes(&mut process, notes);
    thread::park_timeout(life);
    // One that has ended by itself is seen by its status.
    let _ = process.kill();
    let status = process.wait()?;
    begun?;
    if status.code().is_some() {
        bail!("the writer ended by itself: {status}");
    }
    Ok(())
}

fn wait_for_notes(process: &mut std::process::Child, notes: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + BEGINNING_TAKES;
    loop {
        interruption::check()?;
        if notes.metadata().is_ok_and(|found| found.len() > 0) {
            return Ok(());
        }
        if let Some(status) = process.try_wait()? {
            bail!("the writer ended by itself: {status}");
        }
        if Instant::now() > deadline {
            bail!("no acknowledgement after {} s", BEGINNING_TAKES.as_secs());
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

fn judge(finding: &mut Finding, driver: Named, file: &Path, notes: &Path) -> anyhow::Result<()> {
    let found = verify_acknowledged(file, notes, BLOCKS)?;
    finding.requests += found.acknowledged;
    finding.verified_bytes += found.acknowledged * crate::faults::scene::RECORD_BYTES as u64;
    let well = found.acknowledged > 0 && found.missing == 0 && found.torn == 0;
    finding.demand(well, || format!("{}: {found:?}", driver.name()));
    Ok(())
}
