//! A sender that fails at the n-th send, for every n: nothing is lost, nothing is sent twice.

use std::cell::{Cell, RefCell};

use io_engine_core::{IOAction, IOEvent};
use io_engine_merge::{MergeError, MergeSubmitter};

use crate::tagged::{FD, Journal, Tag};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Once,
    FromThenOn,
}

/// Takes what is sent, but for the n-th attempt.
struct Wire {
    attempts: Cell<usize>,
    fail_at: usize,
    fails: Fails,
    sent: RefCell<Vec<IOEvent<Tag>>>,
}

impl Wire {
    fn new(fail_at: usize, fails: Fails) -> Self {
        Self {
            attempts: Cell::new(0),
            fail_at,
            fails,
            sent: RefCell::new(Vec::new()),
        }
    }

    fn take(&self, event: IOEvent<Tag>) -> Result<(), IOEvent<Tag>> {
        let attempt = self.attempts.replace(self.attempts.get() + 1);
        let fails = match self.fails {
            Fails::Once => attempt == self.fail_at,
            Fails::FromThenOn => attempt >= self.fail_at,
        };
        if fails {
            return Err(event);
        }
        self.sent.borrow_mut().push(event);
        Ok(())
    }

    /// The numbers of the events in each thing sent.
    fn sent_ids(self, journal: &Journal) -> Vec<usize> {
        let sent = self.sent.into_inner();
        journal.ids(sent.into_iter().flat_map(IOEvent::into_events))
    }
}

/// Runs of several lengths, lone ones, one that never merges, and one that fills the limit.
const SCRIPT: [(i64, usize); 13] = [
    (0, 10),
    (10, 10),
    (20, 10),
    (500, 10),
    (900, 10),
    (910, 200),
    (1110, 10),
    (1120, 10),
    (-1, 10),
    (2000, 60),
    (2060, 40),
    (2100, 10),
    (2110, 10),
];

const SENDS: usize = 8;

fn script(journal: &Journal) -> impl Iterator<Item = IOEvent<Tag>> {
    let plan = SCRIPT.iter().enumerate();
    plan.map(|(id, &(offset, len))| journal.write(id, offset, len))
}

fn events_of(result: Result<(), MergeError<Tag>>) -> Vec<IOEvent<Tag>> {
    result.err().map_or_else(Vec::new, MergeError::into_events)
}

#[test]
fn the_script_makes_as_many_sends_as_the_loops_below_reckon_with() {
    let (journal, wire) = (Journal::default(), Wire::new(usize::MAX, Fails::Once));
    let mut submitter = MergeSubmitter::new(FD, |event| wire.take(event), 100, IOAction::Write);
    for event in script(&journal) {
        submitter.add_event(event).unwrap();
    }
    drop(submitter);
    assert_eq!(wire.attempts.get(), SENDS);
    assert_eq!(
        wire.sent_ids(&journal),
        (0..SCRIPT.len()).collect::<Vec<_>>()
    );
}

#[test]
fn d10_whichever_send_fails_each_event_is_sent_or_given_back_or_ended() {
    for (fail_at, fails) in every_failure() {
        let (journal, wire) = (Journal::default(), Wire::new(fail_at, fails));
        let mut submitter = MergeSubmitter::new(FD, |event| wire.take(event), 100, IOAction::Write);
        let mut given_back = Vec::new();
        for event in script(&journal) {
            let back = events_of(submitter.add_event(event));
            given_back.extend(journal.ids(back));
        }
        drop(submitter);
        let ended = journal.take();
        assert!(ended.iter().all(|called| called.result().is_err()));
        let ended: Vec<usize> = ended.iter().map(|called| called.id).collect();
        let sent = wire.sent_ids(&journal);
        assert!(sent.is_sorted(), "{sent:?}: order, {fails:?} at {fail_at}");
        assert!(given_back.is_sorted(), "{given_back:?}: order");
        assert!(sent.len() < SCRIPT.len(), "{fails:?} at {fail_at}");
        let mut all = [sent, given_back, ended].concat();
        all.sort_unstable();
        assert_eq!(
            all,
            (0..SCRIPT.len()).collect::<Vec<_>>(),
            "{fails:?} at {fail_at}"
        );
    }
}

#[test]
fn d10_what_is_given_back_can_be_handed_over_again_in_order() {
    for fail_at in 0..SENDS {
        let (journal, wire) = (Journal::default(), Wire::new(fail_at, Fails::Once));
        let mut submitter = MergeSubmitter::new(FD, |event| wire.take(event), 100, IOAction::Write);
        let mut retried = 0;
        for event in script(&journal) {
            for again in events_of(submitter.add_event(event)) {
                retried += 1;
                submitter.add_event(again).unwrap();
            }
        }
        for again in events_of(submitter.flush()) {
            retried += 1;
            submitter.add_event(again).unwrap();
        }
        drop(submitter);
        assert!(retried > 0, "send {fail_at} has failed");
        let sent = wire.sent_ids(&journal);
        assert_eq!(
            sent,
            (0..SCRIPT.len()).collect::<Vec<_>>(),
            "fail at {fail_at}"
        );
    }
}

fn every_failure() -> impl Iterator<Item = (usize, Fails)> {
    (0..SENDS).flat_map(|at| [(at, Fails::Once), (at, Fails::FromThenOn)])
}
