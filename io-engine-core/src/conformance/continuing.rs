//! An event with `res` from 0 on moves on by `res`: address, length and offset.
//!
//! The short transfers come from answers made up here, as a real file cannot be told to give them.

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::{Guards, Random, assert_same, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::file::DirectAlignment;
use crate::merged::MergedEvents;
use crate::request::Request;

/// D1: the rest of a read goes behind what is there already, and not one byte further.
pub fn d1_a_continued_read_fills_exactly_the_rest<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(12).bytes(8 * block);
    let scratch = bench.file(&content);
    let mut pump = bench.pump(2);
    for done in [0, block, 3 * block] {
        let (buffer, guards) = Guards::around(4 * block, 0x11);
        let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, offset_of(block));
        let event = pump.perform(cut_short(event, done));
        assert_eq!(event.get_result().ok(), Some(4 * block));
        let buffer = event.get_read_result().expect("read to the end");
        assert!(buffer[..done].iter().all(|&byte| byte == 0x11), "{done}");
        assert_same(&buffer[done..], &content[block + done..5 * block]);
        guards.assert_untouched();
    }
}

/// D1: the rest of a write goes behind what is written already, and nothing follows it.
pub fn d1_a_continued_write_writes_exactly_the_rest<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(13).bytes(4 * block);
    for done in [0, block, 3 * block] {
        let scratch = bench.file(&vec![1; 8 * block]);
        let (mut buffer, _guards) = Guards::around(4 * block, 0);
        buffer.copy_from_slice(&content);
        let event = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset_of(block));
        let event = bench.pump(2).perform(cut_short(event, done));
        event.get_write_result().expect("written to the end");
        let mut expected = vec![1; 8 * block];
        expected[block + done..5 * block].copy_from_slice(&content[done..]);
        scratch.assert_content(&expected);
    }
}

/// A direct transfer that ended off-alignment goes on from the last aligned byte before.
pub fn a_direct_transfer_continues_from_the_last_aligned_byte<B: Backend<Probe>>(bench: &Bench<B>) {
    use std::os::fd::AsRawFd;
    let block = bench.fit(4096);
    let content = Random::new(14).bytes(2 * block);
    let scratch = bench.file(&vec![1; 2 * block]);
    if bench.medium().is_direct() && DirectAlignment::of(scratch.file().as_raw_fd()).is_none() {
        return bench.skip("resuming off-alignment", &"STATX_DIOALIGN is not answered");
    }
    let mut pump = bench.pump(1);
    let buffer = bench.buffer(&content);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Write, 0);
    let done = block + 100;
    let event = pump.perform(cut_short(event, done));
    event.get_write_result().expect("written to the end");
    assert_eq!(event.get_result().ok(), Some(2 * block));
    let written = scratch.content();
    assert_same(&written[done..], &content[done..]);
    let buffer = bench.zeroed(2 * block);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let buffer = pump.perform(cut_short(event, done)).get_read_result();
    assert_same(&buffer.expect("read to the end")[done..], &content[done..]);
}

/// An event that is complete finishes again with the same result, and the file is left alone.
pub fn a_completed_event_finishes_at_once<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let scratch = bench.file(&vec![1; block]);
    let mut pump = bench.pump(2);
    let buffer = bench.buffer(&vec![2; block]);
    let write = IOEvent::new(scratch.file(), buffer, IOAction::Write, 0);
    let write = cut_short(write, block);
    let buffer = bench.buffer(&vec![3; block]);
    let read = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let read = cut_short(read, block);

    let mut events = pump.perform_all(vec![write, read]);
    let read = events.remove(1).get_read_result().expect("complete");
    assert_same(&read, &vec![3; block]);
    events[0].get_write_result().expect("complete");
    assert_eq!(events[0].get_result().ok(), Some(block));
    scratch.assert_content(&vec![1; block]);
}

/// An event that failed starts anew when it is handed over again.
pub fn a_failed_event_starts_anew<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(15).bytes(block);
    let scratch = bench.file(&content);
    let mut pump = bench.pump(2);
    let buffer = bench.zeroed(block);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let request = Request::from(event);
    let mut failed = Vec::new();
    Completion::from_kernel(request, -i64::from(libc::EIO)).report(&mut failed);
    let event = failed.remove(0);
    assert_eq!(event.res(), -libc::EIO);
    let buffer = pump.perform(event).get_read_result().expect("read anew");
    assert_same(&buffer, &content);
}

/// A read that met the end of the file goes on when the file has grown.
pub fn a_read_at_the_end_goes_on_when_the_file_has_grown<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(16).bytes(2 * block);
    let scratch = bench.file(&content[..block]);
    let mut pump = bench.pump(2);
    let buffer = bench.zeroed(2 * block);
    let read = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let read = pump.perform(read);
    assert_eq!((read.res(), read.is_end_of_file()), (res_of(block), true));
    let buffer = bench.buffer(&content[block..]);
    let offset = offset_of(block);
    let write = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset);
    pump.perform(write).get_write_result().expect("written");

    let read = pump.perform(read);
    assert!(!read.is_end_of_file());
    assert_same(&read.get_read_result().expect("read"), &content);
}

/// A run that was cut short: each of its events goes on by itself.
pub fn the_events_of_a_short_run_go_on_one_by_one<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(17).bytes(6 * block);
    let scratch = bench.file(&content);
    let read = |index: usize| {
        let offset = offset_of(index * 2 * block);
        IOEvent::new(
            scratch.file(),
            bench.zeroed(2 * block),
            IOAction::Read,
            offset,
        )
    };
    let run = MergedEvents::new((0..3).map(read).collect()).expect("a run");
    let request = Request::from(IOEvent::from_merged(run));
    let mut events = Vec::new();
    Completion::from_kernel(request, i64::from(res_of(3 * block))).report(&mut events);
    let so_far: Vec<i32> = events.iter().map(IOEvent::res).collect();
    assert_eq!(so_far, [res_of(2 * block), res_of(block), 0]);

    let events = bench.pump(3).perform_all(events);
    let begins = [2 * block, 3 * block, 4 * block];
    for (index, event) in events.into_iter().enumerate() {
        let buffer = event.get_read_result().expect("read");
        let invented = begins[index] - index * 2 * block;
        assert!(buffer[..invented].iter().all(|&byte| byte == 0));
        let rest = &content[begins[index]..(index + 1) * 2 * block];
        assert_same(&buffer[invented..], rest);
    }
}

/// `event` as if the kernel had transferred `done` bytes of it.
fn cut_short(event: IOEvent<Probe>, done: usize) -> IOEvent<Probe> {
    let mut short = Vec::new();
    let answer = i64::from(res_of(done));
    Completion::from_kernel(Request::from(event), answer).report(&mut short);
    let event = short.remove(0);
    assert_eq!(event.res(), res_of(done));
    event
}

fn res_of(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("the buffers of the suite are small")
}
