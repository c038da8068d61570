//! Runs with holes and with reads that share: whatever the kernel answers, each event has in the end
//! what it would have had alone.

mod fake_kernel;

use std::collections::{BTreeSet, VecDeque};

use bytes::BytesMut;
use fake_kernel::FakeKernel;
use io_engine_core::{
    Buffer, Completion, IOAction, IOEvent, Request, RunBuilder, RunPool, Scratch,
};
use proptest::prelude::*;

const GUARD: u8 = 0xa5;
const GUARD_BYTES: usize = 16;
const BEFORE: u8 = 0x3c;
const HOLE_MAX: usize = 60;

/// What the kernel does with the next request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    AtMost(usize),
    Interrupted,
    Fails,
}

/// One read of the run.
#[derive(Clone, Copy, Debug)]
struct Part {
    at: usize,
    len: usize,
    leader: Option<usize>,
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![
        4 => (1_usize..900).prop_map(Answer::AtMost),
        1 => Just(Answer::AtMost(0)),
        1 => Just(Answer::Interrupted),
        2 => Just(Answer::Fails),
    ];
    prop::collection::vec(answer, 0..20)
}

/// Reads with holes, and reads within some of them.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let hole = prop_oneof![2 => Just(0_usize), 1 => 1..=HOLE_MAX];
    let own = prop::collection::vec((hole, 1_usize..400), 1..8);
    let sharing = prop::collection::vec((any::<prop::sample::Index>(), 0.0..1.0, 0.0..1.0), 0..6);
    (0_usize..50, own, sharing).prop_map(|(begin, own, sharing)| {
        let mut parts = Vec::new();
        let mut at = begin;
        for (hole, len) in own {
            at += if parts.is_empty() { 0 } else { hole };
            parts.push(Part {
                at,
                len,
                leader: None,
            });
            at += len;
        }
        let own = parts.clone();
        parts.extend(sharing.into_iter().map(|(leader, skip, len)| {
            let leader = leader.index(own.len());
            let skip = part_of(own[leader].len - 1, skip);
            let len = 1 + part_of(own[leader].len - skip - 1, len);
            let at = own[leader].at + skip;
            let leader = Some(leader);
            Part { at, len, leader }
        }));
        parts
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of a small number"
)]
fn part_of(whole: usize, part: f64) -> usize {
    (whole as f64 * part) as usize
}

struct World {
    kernel: FakeKernel,
    pool: RunPool<()>,
    scratch: Scratch,
    guards: Vec<BytesMut>,
}

impl World {
    fn new(file_len: usize) -> Self {
        let byte = |index: usize| u8::try_from(index * 31 % 251).expect("below 251");
        Self {
            kernel: FakeKernel {
                file: (0..file_len).map(byte).collect(),
            },
            pool: RunPool::with_capacity(4),
            scratch: Scratch::new(HOLE_MAX).expect("there is memory"),
            guards: Vec::new(),
        }
    }

    fn read(&mut self, part: Part) -> IOEvent<()> {
        let mut before = BytesMut::zeroed(part.len + 2 * GUARD_BYTES);
        before.fill(GUARD);
        let mut middle = before.split_off(GUARD_BYTES);
        let after = middle.split_off(part.len);
        middle.fill(BEFORE);
        self.guards.extend([before, after]);
        let offset = i64::try_from(part.at).expect("small");
        IOEvent::new(-1, Buffer::from(middle), IOAction::Read, offset)
    }

    fn request(&mut self, parts: &[Part]) -> Request<()> {
        let mut run: RunBuilder<()> = self.pool.take().expect("there is memory");
        for part in parts {
            let event = self.read(*part);
            let pushed = match part.leader {
                Some(leader) => run.push_sharing(event, leader),
                None => run.push_over_hole(event, &self.scratch),
            };
            pushed.expect("it joins the run");
        }
        run.into_request().expect("it has events")
    }

    fn file_part(&self, part: &IOEvent<()>, len: usize) -> &[u8] {
        let at = usize::try_from(part.offset()).expect("small");
        self.kernel.file.get(at..at + len).unwrap_or_default()
    }
}

/// What was finished, and which errnos were given to events that were on their own.
fn play(
    world: &mut World,
    parts: &[Part],
    answers: &[Answer],
) -> (Vec<IOEvent<()>>, BTreeSet<i32>) {
    let mut answers = answers.iter().copied();
    let mut waiting = VecDeque::from([world.request(parts)]);
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    let (mut errnos, mut next_errno) = (BTreeSet::new(), 200);
    while let Some(mut request) = waiting.pop_front() {
        let result = match answers.next().unwrap_or(Answer::AtMost(usize::MAX >> 1)) {
            Answer::AtMost(most) => world.kernel.answer(&mut request, most),
            Answer::Interrupted => -i64::from(libc::EINTR),
            Answer::Fails => {
                next_errno += 1;
                if request.event_count() == 1 {
                    errnos.insert(next_errno);
                }
                -i64::from(next_errno)
            }
        };
        Completion::from_kernel(request, result).settle(&mut finished, &mut again);
        waiting.extend(again.drain(..));
    }
    (finished, errnos)
}

fn places(events: &[IOEvent<()>]) -> Vec<(i64, u64)> {
    let mut places: Vec<_> = events
        .iter()
        .map(|event| (event.offset(), event.get_size()))
        .collect();
    places.sort_unstable();
    places
}

fn places_of(parts: &[Part]) -> Vec<(i64, u64)> {
    let place = |part: &Part| (i64::try_from(part.at).expect("small"), part.len as u64);
    let mut places: Vec<_> = parts.iter().map(place).collect();
    places.sort_unstable();
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn each_read_has_its_own_bytes_its_own_end_of_file_and_its_own_error(
        parts in parts(),
        file_len in 0_usize..2500,
        answers in answers(),
    ) {
        let mut world = World::new(file_len);
        let (finished, errnos) = play(&mut world, &parts, &answers);
        let lies = answers.iter().any(|answer| matches!(answer, Answer::AtMost(0)));
        prop_assert_eq!(places(&finished), places_of(&parts));
        prop_assert!(world.guards.iter().flatten().all(|&byte| byte == GUARD));
        let mut found = BTreeSet::new();
        for event in finished {
            let at = usize::try_from(event.offset()).expect("small");
            let size = usize::try_from(event.get_size()).expect("small");
            let there = file_len.saturating_sub(at).min(size);
            let done = event.transferred();
            prop_assert!(done <= there);
            match event.get_result() {
                Ok(_) => {
                    // An answer of 0 bytes says that the file ends here, be it true or not.
                    prop_assert!(done == there || lies);
                    prop_assert_eq!(event.is_end_of_file(), done < size);
                    prop_assert_eq!(event.buffer().map(|buffer| buffer.len()), Some(done));
                }
                Err(error) => {
                    prop_assert!(!event.is_end_of_file());
                    let errno = error.raw_os_error().expect("an errno of the kernel");
                    prop_assert!(found.insert(errno), "{} twice", errno);
                }
            }
            let expected = world.file_part(&event, done).to_vec();
            let mut buffer = event.into_buffer().expect("the buffer comes back");
            buffer.set_len(size).expect("within the region");
            prop_assert_eq!(&buffer[..done], &expected[..]);
        }
        prop_assert_eq!(found, errnos);
    }

    #[test]
    fn reported_reads_that_are_handed_over_again_end_up_complete(
        parts in parts(),
        shorts in prop::collection::vec(1_usize..300, 0..30),
    ) {
        let mut world = World::new(4000);
        let mut waiting = VecDeque::from([world.request(&parts)]);
        let mut shorts = shorts.into_iter();
        let mut complete = Vec::new();
        while let Some(mut request) = waiting.pop_front() {
            let most = shorts.next().unwrap_or(usize::MAX >> 1);
            let result = world.kernel.answer(&mut request, most);
            let mut reported = Vec::new();
            Completion::from_kernel(request, result).report(&mut reported);
            for event in reported {
                let done = event.transferred();
                let buffer = event.buffer().expect("it has one");
                prop_assert_eq!(&buffer[..done], world.file_part(&event, done));
                prop_assert!(buffer[done..].iter().all(|&byte| byte == BEFORE));
                if (done as u64) < event.get_size() {
                    waiting.push_back(Request::from(event));
                } else {
                    complete.push(event);
                }
            }
        }
        prop_assert_eq!(places(&complete), places_of(&parts));
    }
}
