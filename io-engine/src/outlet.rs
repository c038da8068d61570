//! Where callbacks are called: on the loop's own thread, or on a pool of workers.

use io_engine_core::{IOCallback, IOEvent};

use crate::callback_scope::LoopScope;
use crate::cycle::Answered;
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
        #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
        fn open_outlet(&self, settings: OutletSettings) -> Box<dyn Outlet<C>>;
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
    /// Calls the callbacks of what is at its end, or hands those events on after those that are in
    /// `finished`, where what finds no room stays.
    fn deliver(&mut self, answered: Answered<'_, C>, finished: &mut Vec<IOEvent<C>>);

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
    #[allow(private_interfaces, reason = "sealed: only the engine opens outlets")]
    fn open_outlet(&self, settings: OutletSettings) -> Box<dyn Outlet<C>> {
        let local = LoopScope::new(settings.depth, Some(settings.channel.clone()));
        Box::new(InlineOutlet {
            local,
            channel: settings.channel,
            panics: 0,
        })
    }
}

struct InlineOutlet<C: IOCallback> {
    local: LoopScope<C>,
    channel: Doorbell,
    panics: u64,
}

impl<C: IOCallback> Outlet<C> for InlineOutlet<C> {
    fn deliver(&mut self, answered: Answered<'_, C>, _: &mut Vec<IOEvent<C>>) {
        let _running = self.channel.running_callbacks();
        self.panics += self.local.call(answered).panics;
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
