//! What every backend must do, as functions that a backend's own tests call.
//!
//! Each case is a function named as a sentence, takes a [`Bench`] and panics where the backend
//! breaks the contract of [`Backend`]. [`run_all`] runs all of them on every [`Medium`] of the
//! machine, each case on a thread of its own with a deadline, so that a hang is a failure that
//! says what was still inside. A backend's `tests/conformance.rs` is then
//!
//! ```no_run
//! # use io_engine_core::conformance::{self, Probe};
//! # use io_engine_core::{Backend, StartError};
//! # fn my_backend(depth: usize) -> Result<Box<dyn Never>, StartError> { unimplemented!() }
//! # trait Never: Backend<Probe> {}
//! # impl Backend<Probe> for Box<dyn Never> {
//! #     fn capacity(&self) -> usize { 0 }
//! #     fn in_flight(&self) -> usize { 0 }
//! #     fn push(&mut self, _: io_engine_core::Request<Probe>)
//! #         -> Result<(), io_engine_core::Full<io_engine_core::Request<Probe>>> { Ok(()) }
//! #     fn drive(&mut self, _: io_engine_core::Wait,
//! #         _: &mut Vec<io_engine_core::Completion<Probe>>) -> std::io::Result<()> { Ok(()) }
//! #     fn waker(&self) -> io_engine_core::Waker { unimplemented!() }
//! # }
//! // #[test]
//! fn my_backend_keeps_the_contract() {
//!     if let Err(reason) = my_backend(1) {
//!         return conformance::require_or_skip("mine", &reason);
//!     }
//!     conformance::run_all("mine", |depth| my_backend(depth).expect("it started before"));
//! }
//! # my_backend_keeps_the_contract();
//! ```
#![allow(
    clippy::missing_panics_doc,
    reason = "a case panics where the backend breaks its contract, and is there for nothing else"
)]

pub mod alignment;
pub mod allocation;
pub mod bad_files;
mod bench;
pub mod capacity;
pub mod continuing;
pub mod doorbell;
mod file_model;
pub mod holes;
pub mod lifecycle;
mod medium;
mod probe;
mod pump;
pub mod refusals;
pub mod runs;
mod scratch;
mod skipping;
mod table;
pub mod transfers;
pub mod waiting;
mod watch;

pub use bench::Bench;
pub use file_model::{FileLength, FileModel};
pub use medium::{Medium, media};
pub use probe::Probe;
pub use scratch::{Guards, Random, Scratch};
pub use skipping::require_or_skip;
pub use table::{Case, cases};

use std::sync::Arc;

use crate::backend::Backend;

/// What [`run_all`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Cases that were run and passed, counted once per medium.
    pub passed: usize,
    /// Media that this machine does not have.
    pub media_skipped: usize,
}

/// Runs every case on every medium with backends that `make` makes, of the depth it is given.
///
/// Media that the machine refuses are reported on stderr, as `skipped: <medium>: <reason>`.
///
/// # Panics
/// After the last case, if any has failed, with the names and messages of all that have.
pub fn run_all<B: Backend<Probe> + 'static>(
    driver: &str,
    make: impl Fn(usize) -> B + Send + Sync + 'static,
) -> Tally {
    let make = Arc::new(make);
    let (media, media_skipped) = media();
    let mut failures = Vec::new();
    let mut passed = 0;
    for medium in media.into_iter().map(Arc::new) {
        for case in cases::<B>() {
            let bench = Bench::sharing(driver, Arc::clone(&make) as _, Arc::clone(&medium));
            match watch::run_watched(&case, bench) {
                Ok(()) => passed += 1,
                Err(failure) => failures.push(format!("{medium}: {}: {failure}", case.name)),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{driver}: {} of {} cases failed:\n  {}",
        failures.len(),
        failures.len() + passed,
        failures.join("\n  ")
    );
    assert!(passed > 0, "{driver}: no medium at all, nothing was run");
    Tally {
        passed,
        media_skipped,
    }
}
