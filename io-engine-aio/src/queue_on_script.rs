//! What the queue makes of the kernel's rarest answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use io_engine_core::{Buffer, IOAction, IOEvent, InvalidRequest, Request, Wait, Waker};
use rustix::io::Errno;

use crate::control_block::ControlBlock;
use crate::queue::Queue;
use crate::scripted_bench::{Bench, all_good};
use crate::scripted_kernel::{ScriptedKernel, is_doorbell};

#[test]
fn d4_whatever_the_errno_only_the_head_of_the_batch_fails() {
    for errno in [
        Errno::BADF,
        Errno::FAULT,
        Errno::OPNOTSUPP,
        Errno::NOMEM,
        Errno::IO,
        Errno::INVAL,
        Errno::PERM,
        Errno::ACCESS,
    ] {
        let mut bench = Bench::with_depth(8);
        bench.push_reads(0..6);
        bench.kernel.answers_next([Ok(2), Err(errno)]);
        bench.drive(Wait::For(6));
        let mut expected = all_good(0..6);
        expected[2].1 = -errno.raw_os_error();
        assert_eq!(bench.results(), expected, "{errno}");
        assert_eq!(bench.kernel.accepted_offsets(), [0, 1, 3, 4, 5]);
        assert_eq!(bench.queue.in_flight(), 0);
    }
}

#[test]
fn d4_accepted_prefixes_and_zero_accepted_are_carried_on_without_sending_twice() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..8);
    bench
        .kernel
        .answers_next([Ok(0), Ok(3), Ok(0), Ok(1), Ok(2)]);
    bench.drive(Wait::For(8));
    assert_eq!(bench.results(), all_good(0..8));
    assert_eq!(bench.kernel.accepted_offsets(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn d4_eagain_keeps_the_requests_while_the_kernel_has_others() {
    let mut bench = Bench::with_depth(8);
    bench.kernel.script().holds = true;
    bench.push_reads(0..2);
    bench.drive(Wait::Never);
    bench.push_reads(2..5);
    bench.kernel.answers_next([Err(Errno::AGAIN)]);
    bench.drive(Wait::Never);
    assert!(bench.done.is_empty());
    assert_eq!(bench.kernel.accepted_offsets(), [0, 1]);
    assert_eq!(bench.queue.in_flight(), 5);

    // The next drive asks again, in vain, and sleeps for what the kernel has.
    bench.kernel.script().holds = false;
    bench.kernel.answers_next([Err(Errno::AGAIN)]);
    bench.drive(Wait::For(5));
    assert_eq!(bench.results(), all_good(0..5));
}

#[test]
fn eagain_becomes_the_answer_only_when_the_kernel_has_nothing() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..2);
    bench.kernel.answers_next([Err(Errno::AGAIN); 8]);
    bench.drive(Wait::For(2));
    assert_eq!(bench.results(), [(0, -libc::EAGAIN), (1, 8)]);

    bench.push_reads(0..2);
    bench.kernel.answers_next([Err(Errno::AGAIN); 7]);
    bench.drive(Wait::For(2));
    assert_eq!(bench.results(), all_good(0..2));
}

#[test]
fn d5_eintr_loses_nothing_wherever_it_comes() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..6);
    bench
        .kernel
        .answers_next([Err(Errno::INTR), Ok(1), Err(Errno::INTR)]);
    bench.kernel.script().reap_errors.extend([Errno::INTR; 5]);
    bench.drive(Wait::For(6));
    assert_eq!(bench.results(), all_good(0..6));
}

#[test]
fn d5_after_eintr_only_the_rest_of_the_time_is_slept() {
    let mut bench = Bench::with_depth(1);
    bench.kernel.script().timeouts.clear();
    bench
        .kernel
        .script()
        .reap_errors
        .extend([Errno::INTR; 1000]);
    let hour = Duration::from_secs(3600);
    bench.drive(Wait::Until(Instant::now() + hour));
    let script = bench.kernel.script();
    let lefts: Vec<_> = script.timeouts.iter().map(|left| left.unwrap()).collect();
    assert_eq!(lefts.len(), 1001);
    assert!(lefts.is_sorted_by(|earlier, later| earlier >= later));
    assert!(lefts[1000] < lefts[0]);
    assert!(lefts[0] <= hour);
    assert!(lefts[1000] > hour / 2, "the time was lost");
}

#[test]
fn d22_syncs_are_requests_like_others_and_go_down_in_one_call() {
    let mut bench = Bench::with_depth(8);
    for _ in 0..4 {
        bench.queue.push(IOEvent::sync(0).into()).unwrap();
        bench.queue.push(IOEvent::data_sync(0).into()).unwrap();
    }
    bench.drive(Wait::For(8));
    let script = bench.kernel.script();
    assert_eq!(script.batch_sizes, [8]);
    let opcodes: Vec<_> = script.accepted[1..]
        .iter()
        .map(ControlBlock::opcode)
        .collect();
    assert_eq!(opcodes, [2, 3, 2, 3, 2, 3, 2, 3]);
    assert_eq!(bench.done.len(), 8);
}

#[test]
fn a_batch_of_any_size_goes_down_whole_and_in_order() {
    let mut bench = Bench::with_depth(1000);
    bench.push_reads(0..1000);
    bench.drive(Wait::For(1000));
    assert_eq!(
        bench.kernel.accepted_offsets(),
        (0..1000).collect::<Vec<_>>()
    );
    assert_eq!(bench.results(), all_good(0..1000));
}

#[test]
fn what_cannot_work_never_reaches_the_kernel_and_counts_until_it_is_yielded() {
    let mut bench = Bench::with_depth(2);
    bench.push_reads([-1, i64::MAX]);
    assert_eq!(bench.queue.in_flight(), 2);
    let third = IOEvent::new(0, Buffer::from(vec![0; 8]), IOAction::Read, 0);
    let refused = bench.queue.push(Request::from(third)).unwrap_err();
    assert_eq!(refused.into_inner().event_count(), 1);
    bench.drive(Wait::For(2));
    assert_eq!(
        bench.kernel.accepted_offsets(),
        [] as [u64; 0],
        "only the doorbell may be there"
    );
    let mut events = Vec::new();
    bench.done.drain(..).for_each(|one| one.report(&mut events));
    let error = events[0].get_result().unwrap_err();
    let invalid = error
        .into_inner()
        .unwrap()
        .downcast::<InvalidRequest>()
        .unwrap();
    assert_eq!(*invalid, InvalidRequest::NegativeOffset { offset: -1 });
    assert_eq!(bench.queue.in_flight(), 0);
}

#[test]
fn a_continued_event_that_is_complete_is_yielded_without_a_call() {
    let mut bench = Bench::with_depth(1);
    bench.push_reads([16]);
    bench.drive(Wait::For(1));
    let mut events = Vec::new();
    bench.done.drain(..).for_each(|one| one.report(&mut events));
    bench.kernel.script().batch_sizes.clear();
    bench
        .queue
        .push(Request::from(events.pop().unwrap()))
        .unwrap();
    bench.drive(Wait::For(1));
    assert_eq!(bench.results(), [(16, 8)]);
    assert_eq!(bench.kernel.script().batch_sizes, [] as [usize; 0]);
}

#[test]
fn a_sandbox_that_comes_later_breaks_the_queue_and_every_request_comes_back() {
    for errno in [Errno::PERM, Errno::NOSYS, Errno::INVAL] {
        let mut bench = Bench::with_depth(8);
        bench.kernel.script().holds = true;
        bench.push_reads(0..2);
        bench.drive(Wait::Never);
        bench.push_reads([2, 3, -4]);
        bench.kernel.answers_next([Err(errno), Err(errno)]);
        let error = bench.queue.drive(Wait::Never, &mut bench.done).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        assert_eq!(bench.queue.in_flight(), 0);
        let results = bench.results();
        let of_the_unsent = -errno.raw_os_error();
        assert_eq!(results[0], (-4, -libc::EINVAL));
        assert_eq!(results[3..], [(2, of_the_unsent), (3, of_the_unsent)]);
        // Those inside have an errno of the engine's own.
        assert!(results[1..3].iter().all(|(_, res)| *res < -4095));

        bench.push_reads([7]);
        let again = bench.queue.drive(Wait::For(1), &mut bench.done);
        assert_eq!(again.unwrap_err().raw_os_error(), error.raw_os_error());
        assert_eq!(bench.results(), [(7, of_the_unsent)]);
    }
}

#[test]
fn a_context_that_is_gone_while_waiting_breaks_the_queue() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..3);
    bench.kernel.script().reap_errors.push_back(Errno::INVAL);
    let broken = bench.queue.drive(Wait::For(1), &mut bench.done);
    assert_eq!(broken.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    let mut events = Vec::new();
    bench.done.drain(..).for_each(|one| one.report(&mut events));
    assert_eq!(events.len(), 3);
    for event in events {
        let kind = event.get_result().unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::BrokenPipe);
        assert!(event.buffer().is_none(), "the kernel may still write to it");
    }
}

#[test]
fn a_doorbell_that_the_kernel_does_not_know_is_found_at_the_start() {
    let kernel = ScriptedKernel::default();
    kernel.answers_next([Err(Errno::INVAL)]);
    let mut queue = Queue::<(), _>::new(kernel, Waker::new().unwrap(), 1);
    assert_eq!(queue.try_out(), Err(("io_submit", Errno::INVAL)));

    let kernel = ScriptedKernel::default();
    kernel.script().reap_errors.push_back(Errno::NOSYS);
    let mut queue = Queue::<(), _>::new(kernel, Waker::new().unwrap(), 1);
    assert_eq!(queue.try_out(), Err(("io_getevents", Errno::NOSYS)));
}

#[test]
fn d5_a_signal_at_the_start_is_no_reason_not_to_start() {
    let kernel = ScriptedKernel::default();
    kernel.answers_next([Err(Errno::INTR)]);
    kernel.script().reap_errors.push_back(Errno::INTR);
    let mut queue = Queue::<(), _>::new(kernel, Waker::new().unwrap(), 1);
    assert_eq!(queue.try_out(), Ok(()));
}

#[test]
fn without_memory_for_the_doorbell_a_sleep_is_cut_short_and_never_deaf() {
    let kernel = ScriptedKernel::default();
    let mut queue = Queue::<(), _>::new(kernel.clone(), Waker::new().unwrap(), 1);
    kernel.answers_next([Err(Errno::AGAIN); 8]);
    let start = Instant::now();
    let hour = Duration::from_secs(3600);
    queue
        .drive(Wait::Until(start + hour), &mut Vec::new())
        .unwrap();
    assert!(kernel.script().accepted.is_empty());
    queue
        .drive(Wait::Until(start + hour), &mut Vec::new())
        .unwrap();
    assert!(is_doorbell(&kernel.script().accepted[0]));
}

#[test]
fn a_ring_ends_a_sleep_for_several_and_counts_for_none() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..4);
    bench
        .kernel
        .answers_next([Ok(2), Err(Errno::AGAIN), Err(Errno::AGAIN)]);
    bench.kernel.script().rings = true;
    bench.drive(Wait::For(4));
    assert_eq!(bench.results(), all_good(0..2));
    assert_eq!(bench.queue.in_flight(), 2);

    // It is armed again before the next sleep.
    bench.drive(Wait::For(4));
    assert_eq!(bench.results(), all_good(2..4));
    let script = bench.kernel.script();
    assert_eq!(
        script
            .accepted
            .iter()
            .filter(|one| is_doorbell(one))
            .count(),
        2
    );
}

#[test]
fn what_the_kernel_does_not_let_go_of_is_leaked_and_never_freed() {
    for refuses_to_close in [true, false] {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut bench = Bench::with_depth(2);
        bench.kernel.script().holds = true;
        bench.kernel.script().refuses_to_close = refuses_to_close;
        let event = IOEvent::new(&file, Buffer::from(vec![0; 8]), IOAction::Read, 0);
        bench.queue.push(Request::from(event)).unwrap();
        bench.drive(Wait::Never);
        bench.kernel.script().reap_errors.push_back(Errno::PERM);
        drop(bench.queue);
        assert_eq!(bench.kernel.script().closed, !refuses_to_close);
        let owners = if refuses_to_close { 2 } else { 1 };
        assert_eq!(Arc::strong_count(&file), owners);
    }
}

#[test]
fn drop_waits_for_all_that_the_kernel_has_and_drops_what_it_never_got() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let mut bench = Bench::with_depth(4);
    for _ in 0..4 {
        if bench.queue.in_flight() == 2 {
            bench.kernel.script().holds = true;
            bench.drive(Wait::Never);
        }
        let event = IOEvent::new(&file, Buffer::from(vec![0; 8]), IOAction::Read, 0);
        bench.queue.push(Request::from(event)).unwrap();
    }
    assert_eq!(Arc::strong_count(&file), 5);
    bench.kernel.script().holds = false;
    drop(bench.queue);
    let script = bench.kernel.script();
    assert_eq!(script.accepted.len(), 3, "the doorbell and two requests");
    assert_eq!(script.finished_count, 3);
    assert!(script.closed);
    assert_eq!(Arc::strong_count(&file), 1);
}

#[test]
fn what_is_abandoned_comes_back_and_the_kernel_is_left_alone() {
    let mut bench = Bench::with_depth(8);
    bench.kernel.script().holds = true;
    bench.push_reads(0..2);
    bench.drive(Wait::Never);
    bench.push_reads(2..4);
    bench.queue.abandon(&mut bench.done);
    assert_eq!(bench.queue.in_flight(), 0);
    let results = bench.results();
    assert_eq!(results.len(), 4);
    // An errno of the engine's own.
    assert!(results.iter().all(|(_, res)| *res < -4095), "{results:?}");

    let kernel = bench.kernel.clone();
    drop(bench);
    let script = kernel.script();
    assert!(script.left, "io_destroy would wait for what hangs");
}

/// io_destroy would wait for what the kernel had when the queue broke.
#[test]
fn a_queue_that_is_abandoned_after_it_broke_is_left_alone_as_well() {
    let mut bench = Bench::with_depth(8);
    bench.kernel.script().holds = true;
    bench.push_reads(0..2);
    bench.drive(Wait::Never);
    bench.kernel.script().reap_errors.push_back(Errno::INVAL);
    for _ in 0..2 {
        let broken = bench.queue.drive(Wait::For(1), &mut bench.done);
        assert_eq!(broken.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
    bench.queue.abandon(&mut bench.done);
    assert_eq!(bench.results().len(), 2);
    let kernel = bench.kernel.clone();
    drop(bench);
    assert!(kernel.script().left);
}

/// What is left would be charged to `fs.aio-max-nr` until the process ends.
#[test]
fn with_nothing_in_the_kernel_what_is_abandoned_is_closed_all_the_same() {
    let mut bench = Bench::with_depth(8);
    bench.push_reads(0..2);
    bench.drive(Wait::Never);
    bench.push_reads(2..4);
    bench.queue.abandon(&mut bench.done);
    assert_eq!(bench.results().len(), 4);
    let kernel = bench.kernel.clone();
    drop(bench);
    let script = kernel.script();
    assert!(script.closed && !script.left);
}
