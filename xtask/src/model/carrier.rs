//! What carries the requests: a driver, or the simulated disk; and the loops and contexts on it.

use std::fmt;

use clap::ValueEnum;
use io_engine::callback_worker::CallbackWorker;
use io_engine::{Driver, EventLoop, EventQueue, IOContext, ShortTransfers, StartError};
use serde::{Deserialize, Serialize};

use super::mailbox::Ticket;
use super::medium::Stage;
use super::round::Round;

/// What a user can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carrier {
    Uring,
    Aio,
    Threads,
    Auto,
    Sim,
}

impl Carrier {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sim, Self::Uring, Self::Aio, Self::Threads, Self::Auto];

    fn driver(self) -> Driver {
        match self {
            Self::Uring => Driver::Uring,
            Self::Aio => Driver::Aio,
            Self::Threads => Driver::Threads,
            // The simulated disk takes the place of whichever it is.
            Self::Auto | Self::Sim => Driver::Auto,
        }
    }

    /// Whether it works here.
    pub(crate) fn try_start(self) -> Result<(), StartError> {
        match self {
            Self::Sim => Ok(()),
            Self::Uring | Self::Aio | Self::Threads | Self::Auto => {
                EventLoop::<()>::new(1, self.driver()).map(|_| ())
            }
        }
    }

    pub(crate) fn start_loop(
        self,
        round: &Round,
        stage: &Stage<'_>,
    ) -> Result<EventLoop<Ticket>, StartError> {
        let mut builder = EventLoop::builder().depth(round.depth);
        builder = match stage.disk() {
            Some(disk) => builder.simulated(disk),
            None => builder.driver(self.driver()),
        };
        if let Some(limits) = round.merge.limits() {
            builder = builder.merge(limits);
        }
        builder.short_transfers(short_transfers(round)).build()
    }

    pub(crate) fn start_context<Q: EventQueue<Ticket>, W: CallbackWorker<Ticket>>(
        self,
        round: &Round,
        stage: &Stage<'_>,
        queue: Q,
        workers: &W,
    ) -> Result<IOContext<Ticket, Q>, StartError> {
        let mut builder = IOContext::builder().depth(round.depth);
        builder = match stage.disk() {
            Some(disk) => builder.simulated(disk),
            None => builder.driver(self.driver()),
        };
        if let Some(limits) = round.merge.limits() {
            builder = builder.merge(limits);
        }
        let builder = builder.short_transfers(short_transfers(round));
        builder.build(queue, workers)
    }
}

fn short_transfers(round: &Round) -> ShortTransfers {
    match round.reports_short {
        true => ShortTransfers::Report,
        false => ShortTransfers::Resume,
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Uring => "uring",
            Self::Aio => "aio",
            Self::Threads => "threads",
            Self::Auto => "auto",
            Self::Sim => "sim",
        })
    }
}
