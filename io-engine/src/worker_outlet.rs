//! Callbacks on a pool of workers.

use std::any::Any;
use std::sync::Arc;

use io_engine_core::{IOCallback, IOEvent};
use io_engine_workers::{IOWorkers, Lane, LaneHooks};

use crate::callback_scope::{WayBack, on_worker, renew_right};
use crate::cycle::Answered;
use crate::outlet::sealed::OpensOutlets;
use crate::outlet::{Outlet, OutletSettings};

/// One context's lane towards the pool, and the way back for what callbacks hand over.
struct WorkerOutlet<C: IOCallback> {
    lane: Lane<C>,
    pool: IOWorkers,
    way_back: Arc<WayBack<C>>,
}

impl<C: IOCallback> OpensOutlets<C> for IOWorkers {
    #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
    fn open_outlet(&self, settings: OutletSettings) -> Box<dyn Outlet<C>> {
        let OutletSettings { depth, channel } = settings;
        let way_back = Arc::new(WayBack::<C>::new(depth, channel.clone()));
        let scope: Arc<dyn Any + Send + Sync> = Arc::clone(&way_back) as _;
        let rung = channel.clone();
        let hooks = LaneHooks {
            on_room: Some(Box::new(move || rung.ring())),
            around: Some(Arc::new(move |callbacks| {
                let _running = channel.running_callbacks();
                on_worker(Arc::clone(&scope), callbacks);
            })),
            before_each: Some(Box::new(renew_right)),
        };
        // One depth waits for workers while another is in flight.
        let lane = self.lane_with(2 * depth, hooks);
        Box::new(WorkerOutlet {
            lane,
            pool: self.clone(),
            way_back,
        })
    }
}

impl<C: IOCallback> Outlet<C> for WorkerOutlet<C> {
    fn deliver(&mut self, answered: Answered<'_, C>, finished: &mut Vec<IOEvent<C>>) {
        answered.settle_into(finished);
        self.lane.deliver(finished);
    }

    fn take_resubmitted(&mut self) -> Option<IOEvent<C>> {
        self.way_back.pop()
    }

    fn resubmitted(&self) -> usize {
        self.way_back.len()
    }

    fn keeps_up(&self) -> bool {
        self.lane.room() > 0
    }

    fn stays_behind(&mut self) -> bool {
        self.lane.announce_stalled() == 0
    }

    fn refuse_resubmission(&mut self) {
        // The way back looks at the channel's own flag, which was raised before the loop heard of
        // it.
    }

    fn has_called_all(&self) -> bool {
        self.lane.outstanding() == 0
    }

    fn callback_panics(&self) -> u64 {
        self.pool.callback_panics()
    }
}
