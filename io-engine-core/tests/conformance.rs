//! The suite against the simplest backend there is, which tests the suite itself.
#![cfg(feature = "testing")]

mod pread_backend;

use io_engine_core::conformance;
use pread_backend::PreadBackend;

#[test]
fn the_reference_backend_keeps_the_contract() {
    let tally = conformance::run_all("reference", PreadBackend::new);
    assert!(tally.passed >= 2 * conformance::cases::<PreadBackend<_>>().len());
}
