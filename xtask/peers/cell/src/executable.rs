//! The `main` of a peer: which engines it holds, and running the one that a cell names.
#![allow(
    clippy::print_stdout,
    reason = "the runner reads the answer from stdout"
)]

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::cell::{CellOutcome, CellSpec, Workload};
use super::meter::Meter;
use super::ring;
use super::slot::Slot;

/// One way to use a peer.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// What the tables call it.
    pub name: &'static str,
    /// Whether it works on io_uring.
    pub needs_ring: bool,
    /// The workloads that its API has no operation for, and what is missing.
    pub lacks: &'static [(Workload, &'static str)],
    /// Keeps all slots busy until each has said to stop.
    pub carry: fn(&CellSpec, Vec<Slot>) -> anyhow::Result<()>,
}

const USAGE: &str = "usage: <peer> --engines | <peer> '<CellSpec as JSON>'";

/// Answers `--engines` with their names, and a cell with its outcome; both as a line of JSON.
pub fn run(engines: &[Engine]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match answer(engines, &arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn answer(engines: &[Engine], arguments: &[String]) -> anyhow::Result<String> {
    let last = arguments.last().context(USAGE)?;
    if last == "--engines" {
        let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
        return Ok(serde_json::to_string(&names)?);
    }
    let spec = CellSpec::from_json(last).context(USAGE)?;
    Ok(serde_json::to_string(&measure(engines, &spec)?)?)
}

fn measure(engines: &[Engine], spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    let Some(engine) = engines.iter().find(|engine| engine.name == spec.engine) else {
        let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
        bail!(
            "{:?} is not in this executable, which holds {}",
            spec.engine,
            names.join(", ")
        );
    };
    if let Some(reason) = refusal(engine, spec) {
        return Ok(CellOutcome::Unsupported(reason));
    }
    let result = Meter::run(spec, |slots| (engine.carry)(spec, slots).map(|()| None))?;
    Ok(CellOutcome::Result(result))
}

fn refusal(engine: &Engine, spec: &CellSpec) -> Option<String> {
    let mut lacks = engine.lacks.iter();
    if let Some((_, reason)) = lacks.find(|(workload, _)| *workload == spec.workload) {
        return Some((*reason).to_owned());
    }
    if spec.contexts > 1 {
        return Some("is measured with one context".to_owned());
    }
    engine.needs_ring.then(ring::reason_for_none).flatten()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::blocking_call::carry_out;
    use super::super::memory::Memory;
    use super::*;

    pub(crate) fn spec() -> CellSpec {
        CellSpec {
            engine: "turns".into(),
            workload: Workload::RandomRead,
            path: "data".into(),
            file_bytes: 1 << 20,
            direct: false,
            block: 4096,
            depth: 4,
            contexts: 1,
            warm_up_ms: 10,
            measure_ms: 40,
            pattern: crate::pattern::Pattern::default(),
            seed: 1,
            syscall_tracepoint: None,
        }
    }

    /// Gives each slot its turn.
    fn carry(spec: &CellSpec, mut slots: Vec<Slot>) -> anyhow::Result<()> {
        let file = spec.open()?;
        let mut memory = Memory::of(spec, 0);
        while !slots.is_empty() {
            slots.retain_mut(|slot| {
                let op = slot.begin();
                slot.end(carry_out(&file, op, &mut memory))
            });
        }
        Ok(())
    }

    const ENGINES: [Engine; 1] = [Engine {
        name: "turns",
        needs_ring: false,
        lacks: &[(Workload::Log, "has no datasync")],
        carry,
    }];

    fn asked(arguments: &[&str]) -> anyhow::Result<String> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        answer(&ENGINES, &arguments)
    }

    fn outcome(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
        let json = serde_json::to_string(spec)?;
        Ok(serde_json::from_str(&asked(&["cell", &json])?)?)
    }

    #[test]
    fn the_engines_are_listed_as_json() {
        assert_eq!(asked(&["--engines"]).unwrap(), r#"["turns"]"#);
    }

    #[test]
    fn a_cell_is_measured() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let spec = CellSpec {
            path: file.path().to_owned(),
            ..spec()
        };
        let CellOutcome::Result(result) = outcome(&spec).unwrap() else {
            panic!("it is supported");
        };
        assert_eq!((result.errors, result.bytes), (0, result.ios * 4096));
        assert!(result.ios > 0 && result.samples > 0);
    }

    #[test]
    fn what_is_missing_is_unsupported_and_not_an_error() {
        let unsupported = |spec| match outcome(&spec).unwrap() {
            CellOutcome::Unsupported(reason) => reason,
            CellOutcome::Result(_) => panic!("it was measured"),
        };
        let log = CellSpec {
            workload: Workload::Log,
            ..spec()
        };
        assert_eq!(unsupported(log), "has no datasync");
        let two = CellSpec {
            contexts: 2,
            ..spec()
        };
        assert!(unsupported(two).contains("one context"));
    }

    #[test]
    fn what_cannot_be_answered_is_an_error_with_advice() {
        assert!(asked(&[]).unwrap_err().to_string().contains("--engines"));
        assert!(format!("{:#}", asked(&["{"]).unwrap_err()).contains("CellSpec"));
        let other = CellSpec {
            engine: "other".into(),
            ..spec()
        };
        assert!(outcome(&other).unwrap_err().to_string().contains("turns"));
        let nowhere = CellSpec {
            path: "/nowhere".into(),
            ..spec()
        };
        assert!(
            outcome(&nowhere)
                .unwrap_err()
                .to_string()
                .contains("/nowhere")
        );
    }
}
