//! Events that travel as one: each gets its own bytes and its own answer.

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::{Guards, Random, Scratch, assert_same, errno_of, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::event::IOEvent;

/// Uneven sizes, written as one and read as one.
pub fn a_run_of_uneven_sizes_writes_and_reads_every_byte<B: Backend<Probe>>(bench: &Bench<B>) {
    for depth in [1, 7] {
        let mut random = Random::new(6);
        let sizes = uneven(bench);
        let begin = bench.fit(300);
        let total: usize = sizes.iter().sum();
        let content = random.bytes(total);
        let scratch = bench.file(&vec![1; begin + total + begin]);
        let mut pump = bench.pump(depth);

        let events = events_over(&sizes, begin, |at, size| {
            let buffer = bench.buffer(&content[at..at + size]);
            IOEvent::new(
                scratch.file(),
                buffer,
                IOAction::Write,
                offset_of(begin + at),
            )
        });
        let events = pump.perform_run(events);
        for (event, size) in events.iter().zip(&sizes) {
            event.get_write_result().expect("written");
            assert_eq!(event.get_result().ok(), Some(*size));
        }
        let mut expected = vec![1; begin + total + begin];
        expected[begin..begin + total].copy_from_slice(&content);
        scratch.assert_content(&expected);

        let (read, guards) = guarded_reads(&scratch, &sizes, begin);
        let mut at = 0;
        for (event, size) in pump.perform_run(read).into_iter().zip(&sizes) {
            let buffer = event.get_read_result().expect("read");
            assert_same(&buffer, &content[at..at + size]);
            at += size;
        }
        guards.iter().for_each(Guards::assert_untouched);
    }
}

/// The end of the file in a run: full parts before it, one short part, empty ones behind.
pub fn a_run_across_the_end_of_the_file_is_split_rightly<B: Backend<Probe>>(bench: &Bench<B>) {
    let sizes = uneven(bench);
    let total: usize = sizes.iter().sum();
    let first = sizes[0];
    for len in [
        0,
        1,
        first,
        first + sizes[1] - 1,
        first + sizes[1] + 1,
        total - 1,
    ] {
        let content = Random::new(7).bytes(len);
        let scratch = bench.file(&content);
        let (read, guards) = guarded_reads(&scratch, &sizes, 0);
        let mut at = 0;
        for (event, size) in bench.pump(3).perform_run(read).into_iter().zip(&sizes) {
            let there = len.saturating_sub(at).min(*size);
            assert_eq!(
                event.get_result().ok(),
                Some(there),
                "{len} bytes, part at {at}"
            );
            assert_eq!(event.is_end_of_file(), there < *size);
            let buffer = event.get_read_result().expect("no error");
            assert_same(&buffer, content.get(at..at + there).unwrap_or_default());
            at += size;
        }
        guards.iter().for_each(Guards::assert_untouched);
    }
}

/// Several runs and lone events in one batch.
pub fn runs_and_lone_events_share_a_batch<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(600);
    let content = Random::new(8).bytes(block * 40);
    let scratch = bench.file(&content);
    let mut pump = bench.pump(5);
    let read = |index: usize| {
        let offset = offset_of(index * block);
        IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, offset)
    };
    let mut ids = Vec::new();
    for group in 0..10 {
        let begin = group * 4;
        ids.extend(pump.submit_run((begin..begin + 3).map(read).collect()));
        ids.push(pump.submit(read(begin + 3)));
    }
    pump.run();
    for (index, id) in ids.into_iter().enumerate() {
        let buffer = pump.take(id).get_read_result().expect("read");
        assert_same(&buffer, &content[index * block..][..block]);
    }
}

/// As many segments as the kernel takes in one call.
pub fn the_longest_run_works<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(16);
    let count = crate::SEGMENTS_MAX;
    let content = Random::new(9).bytes(block * count);
    let scratch = bench.file(&[]);
    let write = |index: usize| {
        let at = index * block;
        let buffer = bench.buffer(&content[at..at + block]);
        IOEvent::new(scratch.file(), buffer, IOAction::Write, offset_of(at))
    };
    for event in bench.pump(1).perform_run((0..count).map(write).collect()) {
        event.get_write_result().expect("written");
    }
    scratch.assert_content(&content);
}

/// A write across the largest size that the file system allows: the bytes before it are written
/// and counted, and the rest has `EFBIG`.
pub fn an_error_after_part_of_the_bytes_keeps_their_count<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(4096);
    let scratch = bench.file(&[]);
    let Some(largest) = largest_size(bench, &scratch, 8 * block) else {
        return;
    };
    let begin = largest - offset_of(block);
    let content = Random::new(10).bytes(2 * block);
    let buffer = bench.buffer(&content);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Write, begin);
    let mut pump = bench.pump(2);
    let event = pump.perform(event);
    assert_eq!(errno_of(event.get_result()), libc::EFBIG);
    assert_eq!(event.transferred(), block);

    let read = IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, begin);
    let buffer = pump.perform(read).get_read_result().expect("read");
    assert_same(&buffer, &content[..block]);
}

/// The same in a run: only what the error belongs to has it.
pub fn an_error_within_a_run_reaches_only_the_events_that_failed<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let block = bench.fit(4096);
    let scratch = bench.file(&[]);
    let Some(largest) = largest_size(bench, &scratch, 8 * block) else {
        return;
    };
    let begin = largest - offset_of(3 * block);
    let sizes = [block, block, 2 * block, block];
    let content = Random::new(11).bytes(5 * block);
    let mut pump = bench.pump(4);
    let events = events_over(&sizes, 0, |at, size| {
        let buffer = bench.buffer(&content[at..at + size]);
        IOEvent::new(
            scratch.file(),
            buffer,
            IOAction::Write,
            begin + offset_of(at),
        )
    });
    let events = pump.perform_run(events);
    for event in &events[..2] {
        event.get_write_result().expect("before the limit");
    }
    assert_eq!(errno_of(events[2].get_result()), libc::EFBIG);
    assert_eq!(events[2].transferred(), block);
    assert_eq!(errno_of(events[3].get_result()), libc::EFBIG);
    assert_eq!(events[3].transferred(), 0);

    let read = IOEvent::new(
        scratch.file(),
        bench.zeroed(3 * block),
        IOAction::Read,
        begin,
    );
    let buffer = pump.perform(read).get_read_result().expect("read");
    assert_same(&buffer, &content[..3 * block]);
}

/// Sizes that no merging limit and no page divides, as far as the medium allows.
fn uneven<B: Backend<Probe>>(bench: &Bench<B>) -> Vec<usize> {
    [777, 13, 5000, 4096, 1, 9999, 512, 65_537]
        .map(|size| bench.fit(size))
        .to_vec()
}

/// One event per size, each beginning where the one before ends; `make` gets place and size.
fn events_over(
    sizes: &[usize],
    begin: usize,
    make: impl Fn(usize, usize) -> IOEvent<Probe>,
) -> Vec<IOEvent<Probe>> {
    let mut at = 0;
    let mut events = Vec::with_capacity(sizes.len());
    for &size in sizes {
        events.push(make(at, size));
        at += size;
    }
    debug_assert!(begin == 0 || events[0].offset() == offset_of(begin));
    events
}

fn guarded_reads(
    scratch: &Scratch,
    sizes: &[usize],
    begin: usize,
) -> (Vec<IOEvent<Probe>>, Vec<Guards>) {
    let mut at = begin;
    let mut events = Vec::with_capacity(sizes.len());
    let mut all_guards = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let (buffer, guards) = Guards::around(size, 0xee);
        let offset = offset_of(at);
        events.push(IOEvent::new(scratch.file(), buffer, IOAction::Read, offset));
        all_guards.push(guards);
        at += size;
    }
    (events, all_guards)
}

/// The largest size that the file system gives a file, if `room` bytes behind it are still an
/// offset.
fn largest_size<B: Backend<Probe>>(
    bench: &Bench<B>,
    scratch: &Scratch,
    room: usize,
) -> Option<i64> {
    let (mut possible, mut impossible) = (0, u64::MAX >> 1);
    while impossible - possible > 1 {
        let middle = possible + (impossible - possible) / 2;
        match scratch.plain().set_len(middle) {
            Ok(()) => possible = middle,
            Err(_) => impossible = middle,
        }
    }
    scratch.plain().set_len(0).expect("a file can be emptied");
    let largest = i64::try_from(possible).expect("below i64::MAX");
    let unit = offset_of(bench.medium().unit());
    if largest.checked_add(offset_of(room)).is_none() || largest % unit != 0 {
        bench.skip("the largest file size", &"no offset lies behind it");
        return None;
    }
    Some(largest)
}
