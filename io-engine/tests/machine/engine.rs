//! One way of running the engine, whichever it is: events in, the same events out.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine::callback_worker::{CallbackWorker, IOWorkers, Inline};
use io_engine::merge::{MergeCounters, MergeLimits};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Submitter, Wait};

use super::DEADLINE;

/// How events get to the engine and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `EventLoop`, on the thread of the test.
    Loop,
    /// `IOContext` with the engine's channel, callbacks on the loop's thread.
    Inline,
    /// `IOContext` with the engine's channel, callbacks on a pool.
    Workers,
    /// `IOContext` with a plain crossbeam receiver, callbacks on a pool.
    Plain,
}

pub(crate) const WAYS: [Way; 4] = [Way::Loop, Way::Inline, Way::Workers, Way::Plain];

/// Sends the finished event to the test, with the number that it was given.
pub(crate) struct Reply {
    number: usize,
    to: Sender<(usize, IOEvent<Self>)>,
}

impl Reply {
    /// Sends the event elsewhere than to the engine's test, as number 0.
    pub(crate) fn telling(to: Sender<(usize, IOEvent<Self>)>) -> Self {
        Self { number: 0, to }
    }
}

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        self.to
            .send((self.number, event))
            .expect("the test listens");
    }
}

/// An engine of one driver, run in one way.
pub(crate) struct Engine {
    inside: Inside,
    reply: Sender<(usize, IOEvent<Reply>)>,
    replies: Receiver<(usize, IOEvent<Reply>)>,
}

#[allow(clippy::large_enum_variant, reason = "one per test, moved once")]
enum Inside {
    Loop(EventLoop<Reply>),
    Channel(IOContext<Reply>, Submitter<Reply>),
    Plain(
        IOContext<Reply, Receiver<IOEvent<Reply>>>,
        Sender<IOEvent<Reply>>,
    ),
}

/// Above the number of events that any test has under way.
const REPLIES_MAX: usize = 16_384;

/// The channel of an engine that merges: there is more to join than the depth.
const CHANNEL: usize = 1024;

impl Engine {
    pub(crate) fn new(driver: Driver, way: Way, depth: usize) -> Self {
        let inside = match way {
            Way::Loop => Inside::Loop(EventLoop::new(depth, driver).expect("it started before")),
            Way::Inline => channel(driver, depth, &Inline),
            Way::Workers => channel(driver, depth, &IOWorkers::new(2)),
            Way::Plain => {
                let (tx, rx) = bounded(depth);
                let ctx = IOContext::new(depth, rx, &IOWorkers::new(1), driver);
                Inside::Plain(ctx.expect("it started before"), tx)
            }
        };
        Self::around(inside)
    }

    /// As [`new`](Self::new), and merges.
    pub(crate) fn merging(driver: Driver, way: Way, depth: usize, limits: MergeLimits) -> Self {
        let inside = match way {
            Way::Loop => {
                let builder = EventLoop::builder().depth(depth).driver(driver);
                Inside::Loop(builder.merge(limits).build().expect("it started before"))
            }
            Way::Inline => merging_channel(driver, depth, limits, &Inline),
            Way::Workers => merging_channel(driver, depth, limits, &IOWorkers::new(2)),
            Way::Plain => {
                let (tx, rx) = bounded(depth);
                let builder = IOContext::builder().depth(depth).driver(driver);
                let ctx = builder.merge(limits).build(rx, &IOWorkers::new(1));
                Inside::Plain(ctx.expect("it started before"), tx)
            }
        };
        Self::around(inside)
    }

    /// Around a context that the test has built.
    pub(crate) fn of_context(ctx: IOContext<Reply>, tx: Submitter<Reply>) -> Self {
        Self::around(Inside::Channel(ctx, tx))
    }

    /// Around a loop that the test has built.
    pub(crate) fn of_loop(engine: EventLoop<Reply>) -> Self {
        Self::around(Inside::Loop(engine))
    }

    fn around(inside: Inside) -> Self {
        let (reply, replies) = bounded(REPLIES_MAX);
        Self {
            inside,
            reply,
            replies,
        }
    }

    /// A callback that makes the event count as number `number`.
    pub(crate) fn callback(&self, number: usize) -> Reply {
        let to = self.reply.clone();
        Reply { number, to }
    }

    /// Hands all `events` over in order, as one batch where there are batches, and returns them
    /// finished, in the same order. Each has had exactly one callback.
    pub(crate) fn carry_out(&mut self, events: Vec<IOEvent<Reply>>) -> Vec<IOEvent<Reply>> {
        let count = events.len();
        let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
            let to = self.reply.clone();
            event.set_callback(Reply { number, to });
            event
        });
        submit(&mut self.inside, numbered);
        self.collect(count)
    }

    pub(crate) fn one(&mut self, event: IOEvent<Reply>) -> IOEvent<Reply> {
        self.carry_out(vec![event]).remove(0)
    }

    /// Hands `events` over as they are, without giving them a callback, and returns at once.
    pub(crate) fn submit(&mut self, events: Vec<IOEvent<Reply>>) {
        submit(&mut self.inside, events.into_iter());
    }

    /// As [`submit`](Self::submit), each part by a sender of its own where there are senders.
    pub(crate) fn submit_from_many(&mut self, parts: Vec<Vec<IOEvent<Reply>>>) {
        match &mut self.inside {
            Inside::Loop(_) => parts.into_iter().for_each(|part| self.submit(part)),
            Inside::Channel(_, tx) => from_many(parts, |part| {
                tx.send_batch(part).expect("the context lives");
            }),
            Inside::Plain(_, tx) => from_many(parts, |part| {
                let send = |event| tx.send(event).expect("the context lives");
                part.into_iter().for_each(send);
            }),
        }
    }

    /// Lets the engine do what it can do without waiting, on whichever thread.
    pub(crate) fn go_on(&mut self) {
        match &mut self.inside {
            Inside::Loop(engine) => {
                engine.run(Wait::Never).expect("the queue is sound");
            }
            Inside::Channel(..) | Inside::Plain(..) => thread::yield_now(),
        }
    }

    /// What has been merged; `None` if it does not merge.
    pub(crate) fn merge_counters(&self) -> Option<MergeCounters> {
        match &self.inside {
            Inside::Loop(engine) => engine.merge_counters(),
            Inside::Channel(ctx, _) => ctx.merge_counters(),
            Inside::Plain(ctx, _) => ctx.merge_counters(),
        }
    }

    /// The next `count` finished events, in the order of their numbers, which must be 0 and up.
    pub(crate) fn collect(&mut self, count: usize) -> Vec<IOEvent<Reply>> {
        let mut done: Vec<_> = (0..count).map(|_| None).collect();
        for _ in 0..count {
            let (number, event) = self.receive();
            let before = done[number].replace(event);
            assert!(before.is_none(), "event {number} got a second callback");
        }
        done.into_iter()
            .map(|event| event.expect("one each"))
            .collect()
    }

    fn receive(&mut self) -> (usize, IOEvent<Reply>) {
        if let Inside::Loop(engine) = &mut self.inside {
            while self.replies.is_empty() {
                assert!(
                    engine.in_flight() > 0,
                    "an event is gone without a callback"
                );
                engine.run(Wait::For(1)).expect("the queue is sound");
            }
        }
        let received = self.replies.recv_timeout(DEADLINE);
        received.expect("a hang: a callback is missing")
    }

    /// Ends the engine. No callback may come that was not waited for.
    pub(crate) fn finish(self) {
        match self.inside {
            Inside::Loop(engine) => drop(engine),
            Inside::Channel(ctx, tx) => {
                ctx.shutdown().expect("no thread has panicked");
                drop(tx);
            }
            Inside::Plain(ctx, tx) => {
                ctx.shutdown().expect("no thread has panicked");
                drop(tx);
            }
        }
        assert_eq!(self.replies.len(), 0, "a callback too many");
    }
}

fn channel(driver: Driver, depth: usize, workers: &impl CallbackWorker<Reply>) -> Inside {
    let (tx, rx) = io_engine::channel(depth);
    let ctx = IOContext::new(depth, rx, workers, driver);
    Inside::Channel(ctx.expect("it started before"), tx)
}

fn merging_channel(
    driver: Driver,
    depth: usize,
    limits: MergeLimits,
    workers: &impl CallbackWorker<Reply>,
) -> Inside {
    let (tx, rx) = io_engine::channel(CHANNEL);
    let builder = IOContext::builder().depth(depth).driver(driver);
    let ctx = builder.merge(limits).build(rx, workers);
    Inside::Channel(ctx.expect("it started before"), tx)
}

fn from_many(parts: Vec<Vec<IOEvent<Reply>>>, send: impl Fn(Vec<IOEvent<Reply>>) + Sync) {
    let send = &send;
    thread::scope(|senders| {
        for part in parts {
            senders.spawn(move || send(part));
        }
    });
}

fn submit(inside: &mut Inside, events: impl Iterator<Item = IOEvent<Reply>>) {
    match inside {
        Inside::Channel(_, tx) => tx.send_batch(events).expect("the context lives"),
        Inside::Plain(_, tx) => {
            events.for_each(|event| tx.send(event).expect("the context lives"));
        }
        Inside::Loop(engine) => {
            for mut event in events {
                while let Err(full) = engine.submit(event) {
                    event = full.0;
                    engine.run(Wait::For(1)).expect("the queue is sound");
                }
            }
        }
    }
}

/// The errno of a finished event that has failed with one.
pub(crate) fn errno_of(event: &IOEvent<Reply>) -> Option<i32> {
    event
        .get_result()
        .err()
        .and_then(|error| error.raw_os_error())
}

/// A read of one block of a [`numbered_file`](super::numbered_file).
pub(crate) fn read_block(file: &Arc<std::fs::File>, block: u8) -> IOEvent<Reply> {
    let buffer = Buffer::aligned(4096).expect("memory");
    IOEvent::new(file, buffer, IOAction::Read, i64::from(block) * 4096)
}

/// Fails unless `event` is a finished [`read_block`] of `block`.
pub(crate) fn assert_is_block(event: IOEvent<Reply>, block: u8) {
    let buffer = event.get_read_result().expect("a good read");
    assert_eq!(buffer.len(), 4096);
    assert!(buffer.iter().all(|byte| *byte == block), "block {block}");
}
