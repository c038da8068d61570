//! Any sequence of events: each arrives exactly once, in order, merged as far as the rules allow.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use bytes::Bytes;
use io_engine_core::{Buffer, Completion, IOAction, IOEvent, MergedEvents, Request};
use io_engine_merge::{MergeError, MergeLimits, MergeSubmitter, Run};
use proptest::prelude::*;

use crate::tagged::{FD, Journal, Tag};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    Own,
    Shared,
    None,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Follow,
    At(i64),
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    place: Place,
    size: usize,
    action: IOAction,
    memory: Memory,
    other_file: bool,
    /// What the kernel answered when the event was handed over before.
    answered: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(Plan),
    Flush,
}

/// A plan with its place in the file.
#[derive(Clone, Copy, Debug)]
struct Facts {
    plan: Plan,
    offset: i64,
}

impl Facts {
    fn event(&self, journal: &Journal, id: usize) -> IOEvent<Tag> {
        let Plan { size, action, .. } = self.plan;
        let fd = if self.plan.other_file { FD + 1 } else { FD };
        let mut event = match self.plan.memory {
            Memory::None => IOEvent::new_no_buf(fd, action, self.offset, size as u64),
            Memory::Own => IOEvent::new(fd, Buffer::from(vec![0; size]), action, self.offset),
            Memory::Shared => {
                let shared = Bytes::from(vec![0; size]);
                IOEvent::new(fd, shared.into(), action, self.offset)
            }
        };
        if let Some(answer) = self.plan.answered {
            let mut reported = Vec::new();
            Completion::from_kernel(Request::from(event), answer).report(&mut reported);
            event = reported.remove(0);
        }
        journal.tag(id, event)
    }

    fn is_misdirected(&self, action: IOAction) -> bool {
        self.plan.other_file || self.plan.action != action
    }

    fn end(&self) -> i128 {
        i128::from(self.offset) + self.plan.size as i128
    }

    /// Told anew, in words of this test, and not by the ladder.
    fn can_merge(&self, limits: MergeLimits) -> bool {
        let Plan {
            size,
            action,
            memory,
            answered,
            ..
        } = self.plan;
        let memory_fits = memory == Memory::Own && action == IOAction::Read
            || memory != Memory::None && action == IOAction::Write;
        let in_file = self.offset >= 0 && self.end() <= i128::from(i64::MAX);
        memory_fits && in_file && answered.is_none() && (1..=limits.bytes_max()).contains(&size)
    }
}

/// Whether `next` could have joined `run`.
fn could_join(run: &[Facts], next: &Facts, limits: MergeLimits) -> bool {
    let last = run.last().unwrap();
    let bytes: usize = run.iter().map(|facts| facts.plan.size).sum();
    run.iter().all(|facts| facts.can_merge(limits))
        && next.can_merge(limits)
        && last.end() == i128::from(next.offset)
        && last.plan.action == next.plan.action
        && last.plan.other_file == next.plan.other_file
        && bytes + next.plan.size <= limits.bytes_max()
        && run.len() < limits.events_max()
}

fn resolve(plans: impl IntoIterator<Item = Plan>) -> Vec<Facts> {
    let mut end = 0;
    let mut resolved = Vec::new();
    for plan in plans {
        let offset = match plan.place {
            Place::Follow => end,
            Place::At(offset) => offset,
        };
        end = offset.saturating_add_unsigned(plan.size as u64);
        resolved.push(Facts { plan, offset });
    }
    resolved
}

fn actions() -> impl Strategy<Value = IOAction> {
    prop_oneof![
        6 => Just(IOAction::Write),
        6 => Just(IOAction::Read),
        1 => Just(IOAction::Sync),
        1 => Just(IOAction::Allocate),
    ]
}

fn places() -> impl Strategy<Value = Place> {
    prop_oneof![
        12 => Just(Place::Follow),
        2 => (0..60_i64).prop_map(Place::At),
        1 => (-3..0_i64).prop_map(Place::At),
        1 => (0..80_i64).prop_map(|before| Place::At(i64::MAX - before)),
        1 => Just(Place::At(i64::MIN)),
    ]
}

fn plans(action: impl Strategy<Value = IOAction>) -> impl Strategy<Value = Plan> {
    let size = prop_oneof![12 => 1..20_usize, 1 => Just(0), 1 => 20..80_usize];
    let memory = prop_oneof![
        20 => Just(Memory::Own),
        2 => Just(Memory::Shared),
        1 => Just(Memory::None),
    ];
    let answered = prop_oneof![
        20 => Just(None),
        1 => (0..20_i64).prop_map(Some),
        1 => Just(Some(-5)),
    ];
    let other_file = prop::bool::weighted(0.04);
    (places(), size, action, memory, other_file, answered).prop_map(
        |(place, size, action, memory, other_file, answered)| Plan {
            place,
            size,
            action,
            memory,
            other_file,
            answered: answered.map(|answer| answer.min(size.try_into().unwrap())),
        },
    )
}

/// Steps for a submitter of one action; now and then an event of another one.
fn scripts() -> impl Strategy<Value = (IOAction, Vec<Step>)> {
    actions().prop_flat_map(|action| {
        let mostly = prop_oneof![15 => Just(action), 1 => actions()];
        let step = prop_oneof![15 => plans(mostly).prop_map(Step::Add), 1 => Just(Step::Flush)];
        (Just(action), prop::collection::vec(step, 0..40))
    })
}

fn limits() -> impl Strategy<Value = MergeLimits> {
    (0..100_usize, 0..8_usize)
        .prop_map(|(bytes, events)| MergeLimits::from(bytes).with_events_max(events))
}

fn plans_of(steps: &[Step]) -> Vec<Facts> {
    resolve(steps.iter().filter_map(|step| match step {
        Step::Add(plan) => Some(*plan),
        Step::Flush => None,
    }))
}

struct Outcome {
    sent: Vec<IOEvent<Tag>>,
    accepted: Vec<usize>,
    refused: Vec<usize>,
    /// The number of the first event after each flush.
    flushed_before: Vec<usize>,
}

fn play(
    action: IOAction,
    steps: &[Step],
    facts: &[Facts],
    limits: MergeLimits,
    journal: &Journal,
) -> Outcome {
    let sent = RefCell::new(Vec::new());
    let sender = |event: IOEvent<Tag>| {
        sent.borrow_mut().push(event);
        Ok(())
    };
    let (mut accepted, mut refused, mut flushed_before) = (Vec::new(), Vec::new(), Vec::new());
    let mut submitter = MergeSubmitter::new(FD, sender, limits, action);
    let mut id = 0;
    for step in steps {
        match step {
            Step::Flush => {
                submitter.flush().unwrap();
                flushed_before.push(id);
            }
            Step::Add(_) => {
                match submitter.add_event(facts[id].event(journal, id)) {
                    Ok(()) => accepted.push(id),
                    Err(MergeError::Misdirected(back)) => refused.extend(journal.ids([back.event])),
                    Err(MergeError::SendFailed(_)) => panic!("this sender never fails"),
                }
                id += 1;
            }
        }
    }
    drop(submitter);
    Outcome {
        sent: sent.into_inner(),
        accepted,
        refused,
        flushed_before,
    }
}

/// One thing that was sent: what it says of itself, and what is in it.
struct Sent {
    offset: i64,
    size: u64,
    action: IOAction,
    ids: Vec<usize>,
    run: Vec<Facts>,
}

impl Sent {
    fn open(event: IOEvent<Tag>, facts: &[Facts], journal: &Journal) -> Self {
        let (offset, size, action) = (event.offset(), event.get_size(), event.action());
        let ids = journal.ids(event.into_events());
        let run = ids.iter().map(|id| facts[*id]).collect();
        Self {
            offset,
            size,
            action,
            ids,
            run,
        }
    }

    fn check(&self, limits: MergeLimits) {
        let first = &self.run[0];
        assert_eq!(self.offset, first.offset);
        assert_eq!(self.action, first.plan.action);
        let bytes: usize = self.run.iter().map(|facts| facts.plan.size).sum();
        assert_eq!(self.size, bytes as u64);
        for cut in 1..self.run.len() {
            assert!(
                could_join(&self.run[..cut], &self.run[cut], limits),
                "{:?}",
                self.run
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_event_arrives_exactly_once_in_order_and_merged_as_far_as_the_rules_allow(
        (action, steps) in scripts(),
        limits in limits(),
    ) {
        let (journal, facts) = (Journal::default(), plans_of(&steps));
        let outcome = play(action, &steps, &facts, limits, &journal);
        let (back, taken): (Vec<usize>, Vec<usize>) =
            (0..facts.len()).partition(|id| facts[*id].is_misdirected(action));
        prop_assert_eq!(outcome.refused, back);
        prop_assert_eq!(outcome.accepted, taken.clone());

        let opened = outcome.sent.into_iter().map(|event| Sent::open(event, &facts, &journal));
        let sent: Vec<Sent> = opened.collect();
        let arrived: Vec<usize> = sent.iter().flat_map(|one| one.ids.clone()).collect();
        prop_assert_eq!(arrived, taken);
        for one in &sent {
            one.check(limits);
        }
        for pair in sent.windows(2) {
            let (last, first) = (*pair[0].ids.last().unwrap(), pair[1].ids[0]);
            let flushed = outcome.flushed_before.iter().any(|at| last < *at && *at <= first);
            prop_assert!(
                flushed || !could_join(&pair[0].run, &pair[1].run[0], limits),
                "{:?} was not joined to {:?}", pair[1].run[0], pair[0].run
            );
        }
    }

    #[test]
    fn a_sender_that_fails_now_and_then_loses_and_doubles_nothing(
        (action, steps) in scripts(),
        limits in limits(),
        fails in prop::collection::vec(prop::bool::weighted(0.3), 0..60),
        gives_up in any::<bool>(),
    ) {
        let (journal, facts) = (Journal::default(), plans_of(&steps));
        let (sent, attempts) = (RefCell::new(Vec::new()), Cell::new(0));
        let sender = |event: IOEvent<Tag>| {
            let attempt = attempts.replace(attempts.get() + 1);
            if fails.get(attempt).copied().unwrap_or(false) {
                return Err(event);
            }
            sent.borrow_mut().push(event);
            Ok(())
        };
        let mut submitter = MergeSubmitter::new(FD, sender, limits, action);
        let (mut given_back, mut misdirected) = (Vec::new(), Vec::new());
        for (id, facts) in facts.iter().enumerate() {
            let mut to_add = VecDeque::from([facts.event(&journal, id)]);
            while let Some(event) = to_add.pop_front() {
                match submitter.add_event(event) {
                    Ok(()) => {}
                    Err(MergeError::SendFailed(back)) if !gives_up => {
                        // In order: what came back goes before what has not been added yet.
                        back.into_iter().rev().for_each(|event| to_add.push_front(event));
                    }
                    Err(MergeError::SendFailed(back)) => given_back.extend(journal.ids(back)),
                    Err(MergeError::Misdirected(back)) => {
                        misdirected.extend(journal.ids([back.event]));
                    }
                }
            }
        }
        drop(submitter);
        let ended: Vec<usize> = journal.take().iter().map(|called| called.id).collect();
        let sent = journal.ids(sent.into_inner().into_iter().flat_map(IOEvent::into_events));
        prop_assert!(sent.is_sorted(), "order: {sent:?}");
        prop_assert!(given_back.is_sorted(), "order: {given_back:?}");
        let mut all = [sent, given_back, misdirected, ended].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..facts.len()).collect::<Vec<_>>());
    }

    #[test]
    fn the_ladder_accepts_exactly_what_the_core_joins(
        plans in prop::collection::vec(
            prop_oneof![plans(Just(IOAction::Write)), plans(Just(IOAction::Read)), plans(actions())],
            2..5,
        ),
        same_action in any::<bool>(),
    ) {
        let journal = Journal::default();
        let first_action = plans[0].action;
        let plans = plans.into_iter().map(|plan| Plan {
            action: if same_action { first_action } else { plan.action },
            ..plan
        });
        let facts = resolve(plans);
        let events = facts.iter().enumerate().map(|(id, facts)| facts.event(&journal, id));
        let events: Vec<_> = events.collect();
        let limits = MergeLimits::from(usize::MAX);
        let mut run = Run::begin(&events[0], limits);
        for event in &events[1..] {
            run = run.and_then(|run| run.extended(event, limits));
        }
        let core = MergedEvents::new(events);
        prop_assert_eq!(run.is_ok(), core.is_ok(), "{:?} {:?}", run, core);
    }
}
