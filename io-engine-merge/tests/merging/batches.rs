//! Any batches, any short transfers, any bad place in a file: merged, each event has what it has alone.

use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::ops::Range;

use bytes::Bytes;
use io_engine_core::{Buffer, Completion, IOAction, IOEvent, Operation, Request};
use io_engine_merge::{FileFacts, MergeLimits, Merger};
use proptest::prelude::*;

use crate::fake_kernel::FakeKernel;
use crate::tagged::{FD, Journal, Tag};

const FILES: usize = 2;
const FILE_BYTES: usize = 60;

#[derive(Clone, Copy, Debug)]
enum Memory {
    Own,
    Shared,
    None,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    file: usize,
    action: IOAction,
    offset: i64,
    len: usize,
    memory: Memory,
    /// Handed over before, and short after so many bytes.
    continued_after: Option<usize>,
    has_callback: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let action = prop_oneof![
        8 => Just(IOAction::Read),
        8 => Just(IOAction::Write),
        1 => Just(IOAction::Sync),
        1 => Just(IOAction::Nop),
    ];
    let offset = prop_oneof![
        12 => (0..20_i64).prop_map(|at| at * 4),
        4 => 0..80_i64,
        1 => Just(-1),
        1 => Just(i64::MAX - 2),
    ];
    let len = prop_oneof![8 => Just(4_usize), 3 => 0..14_usize];
    let memory =
        prop_oneof![12 => Just(Memory::Own), 1 => Just(Memory::Shared), 1 => Just(Memory::None)];
    let continued = prop_oneof![9 => Just(None), 1 => (0..4_usize).prop_map(Some)];
    (
        0..FILES,
        action,
        offset,
        len,
        memory,
        continued,
        prop::bool::weighted(0.9),
    )
        .prop_map(
            |(file, action, offset, len, memory, continued_after, has_callback)| Asked {
                file,
                action,
                offset,
                len,
                memory,
                continued_after,
                has_callback,
            },
        )
}

impl Asked {
    fn event(&self, journal: &Journal, id: usize) -> IOEvent<Tag> {
        let fd = FD + i32::try_from(self.file).unwrap();
        let fill = u8::try_from(id % 250).unwrap() + 1;
        let content = vec![fill; self.len];
        let mut event = match self.memory {
            Memory::Own => IOEvent::new(fd, content.into(), self.action, self.offset),
            Memory::Shared => {
                IOEvent::new(fd, Bytes::from(content).into(), self.action, self.offset)
            }
            Memory::None => IOEvent::new_no_buf(fd, self.action, self.offset, self.len as u64),
        };
        if let Some(done) = self.continued_after
            && self.action.moves_bytes()
            && Request::from(IOEvent::<()>::new(
                fd,
                vec![0; self.len].into(),
                self.action,
                self.offset,
            ))
            .check()
            .is_ok()
        {
            let done = i64::try_from(done.min(self.len)).unwrap();
            let mut reported = Vec::new();
            Completion::from_kernel(Request::from(event), done).report(&mut reported);
            event = reported.remove(0);
        }
        if self.has_callback {
            event = journal.tag(id, event);
        }
        event
    }
}

/// Files in memory, of which a part is bad, and transfers as short as the test wants them.
struct Disk {
    files: Vec<FakeKernel>,
    bad: Range<u64>,
    shorts: VecDeque<usize>,
    requests: usize,
}

impl Disk {
    fn new(bad: Range<u64>, shorts: &[usize]) -> Self {
        let byte = |at: usize| u8::try_from(at % 200).unwrap();
        let file = || FakeKernel {
            file: (0..FILE_BYTES).map(byte).collect(),
        };
        Self {
            files: (0..FILES).map(|_| file()).collect(),
            bad,
            shorts: shorts.iter().copied().collect(),
            requests: 0,
        }
    }

    fn answer(&mut self, request: &mut Request<Tag>) -> i64 {
        self.requests += 1;
        let offset = match request.operation() {
            Operation::Read { offset, .. }
            | Operation::Write { offset, .. }
            | Operation::ReadVectored { offset, .. }
            | Operation::WriteVectored { offset, .. } => offset,
            Operation::Sync | Operation::DataSync | Operation::Allocate { .. } | Operation::Nop => {
                return 0;
            }
        };
        let file = usize::try_from(request.fd() - FD).unwrap();
        let is_far = offset > 1 << 20;
        let is_behind = offset >= self.files[file].file.len() as u64;
        let nothing_there = request.action() == IOAction::Read && is_behind;
        if !nothing_there && (is_far || self.bad.contains(&offset)) {
            return -5;
        }
        let good = match self.bad.start.checked_sub(offset) {
            Some(good) if !self.bad.is_empty() => usize::try_from(good).unwrap(),
            Some(_) | None => usize::MAX >> 1,
        };
        let most = self.shorts.pop_front().unwrap_or(usize::MAX >> 1);
        self.files[file].answer(request, most.min(good))
    }

    /// Carries `request` out to its end, and calls the callbacks.
    fn carry_out(&mut self, request: Request<Tag>) {
        let (mut waiting, mut finished, mut again) = (VecDeque::from([request]), vec![], vec![]);
        while let Some(mut request) = waiting.pop_front() {
            let completion = if request.needs_kernel() {
                let result = self.answer(&mut request);
                Completion::from_kernel(request, result)
            } else {
                Completion::without_kernel(request)
            };
            completion.settle(&mut finished, &mut again);
            waiting.extend(again.drain(..));
        }
        for event in finished {
            io_engine_core::deliver(event).unwrap();
        }
    }
}

/// What a callback has seen.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Result<usize, ErrorKind>,
    errno: Option<i32>,
    transferred: usize,
    end_of_file: bool,
    content: Option<Vec<u8>>,
}

fn seen(journal: &Journal) -> BTreeMap<usize, Seen> {
    let mut all = BTreeMap::new();
    for called in journal.take() {
        let (result, event) = (called.result(), called.event);
        let errno = event
            .get_result()
            .err()
            .and_then(|error| error.raw_os_error());
        let (transferred, end_of_file) = (event.transferred(), event.is_end_of_file());
        let content = event.into_buffer().map(Buffer::into_vec);
        let seen = Seen {
            result,
            errno,
            transferred,
            end_of_file,
            content,
        };
        assert!(all.insert(called.id, seen).is_none(), "called once");
    }
    all
}

fn one_by_one(batches: &[Vec<Asked>], mut disk: Disk) -> (BTreeMap<usize, Seen>, Vec<Vec<u8>>) {
    let journal = Journal::default();
    for (id, asked) in batches.iter().flatten().enumerate() {
        disk.carry_out(Request::from(asked.event(&journal, id)));
    }
    (
        seen(&journal),
        disk.files.into_iter().map(|one| one.file).collect(),
    )
}

fn merged(
    batches: &[Vec<Asked>],
    limits: MergeLimits,
    mut disk: Disk,
) -> (BTreeMap<usize, Seen>, Vec<Vec<u8>>) {
    let journal = Journal::default();
    let mut merger = Merger::new(limits, 64);
    let file = FileFacts {
        size_min: FILE_BYTES as u64,
        ..FileFacts::UNKNOWN
    };
    let mut id = 0;
    for batch in batches {
        for asked in batch {
            merger
                .offer(asked.event(&journal, id))
                .expect("there is room");
            id += 1;
        }
        let mut requests = Vec::new();
        merger.release(|_| file, |request| requests.push(request));
        assert!(merger.is_empty());
        requests
            .into_iter()
            .for_each(|request| disk.carry_out(request));
    }
    let counters = merger.counters();
    assert_eq!((counters.events, counters.unplanned), (id as u64, 0));
    (
        seen(&journal),
        disk.files.into_iter().map(|one| one.file).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn merged_batches_end_as_the_same_events_one_by_one(
        batches in prop::collection::vec(prop::collection::vec(asked(), 0..24), 1..4),
        bytes in prop_oneof![1 => 1..40_usize, 2 => Just(usize::MAX)],
        gap in prop_oneof![1 => Just(0_usize), 1 => 1..9_usize],
        shares in any::<bool>(),
        bad in prop_oneof![2 => Just(0..0_u64), 1 => (0..70_u64, 1..20_u64).prop_map(|(at, len)| at..at + len)],
        shorts in prop::collection::vec(1..10_usize, 0..40),
    ) {
        let limits = MergeLimits::from(bytes).with_gap_bytes_max(gap);
        let limits = if shares { limits.sharing_reads() } else { limits };
        let alone = one_by_one(&batches, Disk::new(bad.clone(), &[]));
        let together = merged(&batches, limits, Disk::new(bad, &shorts));
        prop_assert_eq!(together, alone);
    }
}

fn fresh(journal: &Journal, id: usize, action: IOAction, offset: i64) -> IOEvent<Tag> {
    let event = IOEvent::new(FD, vec![0; 4].into(), action, offset);
    journal.tag(id, event)
}

fn released(merger: &mut Merger<Tag>) -> Vec<Request<Tag>> {
    let mut requests = Vec::new();
    merger.release(|_| FileFacts::UNKNOWN, |request| requests.push(request));
    requests
}

#[test]
fn a_batch_has_a_bound_and_what_does_not_fit_comes_back() {
    let journal = Journal::default();
    let mut merger = Merger::new(MergeLimits::default(), 40);
    for (id, offset) in (0..40).zip((0..).step_by(4)) {
        merger
            .offer(fresh(&journal, id, IOAction::Read, offset))
            .unwrap();
    }
    let io_engine_core::Full(back) = merger
        .offer(fresh(&journal, 40, IOAction::Read, 160))
        .unwrap_err();
    assert_eq!((back.offset(), merger.len()), (160, 40));
    let requests = released(&mut merger);
    assert_eq!((requests.len(), requests[0].event_count()), (1, 40));
    merger.offer(back).unwrap();
    assert_eq!(released(&mut merger).len(), 1);
    assert!(released(&mut merger).is_empty());
}

#[test]
fn a_dropped_merger_ends_what_it_holds() {
    let journal = Journal::default();
    let mut merger = Merger::new(MergeLimits::default(), 40);
    merger
        .offer(fresh(&journal, 0, IOAction::Write, 0))
        .unwrap();
    merger
        .offer(fresh(&journal, 1, IOAction::Write, 4))
        .unwrap();
    drop(merger);
    let results: Vec<_> = journal
        .take()
        .iter()
        .map(|called| called.result())
        .collect();
    assert_eq!(results, [Err(ErrorKind::BrokenPipe); 2]);
}

#[test]
fn many_reads_of_one_block_are_one_read_if_they_may_share() {
    let journal = Journal::default();
    let mut merger = Merger::new(MergeLimits::default().sharing_reads(), 40);
    for id in 0..10 {
        merger
            .offer(fresh(&journal, id, IOAction::Read, 8))
            .unwrap();
    }
    let mut disk = Disk::new(0..0, &[]);
    for request in released(&mut merger) {
        disk.carry_out(request);
    }
    assert_eq!(disk.requests, 1);
    let seen = seen(&journal);
    assert_eq!(seen.len(), 10);
    assert!(
        seen.values()
            .all(|one| one.content.as_deref() == Some(&[8, 9, 10, 11]))
    );
    assert_eq!(merger.counters().bytes_copied, 9 * 4);
}
