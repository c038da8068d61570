//! Too little memory for the page cache of what is written.

use super::Experiment;
use crate::faults::cgroup::Cgroup;
use crate::faults::finding::Finding;
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::Scene;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "memory-pressure",
    needs_root: true,
    cases: &[65],
    mechanism: "cgroup memory: 128 MiB of file in 40 MiB",
    run: memory_pressure,
}];

/// Room for the process and its buffers, not for the file.
const MEMORY_BYTES: u64 = 40 << 20;

fn memory_pressure(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    let group = Cgroup::new(ground, "memory")?;
    group.set("memory.limit_in_bytes", &MEMORY_BYTES.to_string())?;
    for &driver in &ground.drivers {
        let before = group.number("memory.failcnt")?;
        let file = ground.path(&format!("pressure-{}", driver.name()));
        let job = Job::scene(Scene::Blocks, driver, &file)?.with("merge");
        let job = job
            .set("blocks", "4096")
            .set("block-bytes", "16384")
            .set("rounds", "1");
        let answer = job
            .set("window", "64")
            .confined("cgroup", group.path())
            .run()?;
        if let Some(answer) = finding.take(driver.name(), &answer) {
            finding.demand(answer.failed() == 0 && answer.verified_bytes > 0, || {
                format!("{}: {:?}", driver.name(), answer.errors)
            });
        }
        let refused = group.number("memory.failcnt")? - before;
        finding.injected += refused;
        finding.demand(refused > 0, || {
            format!("{}: the limit was never reached", driver.name())
        });
        std::fs::remove_file(&file)?;
    }
    Ok(())
}
