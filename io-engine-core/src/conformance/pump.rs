//! Drives a backend as the event loop does, and counts while it does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::probe::{Log, Probe};
use crate::backend::{Backend, Wait};
use crate::completion::Completion;
use crate::delivery::deliver;
use crate::event::IOEvent;
use crate::merged::MergedEvents;
use crate::refusal::Full;
use crate::request::Request;

/// Far more than any case takes; what takes longer never ends.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// One backend with what waits for it.
pub(super) struct Pump<'a, B> {
    backend: B,
    log: &'a Arc<Log>,
    waiting: VecDeque<Request<Probe>>,
    inside: usize,
    done: Vec<Completion<Probe>>,
    finished: Vec<IOEvent<Probe>>,
    again: Vec<Request<Probe>>,
    deadline: Instant,
}

impl<'a, B: Backend<Probe>> Pump<'a, B> {
    pub(super) fn new(backend: B, log: &'a Arc<Log>) -> Self {
        Self {
            backend,
            log,
            waiting: VecDeque::new(),
            inside: 0,
            done: Vec::new(),
            finished: Vec::new(),
            again: Vec::new(),
            deadline: Instant::now() + DEADLINE,
        }
    }

    /// Queues `event` and returns the number that [`take`](Self::take) knows it by.
    pub(super) fn submit(&mut self, mut event: IOEvent<Probe>) -> u64 {
        let id = self.log.attach(&mut event);
        self.waiting.push_back(Request::from(event));
        id
    }

    /// Gives `event` its callback, and returns the number that [`take`](Self::take) knows it by.
    pub(super) fn attach(&self, event: &mut IOEvent<Probe>) -> u64 {
        self.log.attach(event)
    }

    /// Queues a request whose events have been [attached](Self::attach).
    pub(super) fn submit_request(&mut self, request: Request<Probe>) {
        self.waiting.push_back(request);
    }

    /// Queues `events` as one run.
    pub(super) fn submit_run(&mut self, mut events: Vec<IOEvent<Probe>>) -> Vec<u64> {
        let attach = |event| self.log.attach(event);
        let ids = events.iter_mut().map(attach).collect();
        let merged = MergedEvents::new(events).expect("the events form a run");
        let carrier = IOEvent::from_merged(merged);
        self.waiting.push_back(Request::from(carrier));
        ids
    }

    /// Pushes what fits, drives once, carries on what is not at its end, delivers what is.
    pub(super) fn step(&mut self, wait: Wait) {
        while let Some(request) = self.waiting.pop_front() {
            if let Err(Full(request)) = self.backend.push(request) {
                assert_eq!(
                    self.inside,
                    self.backend.capacity(),
                    "full before it is full"
                );
                self.waiting.push_front(request);
                break;
            }
            self.inside += 1;
            self.assert_counts();
        }
        let driven = self.backend.drive(wait, &mut self.done);
        driven.expect("the queue is not broken");
        let left = self.inside.checked_sub(self.done.len());
        self.inside = left.expect("at most one completion per request");
        self.assert_counts();
        for completion in self.done.drain(..) {
            completion.settle(&mut self.finished, &mut self.again);
        }
        self.waiting.extend(self.again.drain(..));
        for event in self.finished.drain(..) {
            deliver(event).expect("a probe was called once");
        }
    }

    /// Steps until nothing waits and nothing is inside.
    pub(super) fn run(&mut self) {
        while self.is_busy() {
            assert!(
                Instant::now() < self.deadline,
                "not finished in {DEADLINE:?}, {:?}",
                self.log.still_inside()
            );
            self.step(Wait::For(1));
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.inside > 0 || !self.waiting.is_empty()
    }

    /// The finished event with this number.
    pub(super) fn take(&self, id: u64) -> IOEvent<Probe> {
        let event = self.log.take(id);
        event.unwrap_or_else(|| panic!("event {id} was not called back"))
    }

    /// All finished events that were not taken yet.
    pub(super) fn take_all(&self) -> BTreeMap<u64, IOEvent<Probe>> {
        self.log.take_all()
    }

    /// Carries out one event.
    pub(super) fn perform(&mut self, event: IOEvent<Probe>) -> IOEvent<Probe> {
        let id = self.submit(event);
        self.run();
        self.take(id)
    }

    /// Carries out `events`, all at once as far as the depth allows; they come back in their order.
    pub(super) fn perform_all(&mut self, events: Vec<IOEvent<Probe>>) -> Vec<IOEvent<Probe>> {
        let ids: Vec<u64> = events.into_iter().map(|event| self.submit(event)).collect();
        self.run();
        ids.into_iter().map(|id| self.take(id)).collect()
    }

    /// Carries out `events` as one run.
    pub(super) fn perform_run(&mut self, events: Vec<IOEvent<Probe>>) -> Vec<IOEvent<Probe>> {
        let ids = self.submit_run(events);
        self.run();
        ids.into_iter().map(|id| self.take(id)).collect()
    }

    fn assert_counts(&self) {
        assert_eq!(
            self.backend.in_flight(),
            self.inside,
            "in_flight is what was pushed and not yet yielded"
        );
        assert!(self.inside <= self.backend.capacity());
    }
}
