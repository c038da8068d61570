//! Helpers that make blocking calls beside the owner of the requests, several at a time.

use std::num::NonZero;
use std::thread::{self, JoinHandle, available_parallelism};

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine_core::block_signals_in_this_thread;

use crate::job::{Answer, Job};
use crate::shield::shielded;

/// Calls that go to a helper together, and come back together with their answers: to hand one over costs
/// as much as a good part of a call. They are used again, for their memory.
pub(crate) struct Bundle {
    pub(crate) jobs: Vec<Job>,
    pub(crate) answers: Vec<Answer>,
}

/// The most calls in a bundle.
pub(crate) const BUNDLE_MAX: usize = 8;

/// A helper has one in its hands and one that waits for it, while the owner works on one.
const BUNDLES_PER_HELPER: usize = 3;

/// Helpers, and the queues between them and the owner. Both hold all bundles, so nobody waits to put
/// one in.
pub(crate) struct Team {
    /// `None` only while it is dropped: then helpers see that nothing will come.
    give: Option<Sender<Bundle>>,
    given: Receiver<Bundle>,
    answered: Receiver<Bundle>,
    helpers: Vec<JoinHandle<()>>,
    /// With nobody.
    idle: Vec<Bundle>,
    bundles: usize,
}

impl Team {
    /// One helper for each processor but the owner's; `None` if there is none for a helper, or no
    /// thread to be had.
    pub(crate) fn start() -> Option<Self> {
        let count = available_parallelism().map_or(0, |all: NonZero<usize>| all.get() - 1);
        let bundles = count * BUNDLES_PER_HELPER;
        let (give, given) = bounded(bundles);
        let (answer, answered) = bounded(bundles);
        let new_bundle = || Bundle {
            jobs: Vec::with_capacity(BUNDLE_MAX),
            answers: Vec::with_capacity(BUNDLE_MAX),
        };
        let mut team = Self {
            give: Some(give),
            given,
            answered,
            helpers: Vec::with_capacity(count),
            idle: std::iter::repeat_with(new_bundle).take(bundles).collect(),
            bundles,
        };
        for number in 0..count {
            let (given, answer) = (team.given.clone(), answer.clone());
            let name = format!("io-help-{number}");
            let spawned = thread::Builder::new()
                .name(name)
                .spawn(move || help(&given, &answer));
            match spawned {
                Ok(helper) => team.helpers.push(helper),
                Err(error) => tracing::warn!(%error, "fewer helpers for files in memory"),
            }
        }
        (!team.helpers.is_empty()).then_some(team)
    }

    /// A bundle to be filled and given, if not all of them are on their way.
    pub(crate) fn idle_bundle(&mut self) -> Option<Bundle> {
        self.idle.pop()
    }

    pub(crate) fn give(&self, bundle: Bundle) {
        let sent = self.give.as_ref().map(|give| give.try_send(bundle));
        sent.expect("only drop takes it")
            .expect("there is a place for each, and this end receives too");
    }

    /// A bundle that was emptied.
    pub(crate) fn take_back(&mut self, bundle: Bundle) {
        debug_assert!(bundle.jobs.is_empty() && bundle.answers.is_empty());
        self.idle.push(bundle);
    }

    /// Whether no bundle is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle.len() == self.bundles
    }

    /// What a helper is done with.
    pub(crate) fn answered(&self) -> Option<Bundle> {
        self.answered.try_recv().ok()
    }

    /// What no helper has begun.
    pub(crate) fn not_begun(&self) -> Option<Bundle> {
        self.given.try_recv().ok()
    }

    /// Waits for what a helper is doing; there must be something.
    pub(crate) fn wait(&self) -> Option<Bundle> {
        // It spins for a moment before it sleeps, and a call is no longer than that.
        self.answered.recv().ok()
    }
}

fn help(given: &Receiver<Bundle>, answer: &Sender<Bundle>) {
    block_signals_in_this_thread();
    while let Ok(mut bundle) = given.recv() {
        for job in bundle.jobs.drain(..) {
            let failed = job.answered(-i64::from(libc::EIO));
            // The call cannot panic. If it did, the request would still be answered.
            let made = shielded("a blocking call", || job.make());
            bundle.answers.push(made.unwrap_or(failed));
        }
        // There is a place for each, and the owner leaves after the helpers.
        let _ = answer.send(bundle);
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // What nobody has begun is not carried out any more.
        while self.given.try_recv().is_ok() {}
        self.give = None;
        for helper in self.helpers.drain(..) {
            // A helper does not panic: the call it makes is shielded.
            let _ = helper.join();
        }
    }
}
