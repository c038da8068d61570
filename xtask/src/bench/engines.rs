//! The engines of this workspace that a cell can name: ours on every path, and the limits.
//!
//! A limit is what a loop written by hand gets out of a kernel interface. Every engine keeps the
//! slots of the meter busy and does nothing else.

mod contexts;
mod event_loop;
mod ours;
mod raw_aio;
mod raw_pread;
mod raw_uring;

use std::io;

use anyhow::Context;
use io_engine::{Driver, StartError};

use super::cell::{CellOutcome, CellResult, CellSpec};
use super::meter::Meter;
use super::page_buffer::PageBuffer;
use super::slot::Slot;

/// How an engine runs a cell.
type Engine = fn(&CellSpec) -> anyhow::Result<CellOutcome>;

/// By the names that the tables show.
const ENGINES: &[(&str, Engine)] = &[
    ("raw-uring", raw_uring::one_by_one),
    ("raw-uring-batch", raw_uring::in_batches),
    ("raw-uring-1m", |spec| {
        in_mebibytes(spec, raw_uring::one_by_one)
    }),
    ("raw-aio", raw_aio::run),
    ("raw-pread", raw_pread::on_one_thread),
    ("raw-pread-pool", raw_pread::on_a_pool),
    ("loop-uring", |spec| event_loop::run(spec, Driver::Uring)),
    ("loop-aio", |spec| event_loop::run(spec, Driver::Aio)),
    ("loop-threads", |spec| {
        event_loop::run(spec, Driver::Threads)
    }),
    ("loop-auto", |spec| event_loop::run(spec, Driver::Auto)),
    ("loop-merge-uring", |spec| {
        event_loop::run_merging(spec, Driver::Uring)
    }),
    ("loop-merge-aio", |spec| {
        event_loop::run_merging(spec, Driver::Aio)
    }),
    ("loop-merge-threads", |spec| {
        event_loop::run_merging(spec, Driver::Threads)
    }),
    ("channel-merge-uring", |spec| {
        contexts::channel_merging(spec, Driver::Uring)
    }),
    ("channel-merge-aio", |spec| {
        contexts::channel_merging(spec, Driver::Aio)
    }),
    ("inline-uring", |spec| contexts::inline(spec, Driver::Uring)),
    ("inline-aio", |spec| contexts::inline(spec, Driver::Aio)),
    ("inline-threads", |spec| {
        contexts::inline(spec, Driver::Threads)
    }),
    ("inline-auto", |spec| contexts::inline(spec, Driver::Auto)),
    ("channel-uring", |spec| {
        contexts::channel(spec, Driver::Uring)
    }),
    ("channel-aio", |spec| contexts::channel(spec, Driver::Aio)),
    ("channel-threads", |spec| {
        contexts::channel(spec, Driver::Threads)
    }),
    ("channel-auto", |spec| contexts::channel(spec, Driver::Auto)),
    ("plain-uring", |spec| contexts::plain(spec, Driver::Uring)),
    ("plain-aio", |spec| contexts::plain(spec, Driver::Aio)),
];

/// Every engine that [`run`] knows.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ENGINES.iter().map(|(name, _)| *name)
}

/// Runs the engine that the cell names.
pub(crate) fn run(spec: &CellSpec) -> anyhow::Result<CellOutcome> {
    let found = ENGINES.iter().find(|(name, _)| *name == spec.engine);
    let (_, engine) = found.with_context(|| {
        let known: Vec<&str> = names().collect();
        format!(
            "no engine {:?}; there are {}",
            spec.engine,
            known.join(", ")
        )
    })?;
    engine(spec)
}

fn unsupported(reason: impl Into<String>) -> anyhow::Result<CellOutcome> {
    Ok(CellOutcome::Unsupported(reason.into()))
}

const MEBIBYTE: u32 = 1 << 20;

/// The cell with blocks of 1 MiB, as many bytes of them in flight; what they are is counted in blocks
/// of the cell's own size, so that it compares with the others.
fn in_mebibytes(spec: &CellSpec, engine: Engine) -> anyhow::Result<CellOutcome> {
    let blocks = MEBIBYTE / spec.block.max(1);
    if blocks <= 1 || spec.file_bytes < u64::from(MEBIBYTE) {
        return unsupported("it takes a block below 1 MiB and a file of that");
    }
    let large = CellSpec {
        block: MEBIBYTE,
        depth: spec.depth.div_ceil(blocks as usize),
        ..spec.clone()
    };
    Ok(match engine(&large)? {
        CellOutcome::Result(result) => CellOutcome::Result(CellResult {
            ios: result.ios * u64::from(blocks),
            ..result
        }),
        refused @ CellOutcome::Unsupported(_) => refused,
    })
}

/// One page-aligned, filled buffer per slot.
fn buffers(spec: &CellSpec) -> Vec<PageBuffer> {
    let buffer = |seed| PageBuffer::filled(spec.block as usize, seed);
    (spec.seed..).take(spec.depth).map(buffer).collect()
}

/// A result as the kernel states it: bytes, or a negated errno.
#[inline]
fn transferred(result: i64) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| {
        let errno = i32::try_from(-result).unwrap_or(libc::EIO);
        io::Error::from_raw_os_error(errno)
    })
}

/// Measures an engine of ours; that its driver cannot start here is no failure of the cell.
fn measure(
    spec: &CellSpec,
    body: impl FnOnce(Vec<Slot>) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<CellOutcome> {
    match Meter::run(spec, body) {
        Ok(result) => Ok(CellOutcome::Result(result)),
        Err(error) => match error.downcast::<StartError>() {
            Ok(refusal) => unsupported(refusal.to_string()),
            Err(error) => Err(error),
        },
    }
}

/// As [`measure`], for an engine that has no contexts.
fn measure_loop(
    spec: &CellSpec,
    body: impl FnOnce(Vec<Slot>) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<CellOutcome> {
    if spec.contexts > 1 {
        return unsupported("it has no contexts");
    }
    measure(spec, body)
}

/// As [`measure_loop`], for a limit, which has nothing to choose.
fn measure_limit(
    spec: &CellSpec,
    body: impl FnOnce(Vec<Slot>) -> anyhow::Result<()>,
) -> anyhow::Result<CellOutcome> {
    measure_loop(spec, |slots| body(slots).map(|()| None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cell::Workload;
    use crate::bench::pattern::Pattern;

    const WORKLOADS: [Workload; 7] = [
        Workload::Nop,
        Workload::RandomRead,
        Workload::RandomWrite,
        Workload::SequentialRead,
        Workload::SequentialWrite,
        Workload::Mixed,
        Workload::Log,
    ];

    /// Runs a short cell on a file of zeros; gives out the outcome and whether it was written to.
    fn try_out(engine: &str, workload: Workload, depth: usize) -> (CellOutcome, bool) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let spec = CellSpec {
            engine: engine.into(),
            workload,
            path: file.path().to_owned(),
            file_bytes: 1 << 16,
            direct: false,
            block: 4096,
            depth,
            contexts: 1,
            warm_up_ms: 1,
            measure_ms: 4,
            pattern: Pattern::default(),
            seed: 1,
            syscall_tracepoint: None,
        };
        file.as_file().set_len(spec.file_bytes).unwrap();
        let outcome = run(&spec).unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!(bytes.len(), 1 << 16, "{engine} {workload:?}");
        (outcome, bytes.iter().any(|byte| *byte != 0))
    }

    #[test]
    fn every_engine_does_every_workload_to_its_end_or_says_why_not() {
        for engine in names() {
            for (workload, depth) in WORKLOADS.into_iter().flat_map(|w| [(w, 1), (w, 9)]) {
                let (outcome, is_written) = try_out(engine, workload, depth);
                let context = format!("{engine}, {workload:?}, depth {depth}: {outcome:?}");
                match outcome {
                    CellOutcome::Result(result) => {
                        assert_eq!((result.errors, result.first_error), (0, None), "{context}");
                        assert_eq!(
                            result.driver.is_some(),
                            engine.ends_with("-auto"),
                            "{context}"
                        );
                        match workload {
                            Workload::RandomWrite | Workload::SequentialWrite => {
                                assert!(is_written, "{context}");
                            }
                            // What it writes may be the zeros that it has read.
                            Workload::Mixed => {}
                            Workload::Nop
                            | Workload::RandomRead
                            | Workload::SequentialRead
                            | Workload::Log => assert!(!is_written, "{context}"),
                        }
                    }
                    CellOutcome::Unsupported(reason) => {
                        assert!(!reason.is_empty(), "{context}");
                        assert!(!engine.ends_with("-threads"), "{context}");
                        assert!(!engine.ends_with("-auto"), "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn contexts_share_the_slots() {
        for engine in ["channel-threads", "inline-threads"] {
            for (depth, contexts) in [(1, 4), (4, 4), (5, 2)] {
                let spec = CellSpec {
                    engine: engine.into(),
                    workload: Workload::Nop,
                    path: "unused".into(),
                    file_bytes: 0,
                    direct: false,
                    block: 0,
                    depth,
                    contexts,
                    warm_up_ms: 1,
                    measure_ms: 10,
                    pattern: Pattern::default(),
                    seed: 1,
                    syscall_tracepoint: None,
                };
                let CellOutcome::Result(result) = run(&spec).unwrap() else {
                    panic!("threads work anywhere");
                };
                assert_eq!((result.errors, result.bytes), (0, 0), "{spec:?}");
            }
        }
    }

    #[test]
    fn an_engine_that_does_not_exist_is_refused_with_those_that_do() {
        let spec = r#"{"engine":"fast","workload":"nop","path":"","file_bytes":0,"direct":false,
            "block":0,"depth":1,"contexts":1,"warm_up_ms":0,"measure_ms":1,"seed":0,
            "syscall_tracepoint":null}"#;
        let error = run(&CellSpec::from_json(spec).unwrap()).unwrap_err();
        assert!(error.to_string().contains("channel-uring"), "{error}");
    }

    #[test]
    fn a_negative_result_is_an_errno() {
        assert_eq!(transferred(4096).unwrap(), 4096);
        let error = transferred(i64::from(-libc::ENOSPC)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}
