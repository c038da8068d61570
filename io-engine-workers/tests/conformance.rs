//! The contract of every backend, kept by the blocking one with few threads and with many.
#![cfg(not(loom))]

use io_engine_core::conformance::{self, Probe};
use io_engine_workers::{BlockingBackend, BlockingSettings};

fn backend(settings: BlockingSettings) -> BlockingBackend<Probe> {
    BlockingBackend::new(settings).expect("it starts anywhere")
}

#[test]
fn the_blocking_backend_keeps_the_contract() {
    let tally = conformance::run_all("blocking", |depth| {
        backend(BlockingSettings::with_depth(depth))
    });
    assert!(tally.passed > 0);
}

#[test]
fn the_blocking_backend_keeps_the_contract_with_a_single_thread() {
    let tally = conformance::run_all("blocking, one thread", |depth| {
        backend(BlockingSettings::with_depth(depth).threads(1))
    });
    assert!(tally.passed > 0);
}
