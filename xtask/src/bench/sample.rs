//! A record for tests: made up, small, and with everything that can happen in it.

use std::collections::BTreeMap;

use super::cell::{CellResult, Workload};
use super::engine_name::Kind;
use super::groups::Place;
use super::machine::{Commit, Machine};
use super::place::Ground;
use super::record::{CellRecord, GroupRecord, Idle, Problem, Record, RunSettings, VERSION};

/// A second of so many I/Os.
pub(crate) fn result(ios: u64) -> CellResult {
    CellResult {
        ios,
        bytes: ios * 4096,
        seconds: 1.0,
        p50_ns: 30_000,
        p99_ns: 90_000,
        p999_ns: 200_000,
        samples: ios / 16,
        cpu_user_us: 300_000.0,
        cpu_system_us: 600_000.0,
        peak_rss_kib: 8192,
        ..CellResult::default()
    }
}

/// A cell that did `ios` in its slowest round and a little more in the others.
pub(crate) fn cell(engine: &str, depth: usize, ios: u64) -> CellRecord {
    CellRecord {
        engine: engine.to_owned(),
        kind: Kind::of(engine),
        depth,
        contexts: 1,
        rounds: vec![result(ios), result(ios + ios / 50), result(ios + ios / 100)],
        counting: Some(CellResult {
            system_calls: Some(1000),
            ..result(32_000)
        }),
        problem: None,
        summary: None,
    }
}

/// A cell that has no result.
pub(crate) fn broken(engine: &str, depth: usize, problem: Problem) -> CellRecord {
    CellRecord {
        rounds: Vec::new(),
        counting: None,
        problem: Some(problem),
        ..cell(engine, depth, 1)
    }
}

pub(crate) fn group(name: &str, cells: Vec<CellRecord>) -> GroupRecord {
    let mut group = GroupRecord {
        name: name.to_owned(),
        title: format!("4 KiB random read, {name}"),
        workload: Workload::RandomRead,
        place: Place::PageCache,
        block: 4096,
        cells,
    };
    group.summarise();
    group
}

pub(crate) fn record() -> Record {
    let mut cells = Vec::new();
    for depth in [1, 32, 128] {
        let limit = 500_000 + 5000 * depth as u64;
        cells.push(cell("raw-uring", depth, limit));
        cells.push(cell("inline-uring", depth, limit / 100 * 96));
        cells.push(cell("channel-uring", depth, limit / 2));
        cells.push(cell("fio-uring", depth, limit / 100 * 80));
        cells.push(cell("compio", depth, limit / 100 * 85));
    }
    let hung = Problem::Failed("hung: killed after 10.5 s".to_owned());
    cells.push(broken("glommio", 128, hung));
    let cannot = Problem::Unsupported("no <append> & sync".to_owned());
    cells.push(broken("monoio", 128, cannot));
    Record {
        version: VERSION,
        started: "2025-01-02T03:04:05Z".to_owned(),
        machine: Machine {
            cpu: "A processor".to_owned(),
            cores: 2,
            memory_kib: 8 << 20,
            kernel: "6.18.0".to_owned(),
            architecture: "x86_64".to_owned(),
        },
        commit: Some(Commit {
            id: "0123456789ab".to_owned(),
            dirty: true,
        }),
        settings: RunSettings {
            quick: true,
            peers: true,
            optimised: true,
            rounds: 3,
            warm_up_ms: 50,
            measure_ms: 200,
        },
        grounds: BTreeMap::from([(
            Place::PageCache,
            Ground {
                bytes: 256 << 20,
                direct: false,
                file_system: "ext4".to_owned(),
                device: "/dev/vda".to_owned(),
            },
        )]),
        groups: vec![group("page-cache", cells)],
        idle: Some(Idle {
            seconds: 2.0,
            cpu_us: 120.0,
        }),
        notes: vec!["fio is not installed".to_owned()],
        broken_peers: BTreeMap::from([("glommio".to_owned(), "does not build: <x>".to_owned())]),
    }
}
