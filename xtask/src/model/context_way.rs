//! A round on contexts: a thread for each sender, and an end while some of it is under way.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Context;
use crossbeam_channel::SendError;
use io_engine::callback_worker::{CallbackWorker, IOWorkers, Inline};
use io_engine::merge::MergeCounters;
use io_engine::tasks::IOEvent;
use io_engine::{IOContext, SubmissionQueue, SubmitError, Submitter};

use super::carrier::Carrier;
use super::ledger::Ledger;
use super::mailbox::Ticket;
use super::medium::Stage;
use super::round::{Ending, Feed, Round, Way};
use super::sender::{Next, Sender};

/// Threads of the pool that calls callbacks: more than one, so that they overtake each other.
const WORKERS: usize = 2;

/// A pool for all rounds of a run, started with the first that needs one.
#[derive(Debug, Default)]
pub(crate) struct Pool(Option<IOWorkers>);

impl Pool {
    fn get(&mut self) -> anyhow::Result<IOWorkers> {
        if let Some(pool) = &self.0 {
            return Ok(pool.clone());
        }
        let pool = IOWorkers::try_new(WORKERS).context("threads for callbacks")?;
        self.0 = Some(pool.clone());
        Ok(pool)
    }
}

/// Where a sender hands its events over.
#[derive(Clone, Debug)]
enum Hand {
    Channel(Submitter<Ticket>),
    Crossbeam(crossbeam_channel::Sender<IOEvent<Ticket>>),
}

impl Hand {
    /// Hands the event over, or gives it back if there is nobody to take it.
    fn send(&self, event: IOEvent<Ticket>) -> Option<IOEvent<Ticket>> {
        match self {
            Self::Channel(tx) => tx.send(event).err().map(SubmitError::into_inner),
            Self::Crossbeam(tx) => tx.send(event).err().map(SendError::into_inner),
        }
    }
}

#[derive(Debug)]
enum Running {
    Channel(IOContext<Ticket, SubmissionQueue<Ticket>>),
    Crossbeam(IOContext<Ticket, crossbeam_channel::Receiver<IOEvent<Ticket>>>),
}

impl Running {
    fn merged(&self) -> Option<MergeCounters> {
        match self {
            Self::Channel(context) => context.merge_counters(),
            Self::Crossbeam(context) => context.merge_counters(),
        }
    }

    fn shutdown(self) -> std::io::Result<()> {
        match self {
            Self::Channel(context) => context.shutdown(),
            Self::Crossbeam(context) => context.shutdown(),
        }
    }
}

fn start<W: CallbackWorker<Ticket>>(
    carrier: Carrier,
    round: &Round,
    stage: &Stage<'_>,
    workers: &W,
) -> anyhow::Result<(Hand, Running)> {
    // As small as the depth, so that senders wait now and then.
    let capacity = round.depth;
    Ok(match round.feed {
        Feed::Channel => {
            let (tx, rx) = io_engine::channel(capacity);
            let context = carrier.start_context(round, stage, rx, workers)?;
            (Hand::Channel(tx), Running::Channel(context))
        }
        Feed::Crossbeam => {
            let (tx, rx) = crossbeam_channel::bounded(capacity);
            let context = carrier.start_context(round, stage, rx, workers)?;
            (Hand::Crossbeam(tx), Running::Crossbeam(context))
        }
    })
}

/// Runs the round; when it returns, the contexts are gone.
pub(crate) fn run(
    carrier: Carrier,
    round: &Round,
    stage: &Stage<'_>,
    senders: &mut [Sender],
    pool: &mut Pool,
) -> anyhow::Result<Ledger> {
    let mut hands = Vec::new();
    let mut contexts = Vec::new();
    for _ in 0..round.contexts {
        let (hand, context) = match round.way {
            Way::Loop | Way::Inline => start(carrier, round, stage, &Inline)?,
            Way::Workers => start(carrier, round, stage, &pool.get()?)?,
        };
        hands.push(hand);
        contexts.push(context);
    }
    let mut ledger = Ledger::default();
    let mailboxes: Vec<_> = senders
        .iter()
        .map(|sender| sender.mailbox().clone())
        .collect();
    let mut end = |number: usize, context: Running| {
        let own = mailboxes.iter().skip(number).step_by(round.contexts);
        let has_work = own.clone().any(|mailbox| mailbox.is_waiting());
        ledger.shutdowns_with_work += u64::from(has_work);
        ledger.has_merged(context.merged());
        match round.ending {
            Ending::Dropped => drop(context),
            Ending::Drained | Ending::Shutdown | Ending::Racing | Ending::Deserted => {
                if let Err(error) = context.shutdown() {
                    ledger.is_wrong(|| format!("a context ended badly: {error}"));
                }
            }
        }
    };
    let contexts = contexts.into_iter().enumerate();
    match round.ending {
        Ending::Racing => race(round, senders, &hands, || {
            contexts.for_each(|(number, context)| end(number, context));
        }),
        Ending::Deserted => {
            send_all(round, senders, &hands);
            drop(hands);
            contexts.for_each(|(number, context)| end(number, context));
        }
        Ending::Drained | Ending::Shutdown | Ending::Dropped => {
            send_all(round, senders, &hands);
            contexts.for_each(|(number, context)| end(number, context));
        }
    }
    Ok(ledger)
}

/// Each sender on a thread of its own, until all was handed over.
fn send_all(round: &Round, senders: &mut [Sender], hands: &[Hand]) {
    thread::scope(|scope| {
        for (number, sender) in senders.iter_mut().enumerate() {
            let hand = hands[number % hands.len()].clone();
            let drains = round.ending == Ending::Drained;
            scope.spawn(move || {
                send(sender, &hand, None);
                while drains && !sender.is_idle() {
                    sender.wait();
                    send(sender, &hand, None);
                }
            });
        }
    });
}

/// The same, while `end` is called in the middle of it.
fn race(round: &Round, senders: &mut [Sender], hands: &[Hand], end: impl FnOnce()) {
    let all = round.senders.iter().map(|script| script.operations.len());
    // Late enough to have done something before, early enough that all go on.
    let cut = all.max().unwrap_or(0) * 3 / 4;
    let (tx, rx) = sync_channel(senders.len());
    thread::scope(|scope| {
        for (number, sender) in senders.iter_mut().enumerate() {
            let hand = hands[number % hands.len()].clone();
            let cut = Cut {
                at: cut,
                reached: Some(tx.clone()),
            };
            scope.spawn(move || send(sender, &hand, Some(cut)));
        }
        drop(tx);
        // From the first that gets there; or from the last, if none does.
        let _ = rx.recv();
        end();
    });
}

/// Tells that a sender has begun so many operations.
struct Cut {
    at: usize,
    reached: Option<SyncSender<()>>,
}

fn send(sender: &mut Sender, hand: &Hand, mut cut: Option<Cut>) {
    loop {
        match sender.next() {
            Next::Done => return,
            Next::Wait => sender.wait(),
            Next::Event(number, event) => {
                if let Some(event) = hand.send(event) {
                    sender.refused(number, event);
                }
                sender.collect();
            }
        }
        if let Some(cut) = &mut cut
            && sender.begun() >= cut.at
            && let Some(reached) = cut.reached.take()
        {
            // There is room for one of each sender.
            let _ = reached.send(());
        }
    }
}
