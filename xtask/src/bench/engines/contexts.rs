//! Ours with threads: `IOContext` on each of its ways in, and any number of them side by side.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use anyhow::{Context, anyhow};
use crossbeam_channel::{Sender, bounded};
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::merge::MergeLimits;
use io_engine::tasks::{IOCallback, IOEvent};
use io_engine::{Buffer, ContextBuilder, Driver, IOContext, SubmissionQueue};

use super::measure;
use super::ours::{Resubmits, buffers, chosen, event};
use crate::bench::cell::{CellOutcome, CellSpec};
use crate::bench::slot::Slot;

/// What one context works on.
type Share = Vec<(Slot, Option<Buffer>)>;

/// Callbacks on the loop's thread that resubmit on the spot; the caller only waits.
pub(super) fn inline(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    let file = spec.open()?;
    let buffers = buffers(spec)?;
    measure(spec, |slots| {
        let left = slots.first().context("a cell has a slot")?.slots_left();
        let mut contexts = Vec::new();
        for share in shares(slots, buffers, spec.contexts) {
            let (tx, rx) = io_engine::channel(share.len());
            let context = IOContext::<Resubmits, _>::new(share.len(), rx, &Inline, driver)?;
            for (slot, buffer) in share {
                let first = Resubmits::first(slot, file.as_raw_fd(), buffer);
                tx.send(first).map_err(|error| anyhow!("{error}"))?;
            }
            contexts.push((context, tx));
        }
        left.wait();
        let got = contexts.first().map(|(context, _)| context.driver());
        for (context, _) in contexts {
            context.shutdown()?;
        }
        Ok(got.and_then(|got| chosen(driver, got)))
    })
}

/// Events through our channel, from a caller on another thread than the loop.
pub(super) fn channel(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    through_channel(spec, driver, |builder, depth| builder.depth(depth))
}

/// So many requests in flight are as good as more: they are long.
const MERGED_DEPTH_MAX: usize = 16;

/// As [`channel`], with what is in the channel at once merged.
pub(super) fn channel_merging(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    through_channel(spec, driver, |builder, depth| {
        let builder = builder.depth(depth.min(MERGED_DEPTH_MAX));
        builder.merge(MergeLimits::default())
    })
}

type Builder = ContextBuilder<Replies, SubmissionQueue<Replies>>;

fn through_channel(
    spec: &CellSpec,
    driver: Driver,
    set_up: impl Fn(Builder, usize) -> Builder + Sync,
) -> anyhow::Result<CellOutcome> {
    with_callers(spec, |share, fd| {
        let (tx, rx) = io_engine::channel(share.len());
        let builder = set_up(IOContext::builder(), share.len());
        let context = builder.driver(driver).build(rx, &Inline)?;
        call(share, fd, |event| {
            tx.send(event).map_err(|error| anyhow!("{error}"))
        })?;
        let got = context.driver();
        context.shutdown()?;
        Ok(chosen(driver, got))
    })
}

/// Events through a plain crossbeam channel, callbacks on a worker.
pub(super) fn plain(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    with_callers(spec, |share, fd| {
        let (tx, rx) = bounded(share.len());
        let workers = IOWorkers::new(1);
        let context = IOContext::<Replies, _>::new(share.len(), rx, &workers, driver)?;
        call(share, fd, |event| {
            tx.send(event).map_err(|error| anyhow!("{error}"))
        })?;
        let got = context.driver();
        context.shutdown()?;
        Ok(chosen(driver, got))
    })
}

/// Splits the slots over the contexts, each of which has a caller of its own: this thread if there
/// is but one.
fn with_callers(
    spec: &CellSpec,
    caller: impl Fn(Share, RawFd) -> anyhow::Result<Option<String>> + Sync,
) -> anyhow::Result<CellOutcome> {
    let file = spec.open()?;
    let fd = file.as_raw_fd();
    let buffers = buffers(spec)?;
    measure(spec, |slots| {
        let mut shares = shares(slots, buffers, spec.contexts);
        let own = shares.pop().context("a cell has a slot")?;
        thread::scope(|scope| {
            let caller = &caller;
            let start = |share| scope.spawn(move || caller(share, fd));
            let others: Vec<_> = shares.into_iter().map(start).collect();
            let driver = caller(own, fd);
            for other in others {
                other.join().map_err(|_| anyhow!("a caller panicked"))??;
            }
            driver
        })
    })
}

/// At most as many as asked for, as equal as can be, and none of them empty.
fn shares(slots: Vec<Slot>, buffers: Vec<Option<Buffer>>, contexts: usize) -> Vec<Share> {
    let count = contexts.min(slots.len());
    let mut shares: Vec<Share> = (0..count).map(|_| Share::new()).collect();
    for (index, carried) in slots.into_iter().zip(buffers).enumerate() {
        shares[index % count].push(carried);
    }
    shares
}

/// Keeps every slot of the share busy until it is told to stop.
fn call(
    share: Share,
    fd: RawFd,
    send: impl Fn(IOEvent<Replies>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut going = share.len();
    let (to, finished) = bounded(going);
    let send_next = |mut slot: Slot, buffer| {
        let mut event = event(fd, slot.begin(), buffer);
        let to = to.clone();
        event.set_callback(Replies { slot, to });
        send(event)
    };
    for (slot, buffer) in share {
        send_next(slot, buffer)?;
    }
    while going > 0 {
        let Finished {
            mut slot,
            buffer,
            result,
        } = finished.recv()?;
        if slot.end(result) {
            send_next(slot, buffer)?;
        } else {
            going -= 1;
        }
    }
    Ok(())
}

/// A callback that gives the slot back to its caller.
struct Replies {
    slot: Slot,
    to: Sender<Finished>,
}

struct Finished {
    slot: Slot,
    buffer: Option<Buffer>,
    result: io::Result<usize>,
}

impl IOCallback for Replies {
    #[inline]
    fn call(self, event: IOEvent<Self>) {
        let Self { slot, to } = self;
        let result = event.get_result();
        let buffer = event.into_buffer();
        // A caller that is gone has failed and says so itself.
        let _ = to.send(Finished {
            slot,
            buffer,
            result,
        });
    }
}
