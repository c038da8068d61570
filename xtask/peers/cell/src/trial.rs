//! The trial of a peer's executable: short cells of every kind, run as the runner does.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::cell::{CellOutcome, CellSpec, Workload};
use super::memory::Memory;

const WORKLOADS: [Workload; 7] = [
    Workload::Nop,
    Workload::RandomRead,
    Workload::RandomWrite,
    Workload::SequentialRead,
    Workload::SequentialWrite,
    Workload::Mixed,
    Workload::Log,
];
const DEPTHS: [usize; 2] = [1, 16];
/// As long as needed to see one I/O: on a busy machine a runtime may not even have started in the
/// first of these times.
const MEASURE_MS: [u64; 3] = [20, 200, 2000];
const BLOCK: u32 = 4096;
const BLOCKS: u64 = 256;
/// A cell takes two seconds at most.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs every engine of an executable on every workload, on a file in `folder`.
///
/// # Panics
/// If one fails, hangs, or reports an error.
pub fn of(executable: &str, folder: &str) {
    if let Err(error) = trial(executable, folder) {
        panic!("{executable}: {error:#}");
    }
}

fn trial(executable: &str, folder: &str) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let plain = spec(file.path());
    for slot in 0..usize::try_from(BLOCKS)? {
        std::io::Write::write_all(&mut file.as_file(), &Memory::of(&plain, slot))?;
    }
    let engines: Vec<String> = serde_json::from_str(&answer(executable, "--engines")?)?;
    ensure!(!engines.is_empty(), "there is no engine");
    for engine in engines {
        for workload in WORKLOADS {
            for (direct, depth) in DEPTHS.map(|depth| [(false, depth), (true, depth)]).concat() {
                let spec = CellSpec {
                    engine: engine.clone(),
                    workload,
                    direct,
                    depth,
                    ..plain.clone()
                };
                cell(executable, &spec).with_context(|| {
                    format!("{engine}, {workload:?}, depth {depth}, direct: {direct}")
                })?;
            }
        }
    }
    Ok(())
}

fn spec(path: &Path) -> CellSpec {
    CellSpec {
        engine: String::new(),
        workload: Workload::RandomRead,
        path: path.to_owned(),
        file_bytes: BLOCKS * u64::from(BLOCK),
        direct: false,
        block: BLOCK,
        depth: 1,
        contexts: 1,
        warm_up_ms: 5,
        measure_ms: MEASURE_MS[0],
        pattern: crate::pattern::Pattern::default(),
        seed: 1,
        syscall_tracepoint: None,
    }
}

fn cell(executable: &str, spec: &CellSpec) -> anyhow::Result<()> {
    if spec.open().is_err() {
        eprintln!("skipped: {} has no direct I/O", spec.path.display());
        return Ok(());
    }
    for measure_ms in MEASURE_MS {
        let spec = CellSpec {
            measure_ms,
            ..spec.clone()
        };
        let line = answer(executable, &serde_json::to_string(&spec)?)?;
        if is_answered(&spec, &line)? {
            return Ok(());
        }
    }
    bail!("not one I/O in {MEASURE_MS:?} ms")
}

/// Whether it says why not, or carried out at least one I/O.
fn is_answered(spec: &CellSpec, line: &str) -> anyhow::Result<bool> {
    match serde_json::from_str(line).with_context(|| line.to_owned())? {
        CellOutcome::Result(result) => {
            ensure!(result.errors == 0, "{line}");
            Ok(result.ios > 0)
        }
        CellOutcome::Unsupported(reason) => {
            let is_read = spec.workload == Workload::RandomRead;
            ensure!(!is_read || reason.contains("no io_uring"), "{reason}");
            eprintln!("skipped: {}: {reason}", spec.engine);
            Ok(true)
        }
    }
}

/// What the executable prints.
fn answer(executable: &str, argument: &str) -> anyhow::Result<String> {
    let mut printed: File = tempfile::tempfile()?;
    let mut child = Command::new(executable)
        .arg(argument)
        .stdout(Stdio::from(printed.try_clone()?))
        .spawn()?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begin.elapsed() > DEADLINE {
            child.kill()?;
            child.wait()?;
            bail!("it hangs");
        }
        thread::park_timeout(LOOK_EVERY);
    };
    ensure!(status.success(), "it ended with {status}");
    printed.rewind()?;
    let mut text = String::new();
    printed.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_that_fails_or_says_nothing_does_not_stand_the_trial() {
        let folder = tempfile::tempdir().unwrap();
        let failure = |executable| trial(executable, folder.path().to_str().unwrap()).unwrap_err();
        assert!(failure("false").to_string().contains("it ended with"));
        assert!(failure("true").to_string().contains("EOF"));
    }
}
