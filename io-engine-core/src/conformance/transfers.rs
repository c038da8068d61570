//! Bytes get to where they belong, all of them, and nothing else does.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::bench::Bench;
use super::probe::Probe;
use super::pump::Pump;
use super::scratch::{Guards, Random, Scratch, assert_same, errno_of, offset_of};
use crate::action::IOAction;
use crate::backend::{Backend, Wait};
use crate::buffer::Buffer;
use crate::event::IOEvent;

/// Random data, written and read back in random order; depths 1, 7 and 64.
pub fn what_is_written_reads_back_at_every_depth<B: Backend<Probe>>(bench: &Bench<B>) {
    for depth in [1, 7, 64] {
        let mut random = Random::new(depth as u64);
        let block = bench.fit(3000);
        let blocks = 100;
        let content = random.bytes(block * blocks);
        let scratch = bench.file(&[]);
        let mut pump = bench.pump(depth);
        let mut order: Vec<usize> = (0..blocks).map(|index| index * block).collect();

        random.shuffle(&mut order);
        let write = |&at: &usize| {
            let buffer = bench.buffer(&content[at..at + block]);
            IOEvent::new(scratch.file(), buffer, IOAction::Write, offset_of(at))
        };
        for event in pump.perform_all(order.iter().map(write).collect()) {
            event.get_write_result().expect("written");
            assert_eq!(event.get_result().ok(), Some(block));
        }
        scratch.assert_content(&content);

        random.shuffle(&mut order);
        let read = |&at: &usize| {
            let buffer = bench.zeroed(block);
            IOEvent::new(scratch.file(), buffer, IOAction::Read, offset_of(at))
        };
        let events = pump.perform_all(order.iter().map(read).collect());
        for (event, at) in events.into_iter().zip(order) {
            let buffer = event.get_read_result().expect("read");
            assert_same(&buffer, &content[at..at + block]);
        }
    }
}

/// Nothing beside the buffer is written by a read, nothing beside the range by a write.
pub fn bytes_beside_the_buffer_and_the_range_stay<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let content = Random::new(1).bytes(block * 3);
    let scratch = bench.file(&content);
    let mut pump = bench.pump(4);

    let (buffer, guards) = Guards::around(block, 0);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, offset_of(block));
    let buffer = pump.perform(event).get_read_result().expect("read");
    assert_same(&buffer, &content[block..2 * block]);
    guards.assert_untouched();

    let mut expected = content;
    expected[block..2 * block].fill(7);
    let (buffer, _guards) = Guards::around(block, 7);
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset_of(block));
    pump.perform(event).get_write_result().expect("written");
    scratch.assert_content(&expected);
}

/// The end of the file in the middle of a read: `Ok`, and `len()` is what there was.
pub fn short_read_at_end_of_file_cuts_the_buffer<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(2000);
    for len in [1, block - 1, block, block + 1, 2 * block - 1] {
        let content = Random::new(2).bytes(len);
        let scratch = bench.file(&content);
        let (buffer, guards) = Guards::around(2 * block, 9);
        let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
        let event = bench.pump(2).perform(event);
        assert!(event.is_end_of_file(), "{len} bytes");
        assert_eq!(event.get_result().ok(), Some(len));
        let mut buffer = event.get_read_result().expect("a short read is no error");
        assert_same(&buffer, &content);
        buffer
            .set_len(2 * block)
            .expect("the region is still there");
        guards.assert_untouched();
    }
}

/// A read that begins at or behind the end of the file: `Ok` with 0 bytes.
pub fn read_beyond_end_of_file_is_ok_and_empty<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let scratch = bench.file(&vec![5; block]);
    let mut pump = bench.pump(2);
    for offset in [block, 2 * block, 100 * block] {
        let buffer = bench.zeroed(block);
        let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, offset_of(offset));
        let event = pump.perform(event);
        assert!(event.is_end_of_file());
        assert_eq!(event.get_read_result().expect("no error").len(), 0);
    }
    let empty = bench.file(&[]);
    let event = IOEvent::new(empty.file(), bench.zeroed(block), IOAction::Read, 0);
    assert_eq!(pump.perform(event).get_result().ok(), Some(0));
}

/// A caller who [reports](crate::Completion::report) instead of settling sees the short read.
pub fn short_read_is_reported_not_retried<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let scratch = bench.file(&vec![5; block]);
    let mut backend = bench.backend(1);
    let buffer = bench.zeroed(2 * block);
    let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let id = bench.log().attach(&mut event);
    backend.push(event.into()).expect("room for one");
    let mut done = Vec::new();
    backend.drive(Wait::For(1), &mut done).expect("driven");
    assert_eq!(done.len(), 1);
    done.remove(0).finish();
    let event = bench.log().take(id).expect("called back");
    assert_eq!(event.get_result().ok(), Some(block));
    assert!(!event.is_end_of_file(), "it may be the middle of the file");
    let error = event.get_read_result().expect_err("half a read is no read");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

/// The callback gets the memory back that was handed over, whatever became of the event.
pub fn buffers_come_back_with_the_same_address<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(1000);
    let scratch = bench.file(&vec![5; block]);
    let mut pump = bench.pump(4);
    let cases = [
        (scratch.reopen(true, true), IOAction::Write, 0),
        (scratch.reopen(true, true), IOAction::Read, 0),
        (scratch.reopen(true, true), IOAction::Read, 10 * block),
        (scratch.reopen(true, false), IOAction::Write, 0),
        (scratch.reopen(false, true), IOAction::Read, 0),
    ];
    for (file, action, at) in cases {
        let buffer = bench.zeroed(block);
        let address = buffer.as_ptr();
        let event = IOEvent::new(file, buffer, action, offset_of(at));
        let event = pump.perform(event);
        let buffer = event.into_buffer().expect("the buffer");
        assert_eq!((buffer.as_ptr(), buffer.capacity()), (address, block));
    }
}

/// Shared `Bytes` can be written without a copy, several times at once.
pub fn shared_bytes_are_written_in_place<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(4096);
    let shared = Bytes::from(bench.buffer(&Random::new(3).bytes(block)));
    let scratch = bench.file(&[]);
    let write = |index: usize| {
        let buffer = Buffer::from(shared.clone());
        let offset = offset_of(index * block);
        IOEvent::new(scratch.file(), buffer, IOAction::Write, offset)
    };
    let mut pump = bench.pump(2);
    for event in pump.perform_all((0..5).map(write).collect()) {
        event.get_write_result().expect("written");
        let buffer = event.into_buffer().expect("the buffer");
        assert_eq!(buffer.as_ptr(), shared.as_ptr());
    }
    scratch.assert_content(&shared.repeat(5));
}

/// `fsync` and `fdatasync` give 0 and need no buffer.
pub fn syncs_and_nops_give_zero<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch = bench.file(&[]);
    let mut pump = bench.pump(4);
    let buffer = bench.buffer(&vec![6; block]);
    let write = IOEvent::new(scratch.file(), buffer, IOAction::Write, 0);
    pump.perform(write).get_write_result().expect("written");
    let syncs = vec![
        IOEvent::sync(scratch.file()),
        IOEvent::data_sync(scratch.file()),
        IOEvent::nop(),
    ];
    for event in pump.perform_all(syncs) {
        assert_eq!(event.get_result().ok(), Some(0), "{event:?}");
        assert_eq!(event.res(), 0);
        event
            .get_write_result()
            .expect("what moves no bytes has no missing ones");
    }
}

/// Ten thousand reads, writes, syncs and hopeless events: each has its one callback and its right
/// result.
pub fn every_one_of_ten_thousand_mixed_events_has_one_callback<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let mut mix = Mix::new(bench);
    let mut pump = bench.pump(32);
    let mut handed_over = 0;
    while handed_over < 10_000 {
        while handed_over < 10_000 && mix.expected.len() < 40 {
            let (event, expectation) = mix.next(bench);
            let id = pump.submit(event);
            mix.expected.insert(id, expectation);
            handed_over += 1;
        }
        pump.step(Wait::For(1));
        mix.compare(&pump);
    }
    pump.run();
    mix.compare(&pump);
    assert!(
        mix.expected.is_empty(),
        "{} are missing",
        mix.expected.len()
    );
    mix.scratch.assert_content(&mix.model);
}

/// A random mix over one file, with what the file must hold.
struct Mix {
    random: Random,
    scratch: Scratch,
    block: usize,
    model: Vec<u8>,
    /// Blocks that no event works on now: two events on one block would have no order.
    idle: Vec<usize>,
    expected: HashMap<u64, Expectation>,
}

enum Expectation {
    Written(usize),
    Read(usize),
    Synced,
    Errno(i32),
    Invalid,
}

impl Mix {
    fn new<B: Backend<Probe>>(bench: &Bench<B>) -> Self {
        let mut random = Random::new(4);
        let block = bench.fit(700);
        let model = random.bytes(64 * block);
        Self {
            random,
            scratch: bench.file(&model),
            block,
            model,
            idle: (0..64).collect(),
            expected: HashMap::new(),
        }
    }

    fn next<B: Backend<Probe>>(&mut self, bench: &Bench<B>) -> (IOEvent<Probe>, Expectation) {
        let file = Arc::clone(self.scratch.file());
        let block = self.block;
        match self.random.below(20) {
            0 => (IOEvent::data_sync(file), Expectation::Synced),
            1 => {
                let event = IOEvent::new(-1, bench.zeroed(block), IOAction::Read, 0);
                (event, Expectation::Errno(libc::EBADF))
            }
            2 => {
                let event = IOEvent::new(file, bench.zeroed(block), IOAction::Write, -1);
                (event, Expectation::Invalid)
            }
            3..=10 => {
                let index = self.take_idle();
                let bytes = self.random.bytes(block);
                let at = index * block;
                self.model[at..at + block].copy_from_slice(&bytes);
                let buffer = bench.buffer(&bytes);
                let event = IOEvent::new(file, buffer, IOAction::Write, offset_of(at));
                (event, Expectation::Written(index))
            }
            _ => {
                let index = self.take_idle();
                let offset = offset_of(index * block);
                let event = IOEvent::new(file, bench.zeroed(block), IOAction::Read, offset);
                (event, Expectation::Read(index))
            }
        }
    }

    fn take_idle(&mut self) -> usize {
        let at = self.random.below(self.idle.len());
        self.idle.swap_remove(at)
    }

    /// Looks at all that has been called back.
    fn compare<B: Backend<Probe>>(&mut self, pump: &Pump<'_, B>) {
        for (id, event) in pump.take_all() {
            let expectation = self.expected.remove(&id);
            match expectation.expect("a callback of an event that was handed over") {
                Expectation::Written(index) => {
                    event.get_write_result().expect("written");
                    self.idle.push(index);
                }
                Expectation::Read(index) => {
                    let buffer = event.get_read_result().expect("read");
                    assert_same(&buffer, &self.model[index * self.block..][..self.block]);
                    self.idle.push(index);
                }
                Expectation::Synced => assert_eq!(event.get_result().ok(), Some(0)),
                Expectation::Errno(errno) => assert_eq!(errno_of(event.get_result()), errno),
                Expectation::Invalid => assert_eq!(
                    event.get_result().expect_err("refused").kind(),
                    std::io::ErrorKind::InvalidInput
                ),
            }
        }
    }
}
