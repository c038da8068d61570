//! Where callbacks are called: on the loop's own thread, or on a pool of workers.

use std::cell::RefCell;

use io_engine_core::{Backend, IOCallback, IOEvent};

use crate::callback_scope::LoopScope;
use crate::cycle::{Cycle, Resubmitted, Served, serve};
use crate::doorbell::Doorbell;

/// Calls callbacks on the loop's own thread, the moment that they are due.
///
/// The fastest way, for callbacks that are short and never block: while one runs, the loop does
/// not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inline;

/// Where a context's callbacks are called: [`Inline`] or `IOWorkers`.
pub trait CallbackWorker<C: IOCallback>: sealed::OpensOutlets<C> {}

impl<C: IOCallback, W: sealed::OpensOutlets<C>> CallbackWorker<C> for W {}

pub(crate) mod sealed {
    use io_engine_core::IOCallback;

    use super::{Outlet, OutletSettings};

    /// The engine's side of a [`CallbackWorker`](super::CallbackWorker).
    #[allow(
        unnameable_types,
        reason = "sealed: users name the trait that rests on it"
    )]
    pub trait OpensOutlets<C: IOCallback> {
        /// The outlet of one context.
        #[allow(private_bounds, reason = "sealed: only the engine opens outlets")]
        type Opened: Outlet<C> + 'static;

        /// Opens it.
        #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
        fn open_outlet(&self, settings: OutletSettings) -> Self::Opened;
    }
}

/// What a context tells its outlet.
#[derive(Debug)]
pub(crate) struct OutletSettings {
    pub(crate) depth: usize,
    pub(crate) channel: Doorbell,
}

/// Where one context's finished events go. Owned by the loop's thread.
pub(crate) trait Outlet<C: IOCallback>: Send {
    /// Calls the callbacks of what the last turn of `cycle` has brought to its end, or hands those
    /// events on after those that are in `finished`, where what finds no room stays.
    fn deliver<B: Backend<C>>(
        &mut self,
        cycle: &RefCell<Cycle<C, B>>,
        finished: &mut Vec<IOEvent<C>>,
        resubmitted: Resubmitted,
    ) -> Served;

    /// The next event that a callback has handed over.
    fn take_resubmitted(&mut self) -> Option<IOEvent<C>>;

    /// How many events callbacks have handed over.
    fn resubmitted(&self) -> usize;

    /// Whether new events should be let in: false while callbacks are too far behind.
    fn keeps_up(&self) -> bool;

    /// Before the loop sleeps because the outlet does not [keep up](Self::keeps_up). False if it
    /// does by now; otherwise the doorbell rings when it does again.
    fn stays_behind(&mut self) -> bool;

    /// Callbacks are refused from now on when they hand events over.
    fn refuse_resubmission(&mut self);

    /// Whether every callback has returned.
    fn has_called_all(&self) -> bool;

    /// How many callbacks have panicked.
    fn callback_panics(&self) -> u64;
}

impl<C: IOCallback> sealed::OpensOutlets<C> for Inline {
    type Opened = InlineOutlet<C>;

    #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
    fn open_outlet(&self, settings: OutletSettings) -> InlineOutlet<C> {
        let local = LoopScope::new(settings.depth, Some(settings.channel.clone()));
        InlineOutlet {
            local,
            channel: settings.channel,
            panics: 0,
        }
    }
}

#[allow(
    unreachable_pub,
    unnameable_types,
    missing_debug_implementations,
    reason = "sealed: the type of an outlet that only the engine opens"
)]
pub struct InlineOutlet<C: IOCallback> {
    local: LoopScope<C>,
    channel: Doorbell,
    panics: u64,
}

impl<C: IOCallback> Outlet<C> for InlineOutlet<C> {
    fn deliver<B: Backend<C>>(
        &mut self,
        cycle: &RefCell<Cycle<C, B>>,
        _: &mut Vec<IOEvent<C>>,
        resubmitted: Resubmitted,
    ) -> Served {
        let _running = self.channel.callbacks().run();
        let served = serve(cycle, &self.local, resubmitted);
        self.panics += served.delivered.panics;
        served
    }

    fn take_resubmitted(&mut self) -> Option<IOEvent<C>> {
        self.local.pop()
    }

    fn resubmitted(&self) -> usize {
        self.local.len()
    }

    fn keeps_up(&self) -> bool {
        true
    }

    fn stays_behind(&mut self) -> bool {
        false
    }

    fn refuse_resubmission(&mut self) {
        self.local.close();
    }

    fn has_called_all(&self) -> bool {
        true
    }

    fn callback_panics(&self) -> u64 {
        self.panics
    }
}
