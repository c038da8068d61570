//! Callbacks on a pool of workers.

use std::any::Any;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use io_engine_core::{IOCallback, IOEvent};
use io_engine_workers::{IOWorkers, Lane, LaneHooks};

use crate::callback_scope::{WayBack, on_worker};
use crate::doorbell::Doorbell;
use crate::outlet::sealed::OpensOutlets;
use crate::outlet::{Outlet, OutletSettings};

/// One context's lane towards the pool, and the way back for what callbacks hand over.
struct WorkerOutlet<C: IOCallback> {
    lane: Lane<C>,
    pool: IOWorkers,
    resubmitted: Receiver<IOEvent<C>>,
    channel: Doorbell,
}

impl<C: IOCallback> OpensOutlets<C> for IOWorkers {
    #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
    fn open_outlet(&self, settings: OutletSettings) -> Box<dyn Outlet<C>> {
        let OutletSettings { depth, channel } = settings;
        // One depth waits for workers while another is in flight.
        let lane_capacity = 2 * depth;
        // A callback hands over one event for the one that it got, so the way back is never full:
        // when the loop lets a new event in, at most a depth is in flight, finished, and on the way
        // back each; the rest is in the lane or in workers' hands.
        let way_back_capacity = 3 * depth + lane_capacity + self.thread_count();
        let (sender, resubmitted) = bounded(way_back_capacity);
        let way_back: Arc<dyn Any + Send + Sync> = Arc::new(WayBack {
            sender,
            channel: channel.clone(),
        });
        let rung = channel.clone();
        let hooks = LaneHooks {
            on_room: Some(Box::new(move || rung.ring())),
            around: Some(Arc::new(move |callbacks| {
                on_worker(Arc::clone(&way_back), callbacks);
            })),
        };
        let lane = self.lane_with(lane_capacity, hooks);
        Box::new(WorkerOutlet {
            lane,
            pool: self.clone(),
            resubmitted,
            channel,
        })
    }
}

impl<C: IOCallback> Outlet<C> for WorkerOutlet<C> {
    fn deliver(&mut self, finished: &mut Vec<IOEvent<C>>) {
        self.lane.deliver(finished);
    }

    fn take_resubmitted(&mut self) -> Option<IOEvent<C>> {
        self.resubmitted.try_recv().ok()
    }

    fn resubmitted(&self) -> usize {
        self.resubmitted.len()
    }

    fn keeps_up(&self) -> bool {
        self.lane.room() > 0
    }

    fn stays_behind(&mut self) -> bool {
        self.lane.announce_stalled() == 0
    }

    fn refuse_resubmission(&mut self) {
        // The way back looks at this flag, which was raised before the loop heard of it.
        debug_assert!(self.channel.is_closing());
    }

    fn wait_until_called(&mut self) {
        self.lane.wait_idle();
    }

    fn callback_panics(&self) -> u64 {
        self.pool.callback_panics()
    }
}
