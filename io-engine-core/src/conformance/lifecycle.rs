//! From the beginning of a backend to its end, across threads.

use std::io;
use std::thread;

use super::bench::Bench;
use super::capacity::drive_until_empty;
use super::probe::Probe;
use super::scratch::{Random, assert_same, offset_of};
use super::skipping::say_skipped;
use crate::action::IOAction;
use crate::backend::{Answered, Backend, Wait};
use crate::buffer::Buffer;
use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::delivery::deliver;
use crate::event::IOEvent;
use crate::in_flight::Ticket;

/// A backend that never had work ends at once.
pub fn an_idle_backend_ends_at_once<B: Backend<Probe>>(bench: &Bench<B>) {
    for depth in [1, 64] {
        drop(bench.backend(depth));
        let mut driven = bench.backend(depth);
        driven.drive(Wait::Never, &mut Vec::new()).expect("driven");
    }
}

/// Dropped with work inside it neither hangs nor crashes, calls no callback and drops every event;
/// each block of the file is either as it was or as it was to be.
pub fn a_backend_dropped_with_work_inside_lets_go_of_everything<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let (block, count) = (bench.fit(4096), 64);
    for sends in [false, true] {
        let scratch = bench.file(&vec![1; block * count]);
        let dropped_before = bench.log().dropped();
        let mut backend = bench.backend(count);
        for index in 0..count {
            let buffer = bench.buffer(&vec![2; block]);
            let offset = offset_of(index * block);
            let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset);
            bench.log().attach(&mut event);
            backend.push(event.into()).expect("there is room");
        }
        let mut done = Vec::new();
        if sends {
            backend.drive(Wait::Never, &mut done).expect("driven");
        }
        drop(backend);
        let yielded = done.len();
        done.into_iter().for_each(Completion::finish);
        assert_eq!(bench.log().take_all().len(), yielded);
        let dropped = bench.log().dropped() - dropped_before;
        assert_eq!(dropped, count - yielded, "dropped without a callback");
        for (index, found) in scratch.content().chunks(block).enumerate() {
            let whole = found.iter().all(|&byte| byte == found[0]);
            assert!(whole && [1, 2].contains(&found[0]), "block {index} is torn");
        }
    }
}

/// What is given up comes back at once, each with its error or, if it was answered by then, with that;
/// what is pushed later fails and keeps its buffer.
pub fn an_abandoned_backend_gives_everything_back<B: Backend<Probe>>(bench: &Bench<B>) {
    let (block, count) = (bench.fit(4096), 32);
    let scratch = bench.file(&vec![1; block * count]);
    for sends in [false, true] {
        let mut backend = bench.backend(count);
        let read = |backend: &mut B, index: usize| {
            let offset = offset_of(index * block);
            let mut event =
                IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, offset);
            let id = bench.log().attach(&mut event);
            backend.push(event.into()).expect("there is room");
            id
        };
        let mut ids: Vec<u64> = (0..count).map(|index| read(&mut backend, index)).collect();
        let mut done = Vec::new();
        if sends {
            backend.drive(Wait::Never, &mut done).expect("driven");
        }
        let yielded = done.len();
        backend.abandon(&mut done);
        if done.len() == yielded && backend.in_flight() > 0 {
            drive_until_empty(&mut backend, &mut done);
            done.into_iter().for_each(Completion::finish);
            bench.log().take_all();
            return say_skipped("abandoning", &"this backend gives nothing up");
        }
        assert_eq!((done.len(), backend.in_flight()), (count, 0));

        ids.push(read(&mut backend, 0));
        let driven = backend.drive(Wait::For(1), &mut done);
        driven.expect_err("it was abandoned");
        assert_eq!((done.len(), backend.in_flight()), (count + 1, 0));
        done.into_iter().for_each(Completion::finish);

        for (index, id) in ids.into_iter().enumerate() {
            let event = bench.log().take(id).expect("called back");
            let keeps_buffer = event.buffer().is_some();
            match event.get_read_result() {
                Ok(buffer) => assert!(buffer.iter().all(|&byte| byte == 1) && index < count),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
                    assert!(keeps_buffer || index < count, "nobody had it");
                }
            }
        }
    }
}

/// An event that is called whole is in its slot and no longer with the kernel: where nobody takes it, no
/// wait lasts for it, and it comes back whole by whatever is called next.
pub fn what_is_called_whole_and_not_taken_comes_back<B: Backend<Probe>>(bench: &Bench<B>) {
    type Next<B> = fn(&mut B, &mut Vec<Completion<Probe>>);
    let next: [Next<B>; 5] = [
        |backend, done| match backend.next_answer() {
            Some(Answered::Other(completion)) => done.push(completion),
            other => panic!("not {other:?}"),
        },
        |backend, done| backend.drive(Wait::For(1), done).expect("driven"),
        |backend, done| {
            backend.drive_lazily(Wait::For(1), done).expect("driven");
            while let Some(Answered::Other(completion)) = backend.next_answer() {
                done.push(completion);
            }
        },
        |backend, done| backend.abandon(done),
        |_, _| {},
    ];
    let content = Random::new(21).bytes(bench.fit(1000));
    let scratch = bench.file(&content);
    for (which, next) in next.into_iter().enumerate() {
        let mut event = IOEvent::new(
            scratch.file(),
            bench.zeroed(content.len()),
            IOAction::Read,
            0,
        );
        let id = bench.log().attach(&mut event);
        let mut backend = bench.backend(1);
        backend.push_event(event).expect("there is room");
        let mut done = Vec::new();
        if is_called_whole(&mut backend, &mut done) {
            next(&mut backend, &mut done);
        }
        let dropped_before = bench.log().dropped();
        drop(backend);
        if let Some(completion) = done.pop() {
            assert!(done.is_empty(), "{which}: once");
            completion.finish();
            let event = bench.log().take(id).expect("called back");
            assert_same(&event.get_read_result().expect("read"), &content);
        } else {
            assert_eq!((which, bench.log().dropped()), (4, dropped_before + 1));
        }
    }
}

/// A callback that was taken first is not in its event any more; one that was not is.
pub fn a_whole_event_and_its_callback_are_taken_apart<B: Backend<Probe>>(bench: &Bench<B>) {
    let content = Random::new(22).bytes(bench.fit(1000));
    let scratch = bench.file(&content);
    let mut backend = bench.backend(1);
    for takes_callback in [true, false, true] {
        let buffer = bench.zeroed(content.len());
        let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
        let id = bench.log().attach(&mut event);
        backend.push_event(event).expect("there is room");
        let mut done = Vec::new();
        if let Some(ticket) = called_whole(&mut backend, &mut done) {
            let callback = takes_callback.then(|| backend.take_callback(ticket));
            let event = backend.take_whole(ticket);
            match callback.flatten() {
                Some(callback) => callback.call(event),
                None => deliver(event).expect("no panic in it"),
            }
        }
        done.into_iter().for_each(Completion::finish);
        assert_eq!(backend.in_flight(), 0);
        let event = bench.log().take(id).expect("called back once");
        assert_same(&event.get_read_result().expect("read"), &content);
    }
}

/// What is aligned is carried out, what is not comes back, and a full queue takes neither.
pub fn what_is_pushed_unseen_is_carried_out_or_comes_back<B: Backend<Probe>>(bench: &Bench<B>) {
    let content = Random::new(23).bytes(8192);
    let scratch = bench.file(&content);
    let mut backend = bench.backend(1);
    let read = |offset| {
        let buffer = Buffer::aligned(4096).expect("memory");
        let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Read, offset);
        let id = bench.log().attach(&mut event);
        (id, event)
    };
    let (_, misaligned) = read(1);
    let back = backend.push_unseen(misaligned).expect_err("not aligned");
    assert_eq!((back.offset(), backend.in_flight()), (1, 0));
    drop(back);

    let (id, aligned) = read(4096);
    backend.push_unseen(aligned).expect("aligned");
    let (_, one_too_many) = read(0);
    let back = backend.push_unseen(one_too_many).expect_err("full");
    assert_eq!((back.offset(), backend.in_flight()), (0, 1));
    drop(back);
    let mut done = Vec::new();
    drive_until_empty(&mut backend, &mut done);
    done.into_iter().for_each(Completion::finish);
    let event = bench.log().take(id).expect("called back");
    assert_same(&event.get_read_result().expect("read"), &content[4096..]);
}

/// Whether the only request comes to be called whole; else it is in `done`.
fn is_called_whole<B: Backend<Probe>>(backend: &mut B, done: &mut Vec<Completion<Probe>>) -> bool {
    called_whole(backend, done).is_some()
}

fn called_whole<B: Backend<Probe>>(
    backend: &mut B,
    done: &mut Vec<Completion<Probe>>,
) -> Option<Ticket> {
    while done.is_empty() {
        backend.drive_lazily(Wait::For(1), done).expect("driven");
        match backend.next_answer() {
            Some(Answered::Whole(ticket)) => return Some(ticket),
            Some(Answered::Other(completion)) => done.push(completion),
            None => {}
        }
    }
    None
}

/// Reads under way when the backend is dropped: the kernel is done with the memory by then.
pub fn memory_is_free_only_when_the_kernel_has_let_go<B: Backend<Probe>>(bench: &Bench<B>) {
    let (block, count) = (bench.fit(65_536), 32);
    let scratch = bench.file(&vec![0x77; block * count]);
    for _ in 0..10 {
        let mut backend = bench.backend(count);
        for index in 0..count {
            let offset = offset_of(index * block);
            let mut event =
                IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, offset);
            bench.log().attach(&mut event);
            backend.push(event.into()).expect("there is room");
        }
        let mut done = Vec::new();
        backend.drive(Wait::Never, &mut done).expect("driven");
        drop(backend);
        // The allocator gives the same memory again; whatever still wrote to it would be seen.
        let fresh: Vec<Buffer> = (0..count).map(|_| bench.zeroed(block)).collect();
        done.into_iter().for_each(Completion::finish);
        for buffer in &fresh {
            assert!(
                buffer.iter().all(|&byte| byte == 0),
                "written after the end"
            );
        }
        bench.log().take_all();
    }
}

/// Made on one thread, driven on a second, and on a third one when nothing is in flight.
pub fn an_idle_backend_moves_between_threads<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(20).bytes(3 * block);
    let scratch = bench.file(&content);
    let mut backend = bench.backend(4);
    for round in 0..3 {
        let offset = offset_of(round * block);
        let mut event = IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, offset);
        let id = bench.log().attach(&mut event);
        backend = thread::scope(|scope| {
            let driver = scope.spawn(move || {
                backend.push(event.into()).expect("there is room");
                let mut done = Vec::new();
                drive_until_empty(&mut backend, &mut done);
                done.into_iter().for_each(Completion::finish);
                backend
            });
            driver.join().expect("the other thread did not panic")
        });
        let event = bench.log().take(id).expect("called back");
        let buffer = event.get_read_result().expect("read");
        assert_same(&buffer, &content[round * block..][..block]);
    }
}

/// Several backends side by side, each on its own thread, on the same file.
pub fn backends_side_by_side_do_not_disturb_each_other<B: Backend<Probe>>(bench: &Bench<B>) {
    let (block, count) = (bench.fit(1000), 200);
    let scratch = bench.file(&vec![0; block * count]);
    let share = |which: usize| {
        let write = |index: usize| {
            let at = index * block;
            let fill = u8::try_from(index % 251).expect("below 251");
            let buffer = bench.buffer(&vec![fill; block]);
            IOEvent::new(scratch.file(), buffer, IOAction::Write, offset_of(at))
        };
        let events = (which..count).step_by(2).map(write).collect();
        for event in bench.pump(7).perform_all(events) {
            event.get_write_result().expect("written");
        }
    };
    share_between_two(bench, &share);
    for (index, found) in scratch.content().chunks(block).enumerate() {
        let fill = u8::try_from(index % 251).expect("below 251");
        assert!(found.iter().all(|&byte| byte == fill), "block {index}");
    }
}

fn share_between_two<B: Backend<Probe>>(_bench: &Bench<B>, share: &(dyn Fn(usize) + Sync)) {
    thread::scope(|scope| {
        let other = scope.spawn(|| share(1));
        share(0);
        other.join().expect("the other thread did not panic");
    });
}
