//! Every fault does what it says, once and only where it was asked for.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod sim_bench;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use io_engine_core::sim::{Fault, SimBackend, SimDisk, for_each_seed};
use io_engine_core::{
    Answered, Backend, ClosureCb, Completion, IOAction, IOEvent, Request, RunPool, Scratch, Wait,
    deliver,
};
use sim_bench::{SimBench, errno, read, write};

/// Fewer where each takes seconds.
const SEEDS: u64 = if cfg!(miri) { 3 } else { 50 };

/// What it is, and the errno that reaches the callback; `None` if the engine gets over it.
const ERRORS: [(Fault, Option<i32>); 8] = [
    (Fault::Io, Some(libc::EIO)),
    (Fault::NoSpace, Some(libc::ENOSPC)),
    (Fault::Quota, Some(libc::EDQUOT)),
    (Fault::Cancelled, None),
    (Fault::Rejected, Some(libc::EFAULT)),
    (Fault::Again, None),
    (Fault::Interrupted, None),
    (Fault::Busy, None),
];

#[test]
fn an_error_strikes_the_request_that_it_was_meant_for() {
    for (fault, expected) in ERRORS {
        let mut bench = SimBench::new(1);
        let (file, other) = (bench.disk.open("a"), bench.disk.open("b"));
        bench
            .disk
            .inject(fault.nth(2).on(IOAction::Write).of_file(file));
        for index in 0..4 {
            bench
                .perform(write(other, 0, b"abc"))
                .get_write_result()
                .unwrap();
            let result = bench.perform(write(file, 0, b"abc")).get_write_result();
            match expected {
                Some(number) if index == 1 => assert_eq!(errno(result), number),
                _ => result.unwrap(),
            }
        }
        assert_eq!(bench.disk.injected().of(fault), 1, "{fault:?}");
        assert_eq!(bench.disk.injected().total(), 1, "{fault:?}");
    }
}

#[test]
fn a_failed_write_may_have_written_any_part() {
    let mut lens = std::collections::BTreeSet::new();
    for_each_seed(0..60, |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        bench.disk.inject(Fault::Io.nth(1));
        bench
            .perform(write(file, 0, &[1; 100]))
            .get_write_result()
            .unwrap_err();
        lens.insert(bench.disk.content(file).len());
    });
    assert!(
        lens.contains(&0) && lens.contains(&100) && lens.len() > 10,
        "{lens:?}"
    );
}

#[test]
fn short_transfers_of_any_length_are_resumed() {
    let mut injected = 0;
    for_each_seed(0..SEEDS, |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        bench.disk.inject(Fault::Short.one_in(2));
        let content: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let parts = content.chunks(1250).zip([0, 1250, 2500, 3750]);
        let writes = parts.map(|(part, at)| write(file, at, part)).collect();
        for event in bench.perform_run(writes) {
            event.get_write_result().unwrap();
        }
        assert_eq!(bench.disk.content(file), content);
        let whole = bench
            .perform(read(file, 0, 6000))
            .get_read_result()
            .unwrap();
        assert_eq!(whole[..], content[..]);
        injected += bench.disk.injected().of(Fault::Short);
    });
    assert!(injected > SEEDS, "{injected}");
}

#[test]
fn a_short_transfer_moves_at_least_one_byte_and_not_all() {
    for_each_seed(0..SEEDS, |seed| {
        let disk = SimDisk::new(seed);
        let file = disk.open("a");
        disk.put(file, &[1; 100]);
        disk.inject(Fault::Short.from_nth(1));
        let mut backend = SimBackend::<()>::new(&disk, 2);
        for action in [IOAction::Read, IOAction::Write] {
            let event = IOEvent::new(file, vec![2; 100].into(), action, 0);
            backend.push_event(event).unwrap();
        }
        let (mut done, mut events) = (Vec::new(), Vec::new());
        backend.drive(Wait::For(2), &mut done).unwrap();
        done.into_iter()
            .for_each(|completion| completion.report(&mut events));
        assert_eq!(events.len(), 2);
        for event in events {
            assert!((1..100).contains(&event.res()), "{event:?}");
        }
    });
}

#[test]
fn nothing_is_the_end_to_a_read_and_an_error_to_a_write() {
    let mut bench = SimBench::new(1);
    let file = bench.disk.open("a");
    bench.disk.put(file, &[1; 100]);
    bench.disk.inject(Fault::Nothing.from_nth(1));
    let event = bench.perform(read(file, 0, 100));
    assert!(event.is_end_of_file());
    assert_eq!(event.get_read_result().unwrap().len(), 0);
    let error = bench.perform(write(file, 0, &[2; 100])).get_write_result();
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::WriteZero);
    assert_eq!(bench.disk.content(file), [1; 100]);
}

#[test]
fn late_answers_overtake_each_other() {
    let mut orders = std::collections::BTreeSet::new();
    for_each_seed(0..20, |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        bench.disk.inject(Fault::Delay.one_in(2));
        let writes = [0, 1, 2, 3].map(|at| write(file, at, b"x")).into();
        let order: Vec<i64> = bench
            .perform_all(writes)
            .iter()
            .map(IOEvent::offset)
            .collect();
        assert!(bench.disk.injected().of(Fault::Delay) > 0 || order.is_sorted());
        orders.insert(order);
    });
    assert!(orders.len() > 5, "{orders:?}");
}

#[test]
fn a_prefix_is_sent_now_and_the_rest_later() {
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(Fault::Prefix.nth(2));
    let mut backend = SimBackend::<()>::new(&disk, 8);
    for at in 0..5 {
        let event = IOEvent::new(file, vec![1].into(), IOAction::Write, at);
        backend.push_event(event).unwrap();
    }
    let mut done = Vec::new();
    backend.drive(Wait::Never, &mut done).unwrap();
    assert_eq!((done.len(), backend.in_flight()), (2, 3));
    backend.drive(Wait::For(3), &mut done).unwrap();
    done.into_iter().for_each(Completion::finish);
    assert_eq!(disk.content(file), [1; 5]);
}

#[test]
fn a_busy_disk_keeps_the_request_while_it_has_others() {
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(Fault::Delay.nth(1));
    disk.inject(Fault::Busy.nth(2));
    let mut backend = SimBackend::<()>::new(&disk, 8);
    for at in 0..3 {
        let event = IOEvent::new(file, vec![1].into(), IOAction::Write, at);
        backend.push_event(event).unwrap();
    }
    let mut done = Vec::new();
    backend.drive(Wait::For(3), &mut done).unwrap();
    let mut events = Vec::new();
    done.into_iter()
        .for_each(|completion| completion.report(&mut events));
    assert!(events.iter().all(|event| event.get_write_result().is_ok()));
    assert_eq!(disk.injected().of(Fault::Busy), 1);
}

#[test]
fn a_backend_is_dropped_only_when_the_disk_has_let_go_of_the_memory() {
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(Fault::Delay.from_nth(1));
    let mut backend = SimBackend::<()>::new(&disk, 8);
    for at in 0..8 {
        let action = [IOAction::Read, IOAction::Write][usize::from(at % 2 == 0)];
        let event = IOEvent::new(file, vec![7; 100].into(), action, at * 100);
        backend.push_event(event).unwrap();
    }
    backend.drive(Wait::Never, &mut Vec::new()).unwrap();
    assert_eq!(backend.in_flight(), 8);
    drop(backend);
    // What the disk had accepted it has carried out.
    assert_eq!(disk.content(file).len(), 700);
}

fn with_stray_answer(fault: Fault, lazily: bool) {
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(fault.nth(1));
    let mut backend = SimBackend::<()>::new(&disk, 8);
    for at in 0..3 {
        let event = IOEvent::new(file, vec![1].into(), IOAction::Write, at);
        backend.push(Request::from(event)).unwrap();
    }
    let mut done = Vec::new();
    if !lazily {
        backend.drive(Wait::For(3), &mut done).unwrap();
    }
    backend.drive_lazily(Wait::For(3), &mut done).unwrap();
    while let Some(answer) = backend.next_answer() {
        if let Answered::Whole(ticket) = answer {
            drop(backend.take_whole(ticket));
        }
    }
}

#[test]
#[should_panic(expected = "stale")]
fn an_answer_that_comes_twice_is_noticed() {
    with_stray_answer(Fault::RepeatedTicket, false);
}

#[test]
#[should_panic(expected = "stale")]
fn an_answer_that_comes_twice_is_noticed_one_by_one() {
    with_stray_answer(Fault::RepeatedTicket, true);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn an_answer_to_no_request_is_noticed() {
    with_stray_answer(Fault::UnknownTicket, false);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn an_answer_to_no_request_is_noticed_one_by_one() {
    with_stray_answer(Fault::UnknownTicket, true);
}

#[test]
#[cfg_attr(miri, ignore = "what the disk may still write to is leaked on purpose")]
fn a_broken_queue_gives_everything_back_and_stays_broken() {
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(Fault::Delay.from_nth(1));
    disk.inject(Fault::BrokenQueue.nth(3));
    let mut backend = SimBackend::<()>::new(&disk, 8);
    let mut done = Vec::new();
    for at in 0..4 {
        let event = IOEvent::new(file, vec![1].into(), IOAction::Write, at);
        backend.push_event(event).unwrap();
    }
    let refused = IOEvent::new(file, vec![1].into(), IOAction::Write, -1);
    backend.push_event(refused).unwrap();
    backend.drive(Wait::For(5), &mut done).unwrap_err();
    assert_eq!((done.len(), backend.in_flight()), (5, 0));
    disk.heal();
    backend.push_event(IOEvent::sync(file)).unwrap();
    backend.drive(Wait::For(1), &mut done).unwrap_err();
    assert_eq!((done.len(), backend.in_flight()), (6, 0));
    let mut events = Vec::new();
    done.into_iter()
        .for_each(|completion| completion.report(&mut events));
    assert!(events.iter().all(|event| event.get_result().is_err()));
}

/// Events that have ended are not among those that a broken queue gives back.
#[test]
fn each_event_that_was_taken_whole_is_not_given_back_once_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let disk = SimDisk::new(1);
    let file = disk.open("a");
    disk.inject(Fault::BrokenQueue.nth(4));
    let mut backend = SimBackend::<ClosureCb>::new(&disk, 8);
    let submit = |backend: &mut SimBackend<ClosureCb>, at| {
        let calls = Arc::clone(&calls);
        let mut event = IOEvent::new(file, vec![1].into(), IOAction::Write, at);
        event.set_callback(ClosureCb::new(move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
        }));
        backend.push_event(event).unwrap();
    };
    (0..3).for_each(|at| submit(&mut backend, at));
    let mut done = Vec::new();
    backend.drive_lazily(Wait::For(3), &mut done).unwrap();
    while let Some(answer) = backend.next_answer() {
        let Answered::Whole(ticket) = answer else {
            panic!("all bytes of a lone event were moved");
        };
        deliver(backend.take_whole(ticket)).unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    submit(&mut backend, 3);
    backend.drive(Wait::For(1), &mut done).unwrap_err();
    done.into_iter().for_each(Completion::finish);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

/// Who reads over holes on two disks has one scratch memory for both; Miri sees whether they meet there.
#[test]
fn two_disks_on_two_threads_may_share_the_memory_of_holes() {
    let scratch = Scratch::new(4096).unwrap();
    let reading = |scratch: Scratch| {
        let disk = SimDisk::new(1);
        let file = disk.open("a");
        let mut backend = SimBackend::<()>::new(&disk, 2);
        let write = IOEvent::new(file, vec![1; 300].into(), IOAction::Write, 0);
        backend.push_event(write).unwrap();
        let mut run = RunPool::with_capacity(1).take().unwrap();
        for at in [0, 200] {
            let read = IOEvent::new(file, vec![0; 100].into(), IOAction::Read, at);
            run.push_over_hole(read, &scratch).unwrap();
        }
        backend.push(run.into_request().unwrap()).unwrap();
        let (mut done, mut events) = (Vec::new(), Vec::new());
        backend.drive(Wait::For(2), &mut done).unwrap();
        done.remove(1).report(&mut events);
        for event in events {
            assert_eq!(*event.get_read_result().unwrap(), [1; 100]);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| reading(scratch.clone()));
        reading(scratch.clone());
    });
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        bench.disk.inject(Fault::Short.one_in(3));
        bench.disk.inject(Fault::Delay.one_in(2));
        bench.disk.inject(Fault::Io.one_in(5));
        let writes = (0..16).map(|at| write(file, at * 100, &[1; 90])).collect();
        let events = bench.perform_all(writes);
        let order: Vec<_> = events
            .iter()
            .map(|event| (event.offset(), event.res()))
            .collect();
        (order, bench.disk.content(file), bench.disk.injected())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
