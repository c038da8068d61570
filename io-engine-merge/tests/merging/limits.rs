//! The limits hold, whatever has been collected before.

use std::cell::RefCell;

use bytes::Bytes;
use io_engine_core::{IOAction, IOEvent, TRANSFER_BYTES_MAX};
use io_engine_merge::{MergeLimits, MergeSubmitter};

use crate::tagged::{FD, Journal, Tag};

/// Offset and size of what is sent for writes of these sizes that lie one behind the other.
fn sent_for(sizes: &[usize], limits: impl Into<MergeLimits>) -> Vec<(i64, u64)> {
    let (journal, sent) = (Journal::default(), RefCell::new(Vec::new()));
    let sender = |event: IOEvent<Tag>| {
        sent.borrow_mut().push((event.offset(), event.get_size()));
        Ok(())
    };
    let mut submitter = MergeSubmitter::new(FD, sender, limits, IOAction::Write);
    let mut offset = 0;
    for (id, &size) in sizes.iter().enumerate() {
        submitter
            .add_event(journal.write(id, offset, size))
            .unwrap();
        offset += i64::try_from(size).unwrap();
    }
    submitter.flush().unwrap();
    drop(submitter);
    sent.into_inner()
}

#[test]
fn d9_three_and_two_kilobytes_with_a_limit_of_four_make_two_requests() {
    assert_eq!(sent_for(&[3072, 2048], 4096), [(0, 3072), (3072, 2048)]);
    assert_eq!(
        sent_for(&[3072, 1024, 2048], 4096),
        [(0, 4096), (4096, 2048)]
    );
}

#[test]
fn d9_a_total_that_is_no_multiple_of_512_is_merged_like_any_other() {
    assert_eq!(sent_for(&[100, 411, 1, 7], 4096), [(0, 519)]);
}

#[test]
fn d9_what_is_longer_than_the_limit_goes_alone_between_its_neighbours() {
    assert_eq!(
        sent_for(&[10, 20, 101, 30, 40], 100),
        [(0, 30), (30, 101), (131, 70)]
    );
}

#[test]
fn d9_what_the_kernel_moves_in_one_call_is_never_exceeded() {
    // A gibibyte that is never touched costs address space only.
    let memory = Bytes::from(vec![0; 1 << 30]);
    let half = |offset| IOEvent::<()>::new(FD, memory.clone().into(), IOAction::Write, offset);
    let sent = RefCell::new(Vec::new());
    let sender = |event: IOEvent<()>| {
        sent.borrow_mut().push(event.get_size());
        Ok(())
    };
    let mut submitter = MergeSubmitter::new(FD, sender, usize::MAX, IOAction::Write);
    for offset in [0, 1 << 30] {
        submitter.add_event(half(offset)).unwrap();
    }
    drop(submitter);
    const { assert!(TRANSFER_BYTES_MAX < 1 << 31) };
    assert_eq!(sent.into_inner(), [1 << 30, 1 << 30]);
}

#[test]
fn as_many_events_as_the_limit_allows_share_a_request() {
    let limits = MergeLimits::default().with_events_max(3);
    assert_eq!(sent_for(&[8; 7], limits), [(0, 24), (24, 24), (48, 8)]);
    let nothing_merges = MergeLimits::default().with_events_max(1);
    assert_eq!(sent_for(&[8; 2], nothing_merges), [(0, 8), (8, 8)]);
}

#[test]
fn a_full_run_is_sent_at_once() {
    let (journal, sent) = (Journal::default(), RefCell::new(0));
    let sender = |_event: IOEvent<Tag>| {
        *sent.borrow_mut() += 1;
        Ok(())
    };
    let mut submitter = MergeSubmitter::new(FD, &sender, 100, IOAction::Write);
    submitter.add_event(journal.write(0, 0, 60)).unwrap();
    assert_eq!((*sent.borrow(), submitter.pending()), (0, 1));
    submitter.add_event(journal.write(1, 60, 40)).unwrap();
    assert_eq!((*sent.borrow(), submitter.pending()), (1, 0));
    submitter.add_event(journal.write(2, 100, 100)).unwrap();
    assert_eq!((*sent.borrow(), submitter.pending()), (2, 0));
}
