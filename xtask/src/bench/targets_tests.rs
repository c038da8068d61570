//! Each target from made-up runs: met, missed, and without the cells that it takes.

use super::super::record::Record;
use super::super::sample;
use super::*;

fn found(record: &Record, id: &str, part: &str) -> Verdict {
    let all = verdicts(record);
    let mut matching = all.iter().filter(|v| v.id == id && v.what.contains(part));
    matching
        .next()
        .unwrap_or_else(|| panic!("no {id} {part}: {all:?}"))
        .clone()
}

fn with_group(name: &str, cells: Vec<super::super::record::CellRecord>) -> Record {
    let mut record = sample::record();
    record.groups = vec![sample::group(name, cells)];
    record
}

#[test]
fn every_target_is_there_in_its_order() {
    let ids: Vec<&str> = verdicts(&sample::record()).iter().map(|v| v.id).collect();
    let mut distinct = ids.clone();
    distinct.dedup();
    let of_speed = (1..=11).map(|number| format!("P{number}"));
    let of_merging = (1..=7).map(|number| format!("M{number}"));
    assert_eq!(distinct, of_speed.chain(of_merging).collect::<Vec<_>>());
}

#[test]
fn a_ratio_is_met_or_missed_and_says_how_it_reads() {
    let met = found(
        &sample::record(),
        "P1",
        "depth 32, IOPS: inline-uring to raw-uring",
    );
    assert_eq!(
        met.line(),
        "P1 page-cache, depth 32, IOPS: inline-uring to raw-uring: 0.96 (at least 0.95) met"
    );
    let mut slow = sample::record();
    slow.groups[0].cells[6] = sample::cell("inline-uring", 32, 100_000);
    slow.groups[0].summarise();
    let missed = found(&slow, "P1", "depth 32, IOPS: inline-uring to raw-uring");
    assert_eq!(missed.state, State::Missed);
}

#[test]
fn others_that_are_not_in_the_run_are_named() {
    let ahead = found(&sample::record(), "P1", "the best of compio");
    assert_eq!(ahead.state, State::Met);
    assert_eq!(
        ahead.measured,
        "1.13 of compio, without tokio-uring, monoio"
    );
}

#[test]
fn without_its_cells_a_target_is_not_measured() {
    let mut empty = sample::record();
    empty.groups.clear();
    empty.idle = None;
    for verdict in verdicts(&empty) {
        let is_silent = matches!(verdict.state, State::NotMeasured | State::Elsewhere);
        assert!(is_silent, "{verdict:?}");
    }
}

#[test]
fn what_is_not_measured_takes_one_line() {
    let text = text(&verdicts(&sample::record()));
    assert!(!text.contains("P6 "), "{text}");
    let last = "not measured in this run, or not all of it: P2, P3, P4, P5, P6, P7, P10, P11, \
                M1, M2, M3, M4, M5, M6, M7";
    assert_eq!(text.lines().last(), Some(last));
}

#[test]
fn more_cpu_than_allowed_is_a_miss() {
    let mut cells = vec![sample::cell("inline-uring", 128, 80_000)];
    cells.push(sample::cell("raw-uring", 128, 100_000));
    let record = with_group("direct", cells);
    // The same CPU time for fewer I/Os.
    let verdict = found(&record, "P4", "CPU per I/O");
    assert!(verdict.measured.starts_with("1.25"), "{verdict:?}");
    assert_eq!(verdict.state, State::Missed);
}

#[test]
fn the_best_engine_of_all_may_be_ours() {
    let cells = vec![
        sample::cell("inline-auto", 128, 100_000),
        sample::cell("raw-pread-pool", 128, 90_000),
    ];
    let verdict = found(&with_group("zram", cells), "P6", "");
    assert_eq!(verdict.measured, "1.00 of inline-auto");
}

#[test]
fn the_cost_of_a_nop_is_the_difference_in_time() {
    let cells = vec![
        sample::cell("inline-uring", 128, 5_000_000),
        sample::cell("raw-uring", 128, 10_000_000),
    ];
    let verdict = found(&with_group("nop", cells), "P7", "");
    assert!(verdict.measured.starts_with("99 ns"), "{verdict:?}");
    assert_eq!(verdict.state, State::Missed);
}

#[test]
fn an_idle_context_is_held_to_the_same_rate_in_a_shorter_look() {
    let mut record = sample::record();
    assert_eq!(found(&record, "P9", "idle").state, State::Met);
    record.idle = Some(super::super::record::Idle {
        seconds: 2.0,
        cpu_us: 300.0,
    });
    assert_eq!(found(&record, "P9", "idle").state, State::Missed);
}

fn scaling(cost_at_4096: u64) -> Record {
    let mut cells = Vec::new();
    for depth in [1, 256, 4096] {
        // Fewer I/Os for the same CPU time cost more each.
        let ios = if depth == 4096 {
            cost_at_4096
        } else {
            1_000_000
        };
        let mut cell = sample::cell("loop-uring", depth, ios);
        for round in &mut cell.rounds {
            round.peak_rss_kib = 4000 + depth as u64 * 5;
        }
        cells.push(cell);
    }
    with_group("scaling", cells)
}

#[test]
fn cost_may_not_rise_with_depth_and_memory_is_stated_for_a_slot() {
    let flat = scaling(1_000_000);
    assert_eq!(
        found(&flat, "P11", "CPU per I/O over depth").state,
        State::Met
    );
    let memory = found(&flat, "P11", "peak memory");
    assert_eq!(memory.state, State::Met);
    assert!(
        memory
            .measured
            .starts_with("5120 bytes per slot, 1024 beside"),
        "{memory:?}"
    );
    let steep = found(&scaling(500_000), "P11", "CPU per I/O over depth");
    assert_eq!(steep.state, State::Missed);
    assert!(
        steep.measured.starts_with("2.00 at depth 4096"),
        "{steep:?}"
    );
}

#[test]
fn the_cost_of_the_engine_alone_may_not_rise_either() {
    let cells = [(1, 1_000_000), (4096, 800_000)];
    let cells = cells.map(|(depth, ios)| sample::cell("loop-uring", depth, ios));
    let record = with_group("nop", cells.to_vec());
    let verdict = found(&record, "P11", "NOP");
    assert_eq!(verdict.state, State::Missed);
    assert!(
        verdict.measured.starts_with("1.25 at depth 4096"),
        "{verdict:?}"
    );
}

#[test]
fn several_contexts_are_compared_with_one() {
    let mut cells = vec![sample::cell("channel-uring", 256, 1_000_000)];
    cells.push(super::super::record::CellRecord {
        contexts: 4,
        ..sample::cell("channel-uring", 256, 800_000)
    });
    let verdict = found(&with_group("scaling", cells), "P11", "over contexts");
    assert_eq!(verdict.state, State::Missed);
    assert!(
        verdict.measured.starts_with("1.25 with 4 at depth 256"),
        "{verdict:?}"
    );
}
