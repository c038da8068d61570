//! The ring keeps the contract of `Backend`.

use io_engine_core::conformance;
use io_engine_uring::{UringBackend, UringSettings};

#[test]
fn the_ring_keeps_the_contract() {
    if let Err(reason) = UringBackend::<()>::new(UringSettings::with_depth(1)) {
        return conformance::require_or_skip("uring", &reason);
    }
    conformance::run_all("uring", |depth| {
        UringBackend::new(UringSettings::with_depth(depth)).expect("it started before")
    });
}
