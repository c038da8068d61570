//! Any run, any sequence of answers: each event comes back once, with the bytes that are its own.

mod fake_kernel;

use std::collections::{BTreeSet, VecDeque};

use bytes::BytesMut;
use fake_kernel::FakeKernel;
use io_engine_core::{Buffer, Completion, IOAction, IOEvent, MergedEvents, Request};
use proptest::prelude::*;

const BEGIN: usize = 37;
const GUARD: u8 = 0xa5;
const GUARD_BYTES: usize = 64;

/// What the kernel does with the next request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    AtMost(usize),
    Interrupted,
    TryAgain,
    /// Each with an errno of its own, so that it is known who got it.
    Fails,
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => (1_usize..3000).prop_map(Answer::AtMost),
        1 => Just(Answer::AtMost(0)),
        1 => Just(Answer::Interrupted),
        1 => Just(Answer::TryAgain),
        2 => Just(Answer::Fails),
    ]
}

/// A file, a run of events over a part of it, and guards around every buffer.
struct World {
    kernel: FakeKernel,
    sizes: Vec<usize>,
    data: Vec<u8>,
    guards: Vec<BytesMut>,
}

impl World {
    fn new(sizes: Vec<usize>, file_len: usize) -> Self {
        let byte = |index: usize| u8::try_from(index * 31 % 251).expect("below 251");
        let total: usize = sizes.iter().sum();
        Self {
            kernel: FakeKernel {
                file: (0..file_len).map(byte).collect(),
            },
            data: (0..total).map(|index| byte(index + 100) ^ 0xff).collect(),
            sizes,
            guards: Vec::new(),
        }
    }

    fn guarded(&mut self, content: &[u8]) -> Buffer {
        let mut before = BytesMut::zeroed(content.len() + 2 * GUARD_BYTES);
        before.fill(GUARD);
        let mut middle = before.split_off(GUARD_BYTES);
        let after = middle.split_off(content.len());
        middle.copy_from_slice(content);
        self.guards.push(before);
        self.guards.push(after);
        Buffer::from(middle)
    }

    /// The run as one request, or as the lone event that it is.
    fn request(&mut self, action: IOAction) -> Request<()> {
        let mut at = 0;
        let mut events = Vec::new();
        for size in self.sizes.clone() {
            let content = if action == IOAction::Read {
                vec![0x3c; size]
            } else {
                self.data[at..at + size].to_vec()
            };
            let buffer = self.guarded(&content);
            let offset = i64::try_from(BEGIN + at).expect("small");
            events.push(IOEvent::new(-1, buffer, action, offset));
            at += size;
        }
        if events.len() == 1 {
            return Request::from(events.remove(0));
        }
        let merged = MergedEvents::new(events).expect("the events form a run");
        Request::from(IOEvent::from_merged(merged))
    }

    fn assert_guards(&self) {
        let untouched = self.guards.iter().flatten().all(|&byte| byte == GUARD);
        assert!(untouched, "a byte beside a buffer was written");
    }
}

/// What became of the run, in file order, and what was given to lone events on the way.
struct Outcome {
    finished: Vec<IOEvent<()>>,
    errnos: BTreeSet<i32>,
    zero_answers: usize,
}

fn play(world: &mut World, action: IOAction, answers: &[Answer]) -> Outcome {
    let mut answers = answers.iter().copied();
    let mut waiting = VecDeque::from([world.request(action)]);
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    let (mut errnos, mut zero_answers, mut next_errno) = (BTreeSet::new(), 0, 200);
    while let Some(mut request) = waiting.pop_front() {
        let answer = answers.next().unwrap_or(Answer::AtMost(usize::MAX >> 1));
        let result = match answer {
            Answer::AtMost(most) => {
                zero_answers += usize::from(most == 0);
                world.kernel.answer(&mut request, most)
            }
            Answer::Interrupted => -i64::from(libc::EINTR),
            Answer::TryAgain => -i64::from(libc::EAGAIN),
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
    finished.sort_by_key(IOEvent::offset);
    Outcome {
        finished,
        errnos,
        zero_answers,
    }
}

/// Each event once, in its place; each error with the one event it was the answer to.
fn check_errors(world: &World, outcome: &Outcome) -> Result<(), TestCaseError> {
    prop_assert_eq!(outcome.finished.len(), world.sizes.len());
    let mut at = BEGIN;
    let mut found = BTreeSet::new();
    for (event, &size) in outcome.finished.iter().zip(&world.sizes) {
        prop_assert_eq!(event.offset(), i64::try_from(at).expect("small"));
        prop_assert_eq!(event.get_size(), size as u64);
        prop_assert!(event.transferred() <= size);
        at += size;
        if let Err(error) = event.get_result() {
            match error.raw_os_error() {
                Some(errno) => prop_assert!(found.insert(errno), "{} twice", errno),
                None => prop_assert_eq!(error.kind(), std::io::ErrorKind::WriteZero),
            }
        }
    }
    prop_assert_eq!(&found, &outcome.errnos);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_run_of_reads_gets_its_own_bytes_whatever_the_kernel_answers(
        sizes in prop::collection::vec(1_usize..1500, 1..9),
        file_len in 0_usize..9000,
        answers in prop::collection::vec(any_answer(), 0..25),
    ) {
        let mut world = World::new(sizes, file_len);
        let outcome = play(&mut world, IOAction::Read, &answers);
        check_errors(&world, &outcome)?;
        world.assert_guards();
        for event in outcome.finished {
            let at = usize::try_from(event.offset()).expect("small");
            let size = usize::try_from(event.get_size()).expect("small");
            let there = file_len.saturating_sub(at).min(size);
            let done = event.transferred();
            prop_assert!(done <= there);
            if event.get_result().is_ok() {
                prop_assert_eq!(event.is_end_of_file(), done < size);
                // An answer of 0 bytes says that the file ends here, be it true or not.
                prop_assert!(done == there || outcome.zero_answers > 0);
                let cut = event.buffer().map(|buffer| buffer.len());
                prop_assert_eq!(cut, Some(done));
            } else {
                prop_assert!(!event.is_end_of_file());
            }
            let buffer = event.into_buffer().expect("the buffer comes back");
            let expected = world.kernel.file.get(at..at + done).unwrap_or_default();
            prop_assert_eq!(&buffer[..done], expected);
        }
    }

    #[test]
    fn a_run_of_writes_writes_its_own_bytes_whatever_the_kernel_answers(
        sizes in prop::collection::vec(1_usize..1500, 1..9),
        file_len in 0_usize..9000,
        answers in prop::collection::vec(any_answer(), 0..25),
    ) {
        let mut world = World::new(sizes, file_len);
        let mut expected = world.kernel.file.clone();
        let outcome = play(&mut world, IOAction::Write, &answers);
        check_errors(&world, &outcome)?;
        world.assert_guards();
        for event in &outcome.finished {
            let size = usize::try_from(event.get_size()).expect("small");
            let done = event.transferred();
            prop_assert!(!event.is_end_of_file());
            prop_assert_eq!(event.get_write_result().is_ok(), done == size);
            let at = usize::try_from(event.offset()).expect("small");
            if done > 0 && expected.len() < at + done {
                expected.resize(at + done, 0);
            }
            if done > 0 {
                let own = &world.data[at - BEGIN..][..done];
                expected[at..at + done].copy_from_slice(own);
            }
        }
        prop_assert_eq!(&world.kernel.file, &expected);
    }

    #[test]
    fn reported_events_that_are_handed_over_again_end_up_complete(
        sizes in prop::collection::vec(1_usize..1500, 1..9),
        writes in any::<bool>(),
        shorts in prop::collection::vec(1_usize..1000, 0..30),
    ) {
        let total: usize = sizes.iter().sum();
        let mut world = World::new(sizes, BEGIN + total);
        let action = if writes { IOAction::Write } else { IOAction::Read };
        let mut waiting = VecDeque::from([world.request(action)]);
        let mut shorts = shorts.into_iter();
        let mut complete = Vec::new();
        while let Some(mut request) = waiting.pop_front() {
            let most = shorts.next().unwrap_or(usize::MAX >> 1);
            let result = world.kernel.answer(&mut request, most);
            let mut reported = Vec::new();
            Completion::from_kernel(request, result).report(&mut reported);
            for event in reported {
                if (event.transferred() as u64) < event.get_size() {
                    prop_assert_eq!(event.res(), i32::try_from(event.transferred()).expect("small"));
                    waiting.push_back(Request::from(event));
                } else {
                    complete.push(event);
                }
            }
        }
        world.assert_guards();
        prop_assert_eq!(complete.len(), world.sizes.len());
        if writes {
            prop_assert_eq!(&world.kernel.file[BEGIN..], &world.data[..]);
        }
        for event in complete {
            let at = usize::try_from(event.offset()).expect("small");
            let buffer = event.into_buffer().expect("the buffer comes back");
            prop_assert_eq!(&buffer[..], &world.kernel.file[at..at + buffer.len()]);
        }
    }
}
