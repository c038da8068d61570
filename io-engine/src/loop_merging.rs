//! Merging inside the loop, over all senders, and in front of a [`Submitter`].

use std::sync::{Arc, Mutex, PoisonError};

use io_engine_core::{IOCallback, IOEvent, Request, RunPool, Storage};
use io_engine_merge::{EventSender, FileFacts, MergeCounters, MergeLimits, Merger, Outgoing};

use crate::channel::Submitter;
use crate::context::IOContext;
use crate::cycle::{Joined, Joins, Sends};
use crate::event_loop::EventLoop;
use crate::event_queue::EventQueue;
use crate::file_table::FileTable;
use crate::settings::{ContextBuilder, LoopBuilder};

/// Joins what one gathering brings: it waits for nothing.
struct LoopMerger<C: IOCallback> {
    merger: Merger<C>,
    batch_max: usize,
    files: FileTable<Storage>,
    counters: SharedCounters,
}

/// Written by the loop, read by anyone.
type SharedCounters = Arc<Mutex<MergeCounters>>;

/// The most events that are joined at once, in a loop that is not deeper: four requests of the default
/// limits.
const BATCH_MIN: usize = 1024;

impl<C: IOCallback> LoopMerger<C> {
    fn joined(limits: MergeLimits, depth: usize) -> Joined<C> {
        let counters = SharedCounters::default();
        let batch_max = depth.max(BATCH_MIN);
        // With the kernel, and waiting for it.
        let pool = RunPool::with_capacity(depth + batch_max / 2);
        let merger = Self {
            merger: Merger::with_pool(limits, batch_max, pool),
            batch_max,
            files: FileTable::new(Storage::of),
            counters: Arc::clone(&counters),
        };
        Joined {
            joins: Box::new(merger),
            counters,
        }
    }
}

impl<C: IOCallback> Joins<C> for LoopMerger<C> {
    fn offer(&mut self, event: IOEvent<C>, sends: &mut dyn Sends<C>) -> usize {
        self.merger.offer(event).unwrap_or_else(|full| {
            self.release(sends);
            // Without memory for one event, it travels alone.
            self.merger.offer(full.0).unwrap_or_else(|full| {
                let count = full.0.event_count();
                sends.lone(full.0);
                count
            })
        })
    }

    fn release(&mut self, sends: &mut dyn Sends<C>) {
        if self.merger.is_empty() {
            return;
        }
        let files = &mut self.files;
        // The limits of the device may be those of a file that had the number before, but what may
        // not be joined and what may not change places does not rest on that.
        let facts = |fd| facts_of(files.of(fd).asked_again(fd));
        self.merger.release_to(facts, &mut OnItsWay(sends));
        let counters = self.counters.lock();
        *counters.unwrap_or_else(PoisonError::into_inner) = self.merger.counters();
    }

    fn len(&self) -> usize {
        self.merger.len()
    }

    fn batch_max(&self) -> usize {
        self.batch_max
    }
}

/// What is released goes where the loop sends it.
struct OnItsWay<'a, C: IOCallback>(&'a mut dyn Sends<C>);

impl<C: IOCallback> Outgoing<C> for OnItsWay<'_, C> {
    fn lone(&mut self, event: IOEvent<C>) {
        self.0.lone(event);
    }

    fn run(&mut self, request: Request<C>) {
        self.0.run(request);
    }
}

fn facts_of(storage: Storage) -> FileFacts {
    if !storage.is_positional {
        return FileFacts::NEVER_JOIN;
    }
    let any = FileFacts::UNKNOWN;
    FileFacts {
        bytes_max: storage.request_bytes_max.unwrap_or(any.bytes_max),
        segments_max: storage.segments_max.unwrap_or(any.segments_max),
        size_min: storage.bytes,
    }
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    /// Joins contiguous events of one file and one direction into one vectored request, without a
    /// copy and without waiting: what is queued at the same moment, from all senders and in whatever
    /// order. Off unless set.
    ///
    /// Each callback is called as it would be without: with its own bytes, its own end of file and
    /// its own error. Requests are no longer than `limits` and the device of the file allow; the device
    /// is asked once for each file, and the file for its length with each batch that has something to
    /// join. The depth counts requests, so more events than
    /// that can be on their way. [`IOContext::merge_counters`] tells what was joined, and
    /// `docs/merging.md` what is and when to leave it off.
    ///
    /// ```
    /// use io_engine::IOContext;
    /// use io_engine::callback_worker::Inline;
    /// use io_engine::merge::MergeLimits;
    ///
    /// let (tx, rx) = io_engine::channel::<()>(64);
    /// let ctx = IOContext::builder().merge(MergeLimits::default()).build(rx, &Inline)?;
    /// assert_eq!(ctx.merge_counters().map(|counters| counters.events), Some(0));
    /// # drop((tx, ctx));
    /// # Ok::<(), io_engine::StartError>(())
    /// ```
    pub fn merge(self, limits: impl Into<MergeLimits>) -> Self {
        let limits = limits.into();
        self.joined_by(move |depth| LoopMerger::joined(limits, depth))
    }
}

impl<C: IOCallback> LoopBuilder<C> {
    /// Joins contiguous events of one file and one direction into one vectored request, without a
    /// copy: those that were submitted since the last [`run`](EventLoop::run), in whatever order. Off
    /// unless set. The depth counts events all the same.
    ///
    /// Else as [`ContextBuilder::merge`].
    ///
    /// ```
    /// use io_engine::merge::MergeLimits;
    /// use io_engine::tasks::{IOAction, IOEvent};
    /// use io_engine::{EventLoop, Wait};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let file = std::sync::Arc::new(tempfile::tempfile()?);
    /// let mut engine = EventLoop::<()>::builder().merge(MergeLimits::default()).build()?;
    /// for offset in [4096, 0] {
    ///     engine.submit(IOEvent::new(&file, vec![0; 4096].into(), IOAction::Write, offset))?;
    /// }
    /// engine.run(Wait::For(2))?;
    /// let counters = engine.merge_counters().expect("it merges");
    /// assert_eq!((counters.events, counters.requests), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(self, limits: impl Into<MergeLimits>) -> Self {
        let limits = limits.into();
        self.joined_by(move |depth| LoopMerger::joined(limits, depth))
    }
}

impl<C: IOCallback, Q> IOContext<C, Q> {
    /// What has been merged so far; `None` if it does not [merge](ContextBuilder::merge).
    #[must_use]
    pub fn merge_counters(&self) -> Option<MergeCounters> {
        shown(self.join_counters())
    }
}

impl<C: IOCallback> EventLoop<C> {
    /// What has been merged so far; `None` if it does not [merge](LoopBuilder::merge).
    #[must_use]
    pub fn merge_counters(&self) -> Option<MergeCounters> {
        shown(self.join_counters())
    }
}

fn shown(counters: Option<&(dyn std::any::Any + Send + Sync)>) -> Option<MergeCounters> {
    let counters = counters?.downcast_ref::<Mutex<MergeCounters>>()?;
    Some(*counters.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Waits for room; in a callback of the same context it never does.
impl<C: IOCallback> EventSender<C> for Submitter<C> {
    fn send_event(&self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        self.send(event).map_err(|refused| refused.into_inner())
    }
}
