//! One rule per test.

use io_engine_merge::{Fact, FactKind, FileFacts, MergeCounters, MergeLimits, Planner};

const BLOCK: u64 = 4096;

/// Nothing here meets its end.
const LARGE_FILE: FileFacts = FileFacts {
    size_min: u64::MAX,
    ..FileFacts::UNKNOWN
};

fn block(kind: FactKind, number: u64) -> Fact {
    span(kind, number, 1)
}

fn span(kind: FactKind, number: u64, blocks: u64) -> Fact {
    Fact {
        file: 3,
        kind,
        start: number * BLOCK,
        end: (number + blocks) * BLOCK,
    }
}

fn write(number: u64) -> Fact {
    block(FactKind::Write, number)
}

fn read(number: u64) -> Fact {
    block(FactKind::Read, number)
}

fn fence() -> Fact {
    Fact {
        file: 3,
        kind: FactKind::Fence,
        start: 0,
        end: 0,
    }
}

fn on(file: u32, fact: Fact) -> Fact {
    Fact { file, ..fact }
}

/// The members of each request, by place in the batch, in the order of sending.
fn planned(facts: &[Fact], limits: MergeLimits) -> (Vec<Vec<usize>>, MergeCounters) {
    let mut planner = Planner::new(limits);
    let plan = planner.plan(facts, |_| LARGE_FILE);
    let members = plan
        .requests()
        .map(|request| request.members().map(|member| member.event).collect());
    let requests = members.collect();
    (requests, planner.counters())
}

fn requests(facts: &[Fact]) -> Vec<Vec<usize>> {
    planned(facts, MergeLimits::default()).0
}

#[test]
fn descending_and_shuffled_events_become_one_request() {
    let descending: Vec<Fact> = (0..64).rev().map(write).collect();
    assert_eq!(requests(&descending), [(0..64).rev().collect::<Vec<_>>()]);
    let shuffled: Vec<Fact> = (0..64).map(|at| read(at * 37 % 64)).collect();
    let one = requests(&shuffled);
    assert_eq!((one.len(), one[0].len()), (1, 64));
}

#[test]
fn each_of_256_interleaved_streams_is_a_request_in_the_order_of_its_first_event() {
    let event = |at: u64| write((at * 91 % 256) * 1000 + at / 256);
    let facts: Vec<Fact> = (0..256 * 4).map(event).collect();
    let all = requests(&facts);
    assert_eq!(all.len(), 256);
    for (stream, members) in all.iter().enumerate() {
        let own: Vec<usize> = (0..4).map(|round| stream + round * 256).collect();
        assert_eq!(*members, own);
    }
}

#[test]
fn files_and_directions_do_not_mix_and_do_not_hinder_each_other() {
    let facts = [
        on(1, write(0)),
        on(2, write(1)),
        on(1, read(9)),
        on(1, write(1)),
        on(2, write(0)),
        on(1, read(8)),
    ];
    assert_eq!(requests(&facts), [vec![0, 3], vec![4, 1], vec![5, 2]]);
}

#[test]
fn what_overlaps_a_write_keeps_its_order_and_ends_the_runs() {
    let facts = [write(0), write(1), read(1), read(2), write(2), write(3)];
    let (order, counters) = planned(&facts, MergeLimits::default());
    assert_eq!(order, [vec![0, 1], vec![2, 3], vec![4, 5]]);
    assert_eq!(
        (counters.ended_at_hazard, counters.ended_at_batch_end),
        (2, 1)
    );
    let rewritten = [write(5), write(5), write(6), write(5)];
    assert_eq!(requests(&rewritten), [vec![0], vec![1, 2], vec![3]]);
}

#[test]
fn nothing_passes_a_fence_of_its_file_and_other_files_do_not_notice() {
    let facts = [
        write(1),
        on(4, write(0)),
        fence(),
        write(0),
        on(4, write(1)),
        write(2),
        write(3),
    ];
    let (order, counters) = planned(&facts, MergeLimits::default());
    assert_eq!(order, [vec![0], vec![1, 4], vec![2], vec![3], vec![5, 6]]);
    assert_eq!((counters.ended_at_fence, counters.alone), (1, 1));
}

#[test]
fn what_travels_alone_keeps_its_order_and_what_does_nothing_hinders_nobody() {
    let lone = block(FactKind::LoneWrite, 1);
    assert_eq!(
        requests(&[write(0), write(1), lone, write(2), write(3)]),
        [vec![0, 1], vec![2], vec![3, 4]]
    );
    let elsewhere = block(FactKind::LoneWrite, 9);
    assert_eq!(
        requests(&[write(0), elsewhere, write(1)]),
        [vec![0, 2], vec![1]]
    );
    let nop = block(FactKind::Bystander, 0);
    assert_eq!(requests(&[write(1), nop, write(0)]), [vec![2, 0], vec![1]]);
}

#[test]
fn overlapping_reads_form_layers_unless_they_may_share() {
    let twice: Vec<Fact> = (0..8).map(|at| read(at / 2)).collect();
    let (layers, counters) = planned(&twice, MergeLimits::default());
    assert_eq!(layers, [vec![0, 2, 4, 6], vec![1, 3, 5, 7]]);
    assert_eq!((counters.shared_reads, counters.bytes_copied), (0, 0));

    let (shared, counters) = planned(&twice, MergeLimits::default().sharing_reads());
    assert_eq!(shared, [vec![0, 2, 4, 6, 1, 3, 5, 7]]);
    assert_eq!(
        (counters.shared_reads, counters.bytes_copied),
        (4, 4 * BLOCK)
    );

    // After four layers the rest goes one by one.
    let facts = [
        read(0),
        read(0),
        read(0),
        read(0),
        read(0),
        read(0),
        read(1),
    ];
    let (order, counters) = planned(&facts, MergeLimits::default());
    assert_eq!(
        order,
        [vec![0, 6], vec![1], vec![2], vec![3], vec![4], vec![5]]
    );
    assert_eq!(counters.alone, 2);
}

#[test]
fn the_longest_of_several_reads_shares_with_the_others_whatever_came_first() {
    let facts = [
        read(1),
        span(FactKind::Read, 0, 4),
        span(FactKind::Read, 0, 2),
        read(4),
    ];
    let mut planner = Planner::new(MergeLimits::default().sharing_reads());
    let plan = planner.plan(&facts, |_| FileFacts::UNKNOWN);
    let members: Vec<_> = plan
        .requests()
        .flat_map(|request| {
            let members = request
                .members()
                .map(|member| (member.event, member.leader));
            members.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(members, [(1, None), (3, None), (2, Some(0)), (0, Some(0))]);
    // It covers the end of one and the beginning of the next: it lies within neither.
    let across = [
        span(FactKind::Read, 0, 2),
        span(FactKind::Read, 2, 2),
        span(FactKind::Read, 1, 2),
    ];
    let (order, _) = planned(&across, MergeLimits::default().sharing_reads());
    assert_eq!(order, [vec![0, 1], vec![2]]);
}

#[test]
fn a_small_hole_between_reads_is_read_over_if_that_is_allowed() {
    let facts = [read(0), read(2), read(5), write(10), write(12)];
    let strict = planned(&facts, MergeLimits::default()).0;
    assert_eq!(strict.len(), 5);
    let tolerant = MergeLimits::default().with_gap_bytes_max(4096);
    let (order, counters) = planned(&facts, tolerant);
    assert_eq!(order, [vec![0, 1], vec![2], vec![3], vec![4]]);
    assert_eq!((counters.hole_bytes, counters.bytes_copied), (BLOCK, 0));
    // A hole counts as an event, and its bytes count.
    assert_eq!(planned(&facts, tolerant.with_events_max(2)).0.len(), 5);
    assert_eq!(
        planned(&facts, tolerant.with_bytes_max(3 * 4096 - 1))
            .0
            .len(),
        5
    );
}

#[test]
fn the_limits_hold_up_to_the_very_byte() {
    let facts: Vec<Fact> = (0..8).map(write).collect();
    let lengths = |limits| -> (Vec<usize>, MergeCounters) {
        let (order, counters) = planned(&facts, limits);
        (order.iter().map(Vec::len).collect(), counters)
    };
    let by_bytes = MergeLimits::from(3 * 4096);
    assert_eq!(lengths(by_bytes).0, [3, 3, 2]);
    assert_eq!(lengths(MergeLimits::from(3 * 4096 - 1)).0, [2, 2, 2, 2]);
    let (by_events, counters) = lengths(MergeLimits::default().with_events_max(5));
    assert_eq!((by_events, counters.ended_at_limit), (vec![5, 3], 1));
    assert_eq!(lengths(MergeLimits::default().with_events_max(1)).0, [1; 8]);

    let long = [write(0), span(FactKind::Write, 1, 4), write(5), write(6)];
    assert_eq!(planned(&long, by_bytes).0, [vec![0], vec![1], vec![2, 3]]);
}

#[test]
fn a_file_that_allows_less_is_asked_once_and_hinders_no_other() {
    let facts = [
        on(1, write(1)),
        on(2, write(1)),
        on(1, write(0)),
        on(2, write(0)),
        on(5, write(7)),
    ];
    let mut asked = Vec::new();
    let mut planner = Planner::new(MergeLimits::default());
    let plan = planner.plan(&facts, |file| {
        asked.push(file);
        if file == 1 {
            FileFacts::NEVER_JOIN
        } else {
            FileFacts::UNKNOWN
        }
    });
    let firsts: Vec<usize> = plan.requests().map(|request| request.first()).collect();
    assert_eq!(firsts, [0, 3, 2, 4]);
    assert_eq!(asked, [1, 2]);
}

#[test]
fn a_batch_of_one_and_one_without_neighbours_join_nothing() {
    let mut planner = Planner::new(MergeLimits::default());
    for facts in [
        &[][..],
        &[write(0)],
        &[write(0), write(2), read(1)],
        &[fence(), fence()],
    ] {
        let plan = planner.plan(facts, |_| FileFacts::UNKNOWN);
        assert!(plan.joins_nothing());
        let order: Vec<usize> = plan.requests().map(|request| request.first()).collect();
        assert_eq!(order, (0..facts.len()).collect::<Vec<_>>());
    }
    let counters = planner.counters();
    assert_eq!(
        (counters.events, counters.requests, counters.runs),
        (6, 6, 0)
    );
    assert_eq!((counters.ended_at_batch_end, counters.ended_at_gap), (1, 3));
}

#[test]
fn counters_add_up_number_by_number() {
    let (_, mut sum) = planned(&[write(0), write(1)], MergeLimits::default());
    let (_, other) = planned(&[read(0), write(0), read(5)], MergeLimits::default());
    sum += other;
    assert_eq!((sum.events, sum.requests, sum.runs), (5, 4, 1));
    assert_eq!(sum.bytes, 5 * BLOCK);
}
