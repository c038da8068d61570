//! Misaligned direct I/O is refused by name, and fails alone.

use std::os::fd::AsRawFd;

use super::bench::Bench;
use super::probe::Probe;
use super::refusals::refusal_of;
use super::scratch::{Random, Scratch, assert_same, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::buffer::{Buffer, DEFAULT_ALIGNMENT};
use crate::event::IOEvent;
use crate::file::DirectAlignment;
use crate::invalid_request::{AlignedPart, InvalidRequest};
use bytes::BytesMut;

/// A misaligned address, offset or length is named with what is demanded and what was given. On a
/// file that demands nothing, the same events work.
pub fn what_is_misaligned_is_named<B: Backend<Probe>>(bench: &Bench<B>) {
    let content = Random::new(18).bytes(8 * 4096);
    let scratch = bench.file(&content);
    let Some(demanded) = demanded(bench, &scratch) else {
        return;
    };
    let mut pump = bench.pump(4);
    for (what, required, given) in misaligned_parts(demanded) {
        for action in [IOAction::Read, IOAction::Write] {
            let event = misaligned(&scratch, action, what, given);
            let size = event.get_size();
            let address = event.buffer().map_or(0, |buffer| buffer.as_ptr() as u64);
            let event = pump.perform(event);
            let Some(required) = required else {
                assert_eq!(event.get_result().ok().map(|n| n as u64), Some(size));
                continue;
            };
            let given = match what {
                AlignedPart::Address => address,
                AlignedPart::Offset | AlignedPart::Length => given as u64,
            };
            let expected = InvalidRequest::Misaligned {
                what,
                required,
                given,
            };
            assert_eq!(refusal_of(&event), expected, "{action:?}");
        }
    }
    if bench.medium().is_direct() {
        scratch.assert_content(&content);
    }
}

/// One misaligned event in the middle of a run: the others are carried out.
pub fn a_misaligned_event_within_a_run_fails_alone<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(4096);
    let content = Random::new(19).bytes(3 * block);
    let scratch = bench.file(&content);
    let demands = demanded(bench, &scratch).flatten();
    let Some(DirectAlignment { memory: 2.., .. }) = demands else {
        return;
    };
    let read = |index: usize| {
        let buffer = shifted(block, usize::from(index == 1));
        let offset = offset_of(index * block);
        IOEvent::new(scratch.file(), buffer, IOAction::Read, offset)
    };
    let mut events = bench.pump(4).perform_run((0..3).map(read).collect());
    let InvalidRequest::Misaligned { what, .. } = refusal_of(&events[1]) else {
        panic!("another reason than alignment");
    };
    assert_eq!(what, AlignedPart::Address);
    let last = events.remove(2).get_read_result().expect("aligned");
    assert_same(&last, &content[2 * block..]);
    let first = events.remove(0).get_read_result().expect("aligned");
    assert_same(&first, &content[..block]);
}

/// A misaligned event in a batch leaves its neighbours alone.
pub fn a_misaligned_event_leaves_its_neighbours_in_the_batch_alone<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let block = bench.fit(4096);
    let scratch = bench.file(&vec![3; 8 * block]);
    let is_misaligned = |index: usize| matches!(index, 0 | 3 | 7);
    let read = |index: usize| {
        let at = index * block + usize::from(is_misaligned(index));
        IOEvent::new(
            scratch.file(),
            bench.zeroed(block),
            IOAction::Read,
            offset_of(at),
        )
    };
    let events = bench.pump(8).perform_all((0..8).map(read).collect());
    for (index, event) in events.into_iter().enumerate() {
        let result = event.get_read_result();
        assert!(is_misaligned(index) || result.is_ok(), "{result:?}");
    }
}

/// What the file demands, `Some(None)` if nothing, `None` where nobody can know.
fn demanded<B: Backend<Probe>>(
    bench: &Bench<B>,
    scratch: &Scratch,
) -> Option<Option<DirectAlignment>> {
    let alignment = DirectAlignment::of(scratch.file().as_raw_fd());
    if bench.medium().is_direct() && alignment.is_none() {
        bench.skip(
            "alignment",
            &"the file system does not answer STATX_DIOALIGN",
        );
        return None;
    }
    Some(alignment)
}

/// Each part, what is required of it and what to give.
fn misaligned_parts(demanded: Option<DirectAlignment>) -> [(AlignedPart, Option<u64>, usize); 3] {
    let memory = demanded.map(|demanded| demanded.memory);
    let offset = demanded.map(|demanded| demanded.offset);
    [
        (AlignedPart::Address, memory.filter(|&bytes| bytes > 1), 1),
        (
            AlignedPart::Offset,
            offset.filter(|&bytes| bytes > 1),
            4096 + 1,
        ),
        (
            AlignedPart::Length,
            offset.filter(|&bytes| bytes > 1),
            4096 - 1,
        ),
    ]
}

/// An event of which only the one part is misaligned.
fn misaligned(
    scratch: &Scratch,
    action: IOAction,
    what: AlignedPart,
    given: usize,
) -> IOEvent<Probe> {
    let (shift, offset, len) = match what {
        AlignedPart::Address => (given, 4096, 4096),
        AlignedPart::Offset => (0, given, 4096),
        AlignedPart::Length => (0, 4096, given),
    };
    IOEvent::new(
        scratch.file(),
        shifted(len, shift),
        action,
        offset_of(offset),
    )
}

/// Memory that begins `shift` bytes behind the beginning of a page.
fn shifted(len: usize, shift: usize) -> Buffer {
    let page = DEFAULT_ALIGNMENT;
    let mut memory = BytesMut::zeroed(len + page + shift);
    let start = (page - memory.as_ptr() as usize % page) % page + shift;
    let mut memory = memory.split_off(start);
    memory.truncate(len);
    Buffer::from(memory)
}
