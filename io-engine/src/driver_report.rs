//! What carries the requests of a loop, and why: written by the loop, read by its handle.

use std::sync::OnceLock;

use crate::driver::Driver;

/// The driver that was chosen at the start, and the one that took over if that was forbidden later.
#[derive(Debug)]
pub(crate) struct DriverReport {
    at_start: Driver,
    reason_at_start: Option<String>,
    /// Set once; then it is read for good.
    successor: OnceLock<(Driver, String)>,
}

impl DriverReport {
    pub(crate) fn new(driver: Driver, fallback_reason: Option<String>) -> Self {
        Self {
            at_start: driver,
            reason_at_start: fallback_reason,
            successor: OnceLock::new(),
        }
    }

    /// Another driver has taken over, because of `reason`.
    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    pub(crate) fn succeed(&self, driver: Driver, reason: String) {
        // The successor of a ring has no successor.
        let _ = self.successor.set((driver, reason));
    }

    pub(crate) fn driver(&self) -> Driver {
        self.successor
            .get()
            .map_or(self.at_start, |(driver, _)| *driver)
    }

    pub(crate) fn fallback_reason(&self) -> Option<&str> {
        match self.successor.get() {
            Some((_, reason)) => Some(reason),
            None => self.reason_at_start.as_deref(),
        }
    }
}
