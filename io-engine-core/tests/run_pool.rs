//! What a run takes, what it refuses, and what becomes of its memory.

mod fake_kernel;

use bytes::Bytes;
use fake_kernel::FakeKernel;
use io_engine_core::{
    Buffer, Completion, IOAction, IOEvent, Operation, Request, RunPool, SEGMENTS_MAX, Scratch,
    TRANSFER_BYTES_MAX,
};

fn event(action: IOAction, offset: i64, len: usize) -> IOEvent<()> {
    IOEvent::new(7, Buffer::from(vec![0; len]), action, offset)
}

fn read(offset: i64, len: usize) -> IOEvent<()> {
    event(IOAction::Read, offset, len)
}

fn scratch() -> Scratch {
    Scratch::new(1).expect("there is memory")
}

fn settled(request: Request<()>, result: i64) -> (Vec<IOEvent<()>>, Vec<Request<()>>) {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, result).settle(&mut finished, &mut again);
    (finished, again)
}

#[test]
fn a_run_refuses_what_does_not_follow_and_keeps_what_it_has() {
    let mut run = RunPool::with_capacity(1).take().unwrap();
    let shared = IOEvent::new(7, Bytes::from_static(b"abc").into(), IOAction::Read, 0);
    for first in [
        IOEvent::sync(7),
        IOEvent::new_no_buf(7, IOAction::Read, 0, 10),
        read(-1, 10),
        read(i64::MAX - 8, 9),
        read(0, 0),
        shared,
    ] {
        assert!(run.push(first).is_err());
    }
    run.push(read(100, 10)).unwrap();
    let other_file = IOEvent::new(8, vec![0; 10].into(), IOAction::Read, 110);
    for next in [
        other_file,
        event(IOAction::Write, 110, 10),
        read(111, 10),
        read(109, 10),
        read(90, 10),
        read(0, 10),
        read(110, TRANSFER_BYTES_MAX),
    ] {
        let back = run.push(next).unwrap_err();
        assert!(!back.is_done());
    }
    run.push(read(110, 10)).unwrap();
    let request = run.into_request().unwrap();
    assert_eq!((request.event_count(), request.total_bytes()), (2, 20));
}

#[test]
fn a_hole_needs_two_reads_and_scratch_memory_that_is_long_enough() {
    let scratch = scratch();
    let longest = i64::try_from(scratch.bytes()).unwrap();
    let mut writes = RunPool::with_capacity(1).take().unwrap();
    writes.push(event(IOAction::Write, 0, 10)).unwrap();
    assert!(
        writes
            .push_over_hole(event(IOAction::Write, 11, 1), &scratch)
            .is_err()
    );
    writes
        .push_over_hole(event(IOAction::Write, 10, 1), &scratch)
        .unwrap();

    let mut reads = RunPool::with_capacity(1).take().unwrap();
    reads.push_over_hole(read(5, 10), &scratch).unwrap();
    assert!(
        reads
            .push_over_hole(read(15 + longest + 1, 1), &scratch)
            .is_err()
    );
    reads
        .push_over_hole(read(15 + longest, 1), &scratch)
        .unwrap();
    // The memory of the first hole is that of the others: a longer one later does not help.
    let longer = Scratch::new(2 * scratch.bytes()).unwrap();
    assert!(
        reads
            .push_over_hole(read(16 + 2 * longest + 1, 1), &longer)
            .is_err()
    );
    let mut request = reads.into_request().unwrap();
    assert_eq!(request.total_bytes(), 10 + scratch.bytes() as u64 + 1);
    let Operation::ReadVectored { count, .. } = request.operation() else {
        panic!("a run is vectored");
    };
    assert_eq!(count, 3);
}

#[test]
fn holes_count_as_segments() {
    let scratch = scratch();
    let mut run = RunPool::with_capacity(1).take().unwrap();
    let mut taken = 0;
    while run.push_over_hole(read(taken * 2, 1), &scratch).is_ok() {
        taken += 1;
    }
    assert_eq!(usize::try_from(taken).unwrap(), SEGMENTS_MAX / 2);
    run.push(read(taken * 2 - 1, 1)).unwrap();
    let mut request = run.into_request().unwrap();
    let Operation::ReadVectored { count, .. } = request.operation() else {
        panic!("a run is vectored");
    };
    assert_eq!(count as usize, SEGMENTS_MAX);
}

#[test]
fn only_a_read_within_a_read_of_the_run_shares() {
    let mut run = RunPool::with_capacity(1).take().unwrap();
    assert!(run.push_sharing(read(0, 10), 0).is_err());
    run.push(read(100, 10)).unwrap();
    run.push(read(110, 10)).unwrap();
    for (event, leader) in [
        (read(100, 11), 0),
        (read(99, 2), 0),
        (read(105, 10), 0),
        (read(120, 1), 1),
        (read(110, 10), 0),
        (read(110, 10), 2),
        (read(110, 10), usize::MAX),
        (event(IOAction::Write, 110, 10), 1),
        (IOEvent::new(8, vec![0; 1].into(), IOAction::Read, 110), 1),
        (
            IOEvent::new(7, Bytes::from_static(b"a").into(), IOAction::Read, 110),
            1,
        ),
    ] {
        assert!(run.push_sharing(event, leader).is_err());
    }
    run.push_sharing(read(110, 10), 1).unwrap();
    run.push_sharing(read(109, 1), 0).unwrap();
    assert!(
        run.push_sharing(read(110, 1), 2).is_err(),
        "one that shares leads none"
    );
    assert!(run.push(read(120, 10)).is_err(), "after those that share");
    assert_eq!(run.into_request().unwrap().event_count(), 4);

    let mut writes = RunPool::with_capacity(1).take().unwrap();
    writes.push(event(IOAction::Write, 0, 10)).unwrap();
    assert!(
        writes
            .push_sharing(event(IOAction::Write, 0, 10), 0)
            .is_err()
    );
}

#[test]
fn a_run_of_one_is_a_plain_request_and_one_of_none_is_no_request() {
    let pool = RunPool::<()>::with_capacity(2);
    assert!(pool.take().unwrap().into_request().is_none());
    let mut run = pool.take().unwrap();
    run.push(read(0, 10)).unwrap();
    let mut request = run.into_request().unwrap();
    assert!(matches!(
        request.operation(),
        Operation::Read { len: 10, .. }
    ));
    assert_eq!(pool.len(), 1, "the same memory both times");
}

fn pair(pool: &RunPool<()>) -> Request<()> {
    let mut run = pool.take().expect("there is memory");
    for offset in [0, 10] {
        run.push(read(offset, 10)).expect("it follows");
    }
    run.into_request().expect("it has events")
}

#[test]
fn the_memory_of_a_run_goes_back_however_it_ends_and_at_most_as_much_as_the_pool_keeps() {
    let pool = RunPool::with_capacity(1);
    let (finished, again) = settled(pair(&pool), 20);
    assert_eq!((finished.len(), again.len(), pool.len()), (2, 0, 1));
    let (finished, again) = settled(pair(&pool), -5);
    assert_eq!((finished.len(), again.len(), pool.len()), (0, 2, 1));
    Completion::from_kernel(pair(&pool), 7).report(&mut Vec::new());
    assert_eq!(pool.len(), 1);
    Completion::queue_closed(pair(&pool)).finish();
    assert_eq!(pool.len(), 1);

    let (one, other) = (pair(&pool), pair(&pool));
    assert!(pool.is_empty());
    let _ = (settled(one, 20), settled(other, 20));
    assert_eq!(pool.len(), 1);
}

#[test]
fn a_run_in_used_memory_knows_nothing_of_the_one_before() {
    let pool = RunPool::with_capacity(1);
    let mut run = pool.take().unwrap();
    run.push(read(0, 10)).unwrap();
    run.push_over_hole(read(20, 10), &scratch()).unwrap();
    run.push_sharing(read(0, 5), 0).unwrap();
    let _ = settled(run.into_request().unwrap(), 30);

    let mut kernel = FakeKernel {
        file: (0..100).collect(),
    };
    let mut run = pool.take().unwrap();
    run.push(read(50, 2)).unwrap();
    run.push(read(52, 2)).unwrap();
    let mut request = run.into_request().unwrap();
    assert_eq!((request.event_count(), request.total_bytes()), (2, 4));
    let result = kernel.answer(&mut request, usize::MAX >> 1);
    let (finished, _) = settled(request, result);
    let read: Vec<Buffer> = finished
        .into_iter()
        .map(|event| event.get_read_result().unwrap())
        .collect();
    assert_eq!((&read[0][..], &read[1][..]), (&[50, 51][..], &[52, 53][..]));
}

#[test]
#[cfg_attr(
    miri,
    ignore = "what the kernel may still write to is leaked on purpose"
)]
fn a_broken_queue_keeps_the_memory_that_the_kernel_may_use_and_gives_the_rest_back() {
    let pool = RunPool::with_capacity(1);
    let mut run = pool.take().unwrap();
    run.push(read(0, 10)).unwrap();
    run.push_over_hole(read(20, 10), &scratch()).unwrap();
    run.push_sharing(read(20, 5), 1).unwrap();
    let (_, mut again) = settled(run.into_request().unwrap(), 26);
    let mut finished = Vec::new();
    Completion::queue_broken(again.remove(0)).report(&mut finished);
    assert_eq!(finished[0].transferred(), 10);
    assert!(
        finished[0].buffer().is_some(),
        "the kernel was done with it"
    );
    assert!(finished[1].buffer().is_none());
    // It lies within what was read, but the buffer that holds it is gone.
    assert!(finished[2].get_result().is_err());
    assert_eq!(finished[2].transferred(), 0);
    assert_eq!(finished[2].buffer().map(|buffer| buffer.len()), Some(5));
    assert!(pool.is_empty());
}
