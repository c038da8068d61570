//! From the buffers to the kernel and back: the same memory, and to each event its own bytes.
#![allow(
    unsafe_code,
    reason = "these tests stand in for the kernel, which gets addresses"
)]

use io_engine_core::{Completion, IOAction, IOEvent, Operation, Request};
use io_engine_merge::MergeBuffer;

use crate::tagged::{Called, FD, Journal, Tag};

fn merged(events: impl IntoIterator<Item = IOEvent<Tag>>) -> Request<Tag> {
    let mut buffer = MergeBuffer::new(4096);
    for event in events {
        buffer.offer(event).unwrap();
    }
    Request::from(buffer.flush().unwrap())
}

/// Address and length of each segment that the kernel would get, with the offset in the file.
fn segments(request: &mut Request<Tag>) -> (u64, Vec<(*mut u8, usize)>) {
    let operation = request.operation();
    let (Operation::ReadVectored {
        segments,
        count,
        offset,
    }
    | Operation::WriteVectored {
        segments,
        count,
        offset,
    }) = operation
    else {
        panic!("a run makes a vectored operation, not {operation:?}");
    };
    // SAFETY: the request gave out `count` segments, which it owns; it is borrowed until after the
    // last use of the slice.
    let segments = unsafe { std::slice::from_raw_parts(segments, count as usize) };
    let pairs = segments
        .iter()
        .map(|one| (one.iov_base.cast(), one.iov_len));
    (offset, pairs.collect())
}

/// Does what the kernel does for a read: fills the segments with `bytes`, as far as they go.
fn kernel_reads(request: &mut Request<Tag>, mut bytes: &[u8]) {
    for (start, len) in segments(request).1 {
        let len = len.min(bytes.len());
        // SAFETY: the segment is `len` bytes of a buffer of an event in `request`, which lives and
        // is not used by anyone else meanwhile.
        let segment = unsafe { std::slice::from_raw_parts_mut(start, len) };
        segment.copy_from_slice(&bytes[..len]);
        bytes = &bytes[len..];
    }
}

fn read(offset: i64, len: usize) -> IOEvent<Tag> {
    IOEvent::new(FD, vec![b'.'; len].into(), IOAction::Read, offset)
}

fn content(called: &Called) -> &[u8] {
    called.event.buffer().unwrap()
}

/// Delivers what has finished and returns the callbacks' view.
fn call_back(journal: &Journal, finished: &mut Vec<IOEvent<Tag>>) -> Vec<Called> {
    for event in finished.drain(..) {
        io_engine_core::deliver(event).unwrap();
    }
    journal.take()
}

#[test]
fn d25_the_kernel_gets_the_addresses_of_the_buffers_and_the_callbacks_get_them_back() {
    let journal = Journal::default();
    let events: Vec<_> = [(0, 0, 700), (1, 700, 4), (2, 704, 1000)]
        .map(|(id, offset, len)| journal.write(id, offset, len))
        .into();
    let address_in: Vec<_> = events
        .iter()
        .map(|event| event.buffer().unwrap().as_ptr())
        .collect();

    let mut request = merged(events);
    let (offset, segments) = segments(&mut request);
    assert_eq!(offset, 0);
    let to_kernel: Vec<_> = segments.iter().map(|one| one.0.cast_const()).collect();
    assert_eq!(to_kernel, address_in);
    let lengths: Vec<_> = segments.iter().map(|one| one.1).collect();
    assert_eq!(lengths, [700, 4, 1000]);

    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, 1704).settle(&mut finished, &mut again);
    assert!(again.is_empty());
    let called = call_back(&journal, &mut finished);
    let address_out: Vec<_> = called
        .iter()
        .map(|called| content(called).as_ptr())
        .collect();
    assert_eq!(address_out, address_in);
}

#[test]
fn d3_an_event_without_a_callback_leaves_the_bytes_of_the_others_right() {
    let journal = Journal::default();
    let mut request = merged([
        journal.tag(0, read(100, 3)),
        read(103, 5),
        journal.tag(2, read(108, 4)),
    ]);
    kernel_reads(&mut request, b"abcdefghijkl");
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, 12).settle(&mut finished, &mut again);
    assert!(again.is_empty());
    assert_eq!(finished.len(), 3);
    let called = call_back(&journal, &mut finished);
    assert_eq!(called.iter().map(|one| one.id).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(
        (called[0].result(), content(&called[0])),
        (Ok(3), &b"abc"[..])
    );
    assert_eq!(
        (called[1].result(), content(&called[1])),
        (Ok(4), &b"ijkl"[..])
    );
}

#[test]
fn d3_a_run_that_comes_in_pieces_gives_each_event_its_own_bytes_wherever_it_is_cut() {
    let file = b"abcdefghijkl";
    for cut in 1..file.len() {
        let journal = Journal::default();
        let mut request = merged([
            read(100, 3),
            journal.tag(1, read(103, 5)),
            journal.tag(2, read(108, 4)),
        ]);
        kernel_reads(&mut request, &file[..cut]);
        let (mut finished, mut again) = (Vec::new(), Vec::new());
        let short = i64::try_from(cut).unwrap();
        Completion::from_kernel(request, short).settle(&mut finished, &mut again);
        assert!(finished.is_empty());

        let mut rest = again.pop().unwrap();
        assert_eq!(segments(&mut rest).0, 100 + cut as u64);
        kernel_reads(&mut rest, &file[cut..]);
        Completion::from_kernel(rest, 12 - short).settle(&mut finished, &mut again);
        assert!(again.is_empty());
        let called = call_back(&journal, &mut finished);
        assert_eq!(content(&called[0]), b"defgh", "cut at {cut}");
        assert_eq!(content(&called[1]), b"ijkl", "cut at {cut}");
    }
}

#[test]
fn d3_a_run_that_meets_the_end_of_the_file_is_cut_where_the_file_ends() {
    let journal = Journal::default();
    let mut request = merged([
        read(0, 3),
        journal.tag(1, read(3, 5)),
        journal.tag(2, read(8, 4)),
    ]);
    kernel_reads(&mut request, b"abcdef");
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, 6).settle(&mut finished, &mut again);
    Completion::from_kernel(again.pop().unwrap(), 0).settle(&mut finished, &mut again);
    assert!(again.is_empty());
    let called = call_back(&journal, &mut finished);
    assert_eq!(
        (called[0].result(), content(&called[0])),
        (Ok(3), &b"def"[..])
    );
    assert_eq!((called[1].result(), content(&called[1])), (Ok(0), &b""[..]));
    assert!(called.iter().all(|one| one.event.is_end_of_file()));
}

#[test]
fn an_error_in_a_run_reaches_only_the_event_that_fails_alone_too() {
    let journal = Journal::default();
    let request = merged([(0, 0), (1, 8), (2, 16)].map(|(id, at)| journal.write(id, at, 8)));
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, -5).settle(&mut finished, &mut again);
    assert!(finished.is_empty());
    assert_eq!(again.len(), 3);
    for (index, request) in std::mem::take(&mut again).into_iter().enumerate() {
        let answer = if index == 1 { -5 } else { 8 };
        Completion::from_kernel(request, answer).settle(&mut finished, &mut again);
    }
    let called = call_back(&journal, &mut finished);
    let results: Vec<_> = called
        .iter()
        .map(|one| (one.id, one.result().is_ok()))
        .collect();
    assert_eq!(results, [(0, true), (1, false), (2, true)]);
}
