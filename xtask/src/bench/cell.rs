//! The protocol of a cell: one engine on one workload at one depth, in a process of its own.
//!
//! The child gets a [`CellSpec`] as JSON for its last argument and prints one line on stdout, a
//! [`CellOutcome`] as JSON; the rest goes to stderr. The workspace of the peers includes this file and its
//! neighbours `meter.rs`, `slot.rs`, `usage.rs`, `pattern.rs` and `page_buffer.rs`, so that every engine is
//! asked, measured and reported in the same way. So they name each other through `super`.
#![allow(unreachable_pub, reason = "public in the library of the peers")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;

/// The blocks that a random offset can be drawn from: one half of a random number.
const BLOCKS_MAX: u64 = 1 << 32;
/// A day, so that no sum of times overflows.
const MEASURE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What a child is asked to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSpec {
    /// The name of the engine, as the tables show it.
    pub engine: String,
    /// What it does.
    pub workload: Workload,
    /// The file or block device; exists and is filled. A nop needs none.
    pub path: PathBuf,
    /// The part of the file in use, from its start.
    pub file_bytes: u64,
    /// Whether the page cache is passed by.
    pub direct: bool,
    /// Bytes of one I/O.
    pub block: u32,
    /// How many I/Os are in flight at all times.
    pub depth: usize,
    /// How many contexts share the depth, for engines that know the notion.
    pub contexts: usize,
    /// How long the engine runs before it is measured.
    pub warm_up_ms: u64,
    /// How long it is measured.
    pub measure_ms: u64,
    /// The order of a sequential workload.
    #[serde(default)]
    pub pattern: Pattern,
    /// Where the random numbers begin.
    pub seed: u64,
    /// The id of the tracepoint `raw_syscalls:sys_enter`: system calls are counted too, which
    /// slows them down.
    pub syscall_tracepoint: Option<u64>,
}

/// What an engine does in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Nothing, through the whole engine: its own cost.
    Nop,
    /// Reads at random multiples of the block.
    RandomRead,
    /// Writes at random multiples of the block.
    RandomWrite,
    /// Reads from one block to the next, all slots together.
    SequentialRead,
    /// Writes from one block to the next, all slots together.
    SequentialWrite,
    /// Seven random reads to three random writes.
    Mixed,
    /// An append, then a datasync: the pair is one I/O.
    Log,
}

/// What a child measured between the end of the warm-up and the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// I/Os done.
    pub ios: u64,
    /// Bytes that they moved.
    pub bytes: u64,
    /// How long it was measured.
    pub seconds: f64,
    /// I/Os that failed or moved too few bytes, in the warm-up as well.
    pub errors: u64,
    /// What the first of them said.
    pub first_error: Option<String>,
    /// Half of the latencies are below it.
    pub p50_ns: u64,
    /// 99 % of the latencies are below it.
    pub p99_ns: u64,
    /// 99.9 % of the latencies are below it.
    pub p999_ns: u64,
    /// How many I/Os had their latency taken.
    pub samples: u64,
    /// CPU time of the whole process in user mode.
    pub cpu_user_us: f64,
    /// CPU time of the whole process in the kernel.
    pub cpu_system_us: f64,
    /// The most memory that the process ever had resident.
    pub peak_rss_kib: u64,
    /// System calls of all threads, if they were counted.
    pub system_calls: Option<u64>,
    /// What an engine chose that was left the choice.
    pub driver: Option<String>,
}

/// What a child answers: the fields of a result, or `{"unsupported": "reason"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellOutcome {
    /// The engine cannot run this cell, or not on this machine, for this reason.
    Unsupported(String),
    /// It was measured; with errors it may have ended early.
    #[serde(untagged)]
    Result(CellResult),
}

impl CellSpec {
    /// Reads what the runner passed on the command line.
    pub fn from_json(json: &str) -> anyhow::Result<Self> {
        let spec: Self = serde_json::from_str(json)
            .with_context(|| format!("{json:?} is no cell; a cell is a CellSpec as JSON"))?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.depth > 0,
            "depth 0: at least one I/O must be in flight"
        );
        ensure!(self.contexts > 0, "contexts 0: at least one is needed");
        ensure!(
            (1..=MEASURE_MS_MAX).contains(&self.measure_ms) && self.warm_up_ms <= MEASURE_MS_MAX,
            "a warm-up of {} ms and {} ms measured: it must be from 1 ms to a day",
            self.warm_up_ms,
            self.measure_ms
        );
        if self.workload == Workload::Nop {
            return Ok(());
        }
        ensure!(self.block > 0, "block 0: an I/O moves at least one byte");
        let blocks = self.blocks();
        ensure!(
            (1..=BLOCKS_MAX).contains(&blocks),
            "{} bytes in blocks of {} are {blocks} blocks: there must be from 1 to {BLOCKS_MAX}",
            self.file_bytes,
            self.block
        );
        Ok(())
    }

    /// The whole blocks of the part in use; 0 where the block is 0.
    pub fn blocks(&self) -> u64 {
        self.file_bytes
            .checked_div(u64::from(self.block))
            .unwrap_or(0)
    }

    /// Whether the workload writes.
    pub fn writes(&self) -> bool {
        match self.workload {
            Workload::Nop | Workload::RandomRead | Workload::SequentialRead => false,
            Workload::RandomWrite | Workload::SequentialWrite | Workload::Mixed | Workload::Log => {
                true
            }
        }
    }

    /// Opens the file as the cell demands; for a nop something harmless.
    pub fn open(&self) -> anyhow::Result<File> {
        self.try_open()
            .with_context(|| format!("{} cannot be opened", self.path.display()))
    }

    fn try_open(&self) -> io::Result<File> {
        if self.workload == Workload::Nop {
            return File::open("/dev/null");
        }
        let mut options = OpenOptions::new();
        options.read(true).write(self.writes());
        if self.direct {
            options.custom_flags(rustix::fs::OFlags::DIRECT.bits().cast_signed());
        }
        options.open(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> CellSpec {
        CellSpec {
            engine: "raw-uring".into(),
            workload: Workload::RandomRead,
            path: "data".into(),
            file_bytes: 1 << 20,
            direct: false,
            block: 4096,
            depth: 32,
            contexts: 1,
            warm_up_ms: 50,
            measure_ms: 200,
            pattern: Pattern::default(),
            seed: 1,
            syscall_tracepoint: None,
        }
    }

    #[test]
    fn a_spec_comes_through_json_unchanged() {
        let json = serde_json::to_string(&spec()).unwrap();
        assert!(json.contains(r#""workload":"random-read""#), "{json}");
        assert_eq!(CellSpec::from_json(&json).unwrap(), spec());
    }

    #[test]
    fn a_result_is_its_fields_and_a_refusal_its_reason() {
        let result = CellOutcome::Result(CellResult {
            ios: 7,
            system_calls: Some(3),
            ..CellResult::default()
        });
        let json = serde_json::to_string(&result).unwrap();
        assert!(json.starts_with(r#"{"ios":7,"#), "{json}");
        assert_eq!(serde_json::from_str::<CellOutcome>(&json).unwrap(), result);

        let refusal = CellOutcome::Unsupported("no io_uring".into());
        let json = serde_json::to_string(&refusal).unwrap();
        assert_eq!(json, r#"{"unsupported":"no io_uring"}"#);
        assert_eq!(serde_json::from_str::<CellOutcome>(&json).unwrap(), refusal);
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_the_number() {
        let refused = |spec: &CellSpec| {
            let json = serde_json::to_string(spec).unwrap();
            CellSpec::from_json(&json).unwrap_err().to_string()
        };
        assert!(refused(&CellSpec { depth: 0, ..spec() }).contains("depth 0"));
        assert!(refused(&CellSpec { block: 0, ..spec() }).contains("block 0"));
        let no_time = CellSpec {
            measure_ms: 0,
            ..spec()
        };
        assert!(refused(&no_time).contains("0 ms measured"));
        let small = CellSpec {
            file_bytes: 4095,
            ..spec()
        };
        assert!(refused(&small).contains("4095 bytes"));
        let huge = CellSpec {
            file_bytes: u64::MAX,
            ..spec()
        };
        assert!(refused(&huge).contains("blocks"));
        assert!(CellSpec::from_json("{}").is_err());
    }

    #[test]
    fn a_nop_needs_no_file() {
        let nop = CellSpec {
            workload: Workload::Nop,
            path: "/nowhere".into(),
            file_bytes: 0,
            block: 0,
            ..spec()
        };
        let json = serde_json::to_string(&nop).unwrap();
        assert!(CellSpec::from_json(&json).unwrap().open().is_ok());
        let error = CellSpec {
            path: "/nowhere".into(),
            ..spec()
        }
        .open()
        .unwrap_err();
        assert!(error.to_string().contains("/nowhere"));
    }
}
