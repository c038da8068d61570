//! Any batch: carried out as planned, it gives the bytes that it gives one by one.

use io_engine_merge::{Fact, FactKind, FileFacts, MergeLimits, Planner};
use proptest::prelude::*;

const FILES: usize = 3;
/// What a file has at the beginning; much of what is read lies beyond.
const FILE_BYTES: u64 = 30;

fn kinds() -> impl Strategy<Value = FactKind> {
    prop_oneof![
        12 => Just(FactKind::Read),
        12 => Just(FactKind::Write),
        1 => Just(FactKind::LoneRead),
        1 => Just(FactKind::LoneWrite),
        1 => Just(FactKind::Fence),
        1 => Just(FactKind::Bystander),
    ]
}

/// Few places and sizes, so that much touches and overlaps.
fn facts() -> impl Strategy<Value = Fact> {
    let sizes = prop_oneof![12 => Just(4_u64), 4 => 0..12_u64, 1 => 12..40_u64];
    let starts = prop_oneof![4 => (0..14_u64).prop_map(|at| at * 4), 1 => 0..56_u64];
    (0..FILES, kinds(), starts, sizes).prop_map(|(file, kind, start, size)| Fact {
        file: u32::try_from(file).unwrap(),
        kind,
        start,
        end: start + size,
    })
}

/// One or two streams within other traffic, in any order.
fn batches() -> impl Strategy<Value = Vec<Fact>> {
    let stream = (kinds(), 0..6_u64, 1..12_u64).prop_map(|(kind, first, count)| {
        let block = |at: u64| Fact {
            file: 0,
            kind,
            start: at * 4,
            end: at * 4 + 4,
        };
        (first..first + count).map(block).collect::<Vec<Fact>>()
    });
    let others = || prop::collection::vec(facts(), 0..30);
    let shuffled = (stream, others())
        .prop_map(|(stream, others)| [stream, others].concat())
        .prop_shuffle();
    prop_oneof![others(), shuffled]
}

fn limits() -> impl Strategy<Value = MergeLimits> {
    let bytes = prop_oneof![1 => 0..40_usize, 2 => Just(usize::MAX)];
    let events = prop_oneof![1 => 0..8_usize, 2 => Just(usize::MAX)];
    let gaps = prop_oneof![2 => Just(0_usize), 1 => 0..10_usize];
    (bytes, events, gaps, any::<bool>()).prop_map(|(bytes, events, gap, shares)| {
        let limits = MergeLimits::from(bytes)
            .with_events_max(events)
            .with_gap_bytes_max(gap);
        if shares {
            limits.sharing_reads()
        } else {
            limits
        }
    })
}

fn file_limits() -> impl Strategy<Value = FileFacts> {
    let bytes = prop_oneof![1 => 1..40_usize, 2 => Just(usize::MAX)];
    let segments = prop_oneof![1 => 1..8_usize, 2 => Just(usize::MAX)];
    let some = (bytes, segments, 0..=FILE_BYTES).prop_map(|(bytes_max, segments_max, size_min)| {
        FileFacts {
            bytes_max,
            segments_max,
            size_min,
        }
    });
    prop_oneof![1 => Just(FileFacts::UNKNOWN), 3 => some, 1 => Just(FileFacts::NEVER_JOIN)]
}

type Requests = Vec<Vec<(usize, Option<usize>)>>;

fn planned(planner: &mut Planner, facts: &[Fact], of_file: &[FileFacts]) -> Requests {
    let plan = planner.plan(facts, |file| of_file[usize::try_from(file).unwrap()]);
    let requests = plan.requests().map(|request| {
        let members: Vec<_> = request
            .members()
            .map(|member| (member.event, member.leader))
            .collect();
        assert_eq!(members[0].0, request.first());
        assert_eq!(members.len() == 1, request.is_lone());
        members
    });
    requests.collect()
}

/// What the files hold at the end, and what each read has got.
#[derive(Debug, PartialEq)]
struct Outcome {
    files: Vec<Vec<u32>>,
    read: Vec<Vec<u32>>,
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Outcome {
    fn new(events: usize) -> Self {
        let begin = (0..FILE_BYTES).map(|place| u32::try_from(place).unwrap() + 1_000_000);
        let begin: Vec<u32> = begin.collect();
        Self {
            files: vec![begin; FILES],
            read: vec![Vec::new(); events],
        }
    }

    fn carry_out(&mut self, event: usize, fact: &Fact) {
        let file = &mut self.files[usize::try_from(fact.file).unwrap()];
        let (start, end) = (at(fact.start), at(fact.end));
        match fact.kind {
            FactKind::Read | FactKind::LoneRead => {
                let there = file.get(start..end.min(file.len()));
                self.read[event] = there.unwrap_or_default().to_vec();
            }
            FactKind::Write | FactKind::LoneWrite if start == end => {}
            FactKind::Write | FactKind::LoneWrite => {
                file.resize(file.len().max(end), 0);
                file[start..end].fill(u32::try_from(event).unwrap() + 1);
            }
            FactKind::Fence | FactKind::Bystander => {}
        }
    }

    fn one_by_one(facts: &[Fact]) -> Self {
        let mut outcome = Self::new(facts.len());
        for (event, fact) in facts.iter().enumerate() {
            outcome.carry_out(event, fact);
        }
        outcome
    }

    fn as_planned(facts: &[Fact], requests: &Requests) -> Self {
        let mut outcome = Self::new(facts.len());
        for members in requests {
            for &(event, leader) in members {
                match leader {
                    None => outcome.carry_out(event, &facts[event]),
                    Some(leader) => {
                        let (leader, fact) = (members[leader].0, &facts[event]);
                        let skip = at(fact.start - facts[leader].start);
                        let end = skip + at(fact.end - fact.start);
                        let there = &outcome.read[leader];
                        let own = there.get(skip..end.min(there.len()));
                        outcome.read[event] = own.unwrap_or_default().to_vec();
                    }
                }
            }
        }
        outcome
    }
}

fn conflicts(one: &Fact, other: &Fact) -> bool {
    let writes = |fact: &Fact| matches!(fact.kind, FactKind::Write | FactKind::LoneWrite);
    let moves =
        |fact: &Fact| writes(fact) || matches!(fact.kind, FactKind::Read | FactKind::LoneRead);
    let nop =
        |fact: &Fact| fact.kind == FactKind::Bystander || moves(fact) && fact.end == fact.start;
    if one.file != other.file || nop(one) || nop(other) {
        return false;
    }
    let fence = one.kind == FactKind::Fence || other.kind == FactKind::Fence;
    let overlap = one.start < other.end && other.start < one.end;
    fence || overlap && (writes(one) || writes(other))
}

fn check_run(members: &[(usize, Option<usize>)], facts: &[Fact], limits: MergeLimits) {
    let own: Vec<&Fact> = members
        .iter()
        .filter(|member| member.1.is_none())
        .map(|member| &facts[member.0])
        .collect();
    let (first, last) = (own[0], own[own.len() - 1]);
    let mut entries = members.len();
    for pair in own.windows(2) {
        let hole = pair[1].start.checked_sub(pair[0].end).unwrap();
        assert!(hole == 0 || first.kind == FactKind::Read && hole <= limits.gap_bytes_max() as u64);
        entries += usize::from(hole > 0);
    }
    for &(event, leader) in members {
        let fact = &facts[event];
        assert_eq!((fact.file, fact.kind), (first.file, first.kind));
        assert!(matches!(fact.kind, FactKind::Read | FactKind::Write) && fact.end > fact.start);
        if let Some(leader) = leader {
            assert!(limits.shares_reads() && fact.kind == FactKind::Read);
            assert!(members[leader].1.is_none());
            let leader = &facts[members[leader].0];
            assert!(leader.start <= fact.start && fact.end <= leader.end);
        }
    }
    assert!(last.end - first.start <= limits.bytes_max() as u64);
    assert!(entries <= limits.events_max());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn a_batch_carried_out_as_planned_gives_the_bytes_that_it_gives_one_by_one(
        batches in prop::collection::vec(batches(), 1..3),
        limits in limits(),
        of_file in prop::collection::vec(file_limits(), FILES),
    ) {
        let mut planner = Planner::new(limits);
        for facts in &batches {
            let before = planner.counters();
            let requests = planned(&mut planner, facts, &of_file);
            let mut order: Vec<usize> = requests.iter().flatten().map(|member| member.0).collect();
            prop_assert_eq!(Outcome::as_planned(facts, &requests), Outcome::one_by_one(facts));

            let mut place_of = vec![usize::MAX; facts.len()];
            for (place, members) in requests.iter().enumerate() {
                members.iter().for_each(|member| place_of[member.0] = place);
                if members.len() > 1 {
                    let file = usize::try_from(facts[members[0].0].file).unwrap();
                    let both = limits
                        .with_bytes_max(limits.bytes_max().min(of_file[file].bytes_max))
                        .with_events_max(limits.events_max().min(of_file[file].segments_max));
                    check_run(members, facts, both);
                }
            }
            order.sort_unstable();
            prop_assert_eq!(order, (0..facts.len()).collect::<Vec<_>>());
            for (later, fact) in facts.iter().enumerate() {
                for (earlier, before) in facts[..later].iter().enumerate() {
                    prop_assert!(!conflicts(before, fact) || place_of[earlier] < place_of[later]);
                }
            }
            let oldest = requests.iter().map(|members| members.iter().map(|member| member.0).min());
            prop_assert!(oldest.is_sorted(), "fair: what arrived first is sent first");

            let now = planner.counters();
            prop_assert_eq!(now.events - before.events, facts.len() as u64);
            prop_assert_eq!(now.requests - before.requests, requests.len() as u64);
            let runs = requests.iter().filter(|members| members.len() > 1).count();
            prop_assert_eq!(now.runs - before.runs, runs as u64);
            let ended = now.ended_at_gap + now.ended_at_limit + now.ended_at_hazard
                + now.ended_at_fence + now.ended_at_batch_end;
            prop_assert_eq!(now.requests, ended + now.alone);
        }
    }
}
