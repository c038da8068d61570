//! The suite against the simulated backend: its queue, its waiting, its doorbell, and the bytes that it
//! moves. The files of the suite are real, so the backend lets them through.
#![cfg(all(feature = "sim", feature = "testing"))]

use io_engine_core::conformance;
use io_engine_core::sim::{Fault, SimBackend, SimDisk};

fn disk(depth: usize) -> SimDisk {
    let disk = SimDisk::new(depth as u64);
    disk.let_real_files_through();
    disk
}

#[test]
fn the_simulated_backend_keeps_the_contract() {
    conformance::run_all("simulated", |depth| SimBackend::new(&disk(depth), depth));
}

#[test]
fn it_keeps_the_contract_with_late_answers_and_accepted_prefixes() {
    conformance::run_all("simulated, out of order", |depth| {
        let disk = disk(depth);
        disk.inject(Fault::Delay.one_in(2));
        disk.inject(Fault::Prefix.one_in(3));
        SimBackend::new(&disk, depth)
    });
}
