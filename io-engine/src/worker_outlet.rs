//! Callbacks on a pool of workers.

use std::cell::RefCell;
use std::sync::Arc;

use io_engine_core::{Backend, Delivered, IOCallback, IOEvent};
use io_engine_workers::{IOWorkers, Lane, LaneHooks};

use crate::callback_scope::{WayBack, entered, renew_worker_right};
use crate::cycle::{Cycle, Resubmitted, Served};
use crate::outlet::sealed::OpensOutlets;
use crate::outlet::{Outlet, OutletSettings};

/// One context's lane towards the pool, and the way back for what callbacks hand over.
#[allow(
    unreachable_pub,
    unnameable_types,
    missing_debug_implementations,
    reason = "sealed: the type of an outlet that only the engine opens"
)]
pub struct WorkerOutlet<C: IOCallback> {
    lane: Lane<C>,
    pool: IOWorkers,
    way_back: Arc<WayBack<C>>,
}

impl<C: IOCallback> OpensOutlets<C> for IOWorkers {
    type Opened = WorkerOutlet<C>;

    #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
    fn open_outlet(&self, settings: OutletSettings) -> WorkerOutlet<C> {
        let OutletSettings { depth, channel } = settings;
        let way_back = Arc::new(WayBack::<C>::new(depth, channel.clone()));
        let scope = Arc::clone(&way_back);
        let (rung, begun) = (channel.clone(), channel.clone());
        let hooks = LaneHooks {
            on_room: Some(Box::new(move || rung.ring())),
            around: Some(Arc::new(move |callbacks| {
                let _running = channel.callbacks().run();
                entered::<C, ()>(&*scope, callbacks);
            })),
            before_each: Some(Box::new(move || {
                renew_worker_right();
                begun.callbacks().begin_one();
            })),
        };
        // One depth waits for workers while another is in flight.
        let lane = self.lane_with(2 * depth, hooks);
        WorkerOutlet {
            lane,
            pool: self.clone(),
            way_back,
        }
    }
}

impl<C: IOCallback> Outlet<C> for WorkerOutlet<C> {
    fn deliver<B: Backend<C>>(
        &mut self,
        cycle: &RefCell<Cycle<C, B>>,
        finished: &mut Vec<IOEvent<C>>,
        _: Resubmitted,
    ) -> Served {
        let answered = cycle.borrow_mut().settle_into(finished);
        if !finished.is_empty() {
            self.lane.deliver(finished);
        }
        let delivered = Delivered {
            answered,
            ..Delivered::default()
        };
        Served {
            delivered,
            ..Served::default()
        }
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
