//! What the slots give out, and what of it is counted.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::cell::{CellResult, CellSpec, Workload};
use super::super::pattern::Pattern;
use super::super::slot::{Op, OpKind, Slot};
use super::{Meter, SAMPLES_PER_SECOND, sample_period};

const BLOCK: u32 = 4096;
const BLOCKS: u64 = 10;

fn spec(workload: Workload, depth: usize) -> CellSpec {
    CellSpec {
        engine: "test".into(),
        workload,
        path: PathBuf::from("/nowhere"),
        file_bytes: BLOCKS * u64::from(BLOCK) + 1,
        direct: false,
        block: BLOCK,
        depth,
        contexts: 1,
        warm_up_ms: 5,
        measure_ms: 20,
        pattern: Pattern::default(),
        seed: 42,
        syscall_tracepoint: None,
    }
}

fn succeed(slot: &mut Slot, op: Op) -> bool {
    slot.end(Ok(op.len as usize))
}

/// Runs every slot in turn until all were told to stop; gives out what they asked for.
fn run(spec: &CellSpec) -> (CellResult, Vec<Op>) {
    let mut ops = Vec::new();
    let result = Meter::run(spec, |mut slots| {
        while !slots.is_empty() {
            slots.retain_mut(|slot| {
                let op = slot.begin();
                if ops.len() < 10_000 {
                    ops.push(op);
                }
                succeed(slot, op)
            });
        }
        Ok(None)
    });
    (result.unwrap(), ops)
}

fn block_of(op: &Op) -> u64 {
    assert_eq!(op.offset % u64::from(BLOCK), 0, "{op:?}");
    assert_eq!(op.len, BLOCK);
    op.offset / u64::from(BLOCK)
}

#[test]
fn random_offsets_are_aligned_and_reach_every_block_of_the_file_and_none_beyond() {
    for workload in [Workload::RandomRead, Workload::RandomWrite] {
        let (_, ops) = run(&spec(workload, 3));
        let mut seen = vec![0; usize::try_from(BLOCKS).unwrap()];
        for op in &ops {
            let writes = op.kind == OpKind::Write;
            assert_eq!(writes, workload == Workload::RandomWrite);
            seen[usize::try_from(block_of(op)).unwrap()] += 1;
        }
        let fair = ops.len() / seen.len();
        assert!(ops.len() > 500, "{} operations in 25 ms", ops.len());
        for count in &seen {
            assert!((fair / 2..fair * 2).contains(count), "{seen:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_offsets_and_each_slot_its_own() {
    let offsets = |spec: &CellSpec, slot: usize| {
        let (_, ops) = run(spec);
        let of_slot = ops.into_iter().skip(slot).step_by(2);
        of_slot.take(50).map(|op| op.offset).collect::<Vec<u64>>()
    };
    let one = spec(Workload::RandomRead, 2);
    let other = CellSpec {
        seed: 43,
        ..one.clone()
    };
    assert_eq!(offsets(&one, 0), offsets(&one, 0));
    assert_ne!(offsets(&one, 0), offsets(&one, 1));
    assert_ne!(offsets(&one, 0), offsets(&other, 0));
}

#[test]
fn seven_of_ten_are_reads_when_they_are_mixed() {
    let (_, ops) = run(&spec(Workload::Mixed, 2));
    let reads = ops.iter().filter(|op| op.kind == OpKind::Read).count();
    let percent = reads * 100 / ops.len();
    assert!((63..77).contains(&percent), "{reads} of {}", ops.len());
    assert!(ops.len() > 500, "{} operations in 25 ms", ops.len());
    assert!(ops.iter().all(|op| block_of(op) < BLOCKS));
}

#[test]
fn all_slots_together_go_from_block_to_block_and_begin_again_at_the_end() {
    let (_, ops) = run(&spec(Workload::SequentialRead, 3));
    for (op, place) in ops.iter().zip(0..) {
        assert_eq!((op.kind, block_of(op)), (OpKind::Read, place % BLOCKS));
    }
}

#[test]
fn a_log_appends_behind_the_file_and_syncs_and_leaves_the_file_as_it_was() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = CellSpec {
        path: file.path().to_owned(),
        ..spec(Workload::Log, 1)
    };
    file.as_file().set_len(log.file_bytes + 12_345).unwrap();
    let (result, ops) = run(&log);
    for (pair, number) in ops.chunks_exact(2).zip(0..) {
        let behind = BLOCKS + 1 + number;
        assert_eq!((pair[0].kind, block_of(&pair[0])), (OpKind::Write, behind));
        assert_eq!((pair[1].kind, pair[1].len), (OpKind::DataSync, 0));
    }
    assert_eq!(result.bytes, result.ios * u64::from(BLOCK));
    assert_eq!(file.as_file().metadata().unwrap().len(), log.file_bytes);
}

#[test]
fn a_pair_of_append_and_sync_is_one_io() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = CellSpec {
        path: file.path().to_owned(),
        warm_up_ms: 0,
        ..spec(Workload::Log, 1)
    };
    let mut begun = 0;
    let result = Meter::run(&log, |mut slots| {
        let slot = &mut slots[0];
        loop {
            begun += 1;
            let op = slot.begin();
            std::thread::park_timeout(Duration::from_micros(200));
            if !succeed(slot, op) {
                return Ok(None);
            }
        }
    });
    let ios = result.unwrap().ios;
    assert!(ios > 0);
    assert!(ios <= begun / 2, "{ios} I/Os of {begun} operations");
}

#[test]
fn a_log_on_what_cannot_grow_is_refused() {
    let log = CellSpec {
        path: Path::new("/dev/null").to_owned(),
        ..spec(Workload::Log, 1)
    };
    let error = Meter::run(&log, |_| Ok(None)).unwrap_err().to_string();
    assert!(error.contains("regular file"), "{error}");
}

#[test]
fn what_is_counted_lies_between_the_warm_up_and_the_end() {
    let paced = CellSpec {
        warm_up_ms: 60,
        measure_ms: 120,
        ..spec(Workload::Nop, 1)
    };
    let mut begun = 0;
    let result = Meter::run(&paced, |mut slots| {
        let slot = &mut slots[0];
        loop {
            begun += 1;
            let op = slot.begin();
            assert_eq!((op.kind, op.offset, op.len), (OpKind::Nop, 0, 0));
            std::thread::park_timeout(Duration::from_millis(1));
            if !succeed(slot, op) {
                return Ok(Some("chosen".into()));
            }
        }
    });
    let result = result.unwrap();
    assert!(result.seconds >= 0.12, "{}", result.seconds);
    assert!(result.ios > 0);
    assert!(result.ios < begun, "{} of {begun}", result.ios);
    // So slow a run has every latency taken, and each of them is a millisecond at least.
    assert!(result.samples.abs_diff(result.ios) <= 1, "{result:?}");
    assert!(result.p50_ns >= 990_000, "{}", result.p50_ns);
    assert!(result.p999_ns >= result.p99_ns);
    assert_eq!((result.bytes, result.errors), (0, 0));
    assert_eq!(result.driver.as_deref(), Some("chosen"));
    assert_eq!(result.system_calls, None);
}

#[test]
fn one_latency_in_sixteen_is_taken_and_no_more_than_may_be() {
    let (result, _) = run(&CellSpec {
        warm_up_ms: 20,
        measure_ms: 50,
        ..spec(Workload::Nop, 4)
    });
    let least = result.ios / 16;
    let in_warm_up_or_after = 8;
    // Between the look at the counters and the change of phase the thread may be put aside.
    assert!(result.samples >= least / 2, "{result:?}");
    // It may be measured for longer than it was asked for.
    let ms = Duration::from_secs_f64(result.seconds).as_millis();
    let most = least + 2 * SAMPLES_PER_SECOND * u64::try_from(ms + 1).unwrap() / 1000;
    assert!(result.samples <= most + in_warm_up_or_after, "{result:?}");
}

#[test]
fn the_latencies_cost_no_more_at_a_higher_pace() {
    let second = Duration::from_secs(1);
    assert_eq!(sample_period(0, second), 1);
    assert_eq!(sample_period(99_000, second), 1);
    assert_eq!(sample_period(200_000, second), 4);
    assert_eq!(sample_period(150_000, second), 4);
    assert_eq!(sample_period(u64::MAX, second), 16);
    assert_eq!(sample_period(1000, Duration::ZERO), 16);
}

#[test]
fn an_error_ends_its_slot_and_no_other() {
    let mut refused = false;
    let result = Meter::run(&spec(Workload::RandomRead, 2), |mut slots| {
        let mut broken = slots.remove(0);
        broken.begin();
        refused = !broken.end(Err(io::Error::other("the disk is on fire")));
        drop(broken);
        let slot = &mut slots[0];
        loop {
            let op = slot.begin();
            if !succeed(slot, op) {
                return Ok(None);
            }
        }
    });
    let result = result.unwrap();
    assert!(refused);
    assert_eq!(result.errors, 1);
    assert_eq!(result.first_error.as_deref(), Some("the disk is on fire"));
    assert!(result.ios > 0);
}

#[test]
fn too_few_bytes_are_an_error_and_the_first_one_is_kept() {
    let result = Meter::run(&spec(Workload::RandomRead, 2), |slots| {
        for (mut slot, bytes) in slots.into_iter().zip([4095, 0]) {
            slot.begin();
            assert!(!slot.end(Ok(bytes)));
        }
        Ok(None)
    });
    let result = result.unwrap();
    assert_eq!((result.ios, result.errors), (0, 2));
    let first = result.first_error.unwrap();
    assert!(first.contains("4095 of 4096"), "{first}");
}

#[test]
fn an_engine_that_drops_a_slot_on_the_way_is_found_out() {
    let result = Meter::run(&spec(Workload::RandomRead, 2), |mut slots| {
        slots[1].begin();
        let left = slots[0].slots_left();
        drop(slots);
        left.wait();
        Ok(None)
    });
    let result = result.unwrap();
    assert_eq!(result.errors, 1, "the slot that never began is no error");
    let first = result.first_error.unwrap();
    assert!(first.contains("lost slot 1"), "{first}");
}

#[test]
fn an_engine_that_gives_up_early_is_found_out_at_once() {
    let long = CellSpec {
        warm_up_ms: 60_000,
        ..spec(Workload::RandomRead, 1)
    };
    let error = Meter::run(&long, |_| Ok(None)).unwrap_err().to_string();
    assert!(error.contains("before the run was over"), "{error}");
    let error = Meter::run(&long, |_| anyhow::bail!("no ring")).unwrap_err();
    assert_eq!(error.to_string(), "no ring");
}
