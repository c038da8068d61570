//! What this machine offers to the tests.

use io_engine::{Driver, EventLoop};
use io_engine_core::conformance::require_or_skip;

/// The drivers that start here. The others are printed as skipped, or fail the test where
/// `REQUIRE_DRIVERS` names them.
pub(crate) fn drivers() -> Vec<Driver> {
    let mut usable = Vec::new();
    for (driver, name) in [
        (Driver::Uring, "uring"),
        (Driver::Aio, "aio"),
        (Driver::Threads, "threads"),
    ] {
        match EventLoop::<()>::new(1, driver) {
            Ok(_) => usable.push(driver),
            Err(reason) => require_or_skip(name, &reason),
        }
    }
    usable
}
