//! What both kinds of loop can be asked for, and what they show of themselves.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use io_engine_core::{Backend, IOCallback, StartError};

use crate::cycle::{Cycle, Joined, ShortTransfers};
use crate::driver::{Carrier, Driver, Kernel, Started};
use crate::driver_report::DriverReport;
use crate::stuck_io::StuckIo;
use crate::sync_failures::SyncFailures;

/// The depth of a loop that was not asked for another: enough for one fast disk.
const DEPTH_DEFAULT: usize = 128;

/// Makes what joins the events of a loop of a depth.
type MakesJoined<C> = Box<dyn FnOnce(usize) -> Joined<C>>;

pub(crate) struct CycleSettings<C: IOCallback> {
    pub(crate) depth: usize,
    pub(crate) carrier: Carrier,
    pub(crate) short_transfers: ShortTransfers,
    pub(crate) stuck_after: Option<Duration>,
    pub(crate) joined: Option<MakesJoined<C>>,
}

/// What the handle of a loop shows, wherever the loop runs.
pub(crate) struct Shown {
    pub(crate) driver: Arc<DriverReport>,
    pub(crate) sync_failures: SyncFailures,
    /// Their type is known where they were made.
    #[allow(dead_code, reason = "read only where there is merging")]
    pub(crate) join_counters: Option<Arc<dyn Any + Send + Sync>>,
}

impl<C: IOCallback> CycleSettings<C> {
    pub(crate) fn new() -> Self {
        Self {
            depth: DEPTH_DEFAULT,
            carrier: Carrier::Driver(Driver::Auto),
            short_transfers: ShortTransfers::Resume,
            stuck_after: None,
            joined: None,
        }
    }

    pub(crate) fn start(self) -> Result<(Cycle<C, Kernel<C>>, Shown), StartError> {
        let Started { kernel, report } = self.carrier.start(self.depth)?;
        let joined = self.joined.map(|joined| joined(kernel.capacity()));
        let (joins, join_counters) = joined.map(|joined| (joined.joins, joined.counters)).unzip();
        let stuck_io = self.stuck_after.map(StuckIo::new);
        let cycle = Cycle::new(kernel, self.short_transfers, joins, stuck_io);
        let shown = Shown {
            driver: report,
            sync_failures: cycle.sync_failures(),
            join_counters,
        };
        Ok((cycle, shown))
    }
}

impl<C: IOCallback> fmt::Debug for CycleSettings<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CycleSettings")
            .field("depth", &self.depth)
            .field("carrier", &self.carrier)
            .field("short_transfers", &self.short_transfers)
            .field("stuck_after", &self.stuck_after)
            .finish_non_exhaustive()
    }
}
