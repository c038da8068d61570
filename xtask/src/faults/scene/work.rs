//! One engine and its books: every event that goes in has a number, and comes back once.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine::callback_worker::IOWorkers;
use io_engine::merge::MergeLimits;
use io_engine::tasks::{IOCallback, IOEvent};
use io_engine::{
    EventLoop, IOContext, ShutdownError, StartError, SubmissionQueue, Submitter, Wait,
};

use super::Options;
use super::answer::Answer;

/// Brings a finished event back, with the number that it was given.
#[derive(Debug)]
pub(crate) struct Reply {
    number: usize,
    to: Sender<(usize, IOEvent<Self>)>,
}

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        // A receiver that is gone has given up and says so itself.
        let _ = self.to.send((self.number, event));
    }
}

/// An engine of one driver, with the books of what it was given.
#[derive(Debug)]
pub(crate) struct Work {
    inside: Inside,
    to: Sender<(usize, IOEvent<Reply>)>,
    from: Receiver<(usize, IOEvent<Reply>)>,
    /// How often each event came back.
    returns: Vec<u32>,
    returned: usize,
    patience: Duration,
    pub(crate) answer: Answer,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per process, moved once")]
enum Inside {
    Loop(EventLoop<Reply>),
    /// It has ended before the books are closed.
    Gone,
    Context(IOContext<Reply, SubmissionQueue<Reply>>, Submitter<Reply>),
}

/// Answers that wait to be looked at; a callback would wait for room, so there is always some.
const RETURNS_WAITING_MAX: usize = 1 << 16;

impl Work {
    /// Starts the engine as the options say.
    pub(crate) fn start(options: &Options) -> Result<Self, StartError> {
        let inside = if options.on_this_thread {
            Inside::Loop(event_loop(options)?)
        } else {
            context(options)?
        };
        let (driver, fallback) = match &inside {
            Inside::Loop(engine) => (engine.driver(), engine.fallback_reason()),
            Inside::Gone => unreachable!("it has just been made"),
            Inside::Context(engine, _) => (engine.driver(), engine.fallback_reason()),
        };
        let answer = Answer {
            driver: driver.to_string(),
            fallback: fallback.map(str::to_owned),
            ..Answer::default()
        };
        let (to, from) = bounded(RETURNS_WAITING_MAX);
        Ok(Self {
            inside,
            to,
            from,
            returns: Vec::new(),
            returned: 0,
            patience: options.patience(),
            answer,
        })
    }

    /// Hands an event over and says which number it has.
    pub(crate) fn send(&mut self, mut event: IOEvent<Reply>) -> anyhow::Result<usize> {
        let number = self.returns.len();
        event.set_callback(Reply {
            number,
            to: self.to.clone(),
        });
        self.returns.push(0);
        self.answer.requests += 1;
        match &mut self.inside {
            Inside::Context(_, sender) => {
                sender
                    .send(event)
                    .map_err(|error| anyhow::anyhow!("{error}"))?;
            }
            Inside::Gone => anyhow::bail!("the engine has ended"),
            Inside::Loop(engine) => {
                let mut waiting = event;
                while let Err(full) = engine.submit(waiting) {
                    waiting = full.0;
                    engine.run(Wait::For(1))?;
                }
            }
        }
        Ok(number)
    }

    /// Sends what has been handed over to the kernel, without waiting for any of it.
    pub(crate) fn push_on(&mut self) -> anyhow::Result<()> {
        if let Inside::Loop(engine) = &mut self.inside {
            engine.run(Wait::Never)?;
        }
        Ok(())
    }

    /// The number that the next event is to have.
    pub(crate) fn next_number(&self) -> usize {
        self.returns.len()
    }

    /// How many have not come back.
    pub(crate) fn outstanding(&self) -> usize {
        self.returns.len() - self.returned
    }

    /// The next that comes back; `None` if nothing moves for too long.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<(usize, IOEvent<Reply>)>> {
        let deadline = Instant::now() + self.patience;
        if let Inside::Loop(engine) = &mut self.inside {
            while self.from.is_empty() && engine.in_flight() > 0 && Instant::now() < deadline {
                engine.run(Wait::For(1))?;
            }
        }
        let Ok((number, event)) = self.from.recv_deadline(deadline) else {
            return Ok(None);
        };
        self.count(number);
        Ok(Some((number, event)))
    }

    fn count(&mut self, number: usize) {
        self.answer.callbacks += 1;
        self.returns[number] += 1;
        if self.returns[number] == 1 {
            self.returned += 1;
        } else {
            self.answer.duplicated += 1;
        }
    }

    /// All that are outstanding, in the order in which they come back.
    pub(crate) fn rest(&mut self) -> anyhow::Result<Vec<(usize, IOEvent<Reply>)>> {
        let mut back = Vec::with_capacity(self.outstanding());
        while self.outstanding() > 0 {
            match self.next()? {
                Some(one) => back.push(one),
                None => break,
            }
        }
        Ok(back)
    }

    /// Drops a loop as it is, which calls every callback, and counts them.
    pub(crate) fn drop_loop(&mut self) {
        if let Inside::Loop(engine) = std::mem::replace(&mut self.inside, Inside::Gone) {
            drop(engine);
        }
        while let Ok((number, event)) = self.from.try_recv() {
            self.count_with_its_error(number, &event);
        }
    }

    /// Ends the engine within `limit`, and counts what that calls; says how long it took.
    pub(crate) fn end_within(&mut self, limit: Duration) -> (Result<(), ShutdownError>, Duration) {
        let begun = Instant::now();
        let ended = match std::mem::replace(&mut self.inside, Inside::Gone) {
            Inside::Loop(engine) => engine.shutdown_timeout(limit),
            Inside::Context(engine, _) => engine.shutdown_timeout(limit),
            Inside::Gone => Ok(()),
        };
        let took = begun.elapsed();
        // A pool of workers may still be calling.
        while self.outstanding() > 0
            && let Ok((number, event)) = self.from.recv_timeout(self.patience)
        {
            self.count_with_its_error(number, &event);
        }
        (ended, took)
    }

    fn count_with_its_error(&mut self, number: usize, event: &IOEvent<Reply>) {
        self.count(number);
        if let Err(error) = event.get_result() {
            self.answer.count_error(&error);
        }
    }

    /// Ends the engine and closes the books.
    pub(crate) fn finish(mut self) -> anyhow::Result<Answer> {
        let stuck = self.outstanding();
        if stuck > 0 {
            self.answer.lost += stuck as u64;
            let seconds = self.patience.as_secs();
            let said = format!("{stuck} requests without a callback for {seconds} s");
            self.answer.remarks.push(said);
            // An engine with lost requests may wait for them at its end; its process ends anyway.
            std::mem::forget(self.inside);
            return Ok(self.answer);
        }
        let loops_thread = match self.inside {
            Inside::Loop(engine) => {
                drop(engine);
                Ok(())
            }
            Inside::Gone => Ok(()),
            Inside::Context(engine, sender) => {
                let ended = engine.shutdown();
                drop(sender);
                ended
            }
        };
        self.answer.demand(loops_thread.is_ok(), || {
            format!("the end of the context: {loops_thread:?}")
        });
        let late = self.from.try_iter().count() as u64;
        self.answer.callbacks += late;
        self.answer.duplicated += late;
        Ok(self.answer)
    }
}

/// Several times the depth, so that there is something to join.
fn waiting_max(options: &Options) -> usize {
    options.depth * 4
}

fn event_loop(options: &Options) -> Result<EventLoop<Reply>, StartError> {
    let builder = EventLoop::builder().depth(options.depth);
    let builder = builder.driver(options.driver.driver());
    if options.merge {
        builder.merge(MergeLimits::default()).build()
    } else {
        builder.build()
    }
}

fn context(options: &Options) -> Result<Inside, StartError> {
    let (sender, queue) = io_engine::channel(waiting_max(options));
    let builder = IOContext::builder().depth(options.depth);
    let builder = builder.driver(options.driver.driver());
    let workers = IOWorkers::new(1);
    let context = if options.merge {
        builder.merge(MergeLimits::default()).build(queue, &workers)
    } else {
        builder.build(queue, &workers)
    }?;
    Ok(Inside::Context(context, sender))
}
