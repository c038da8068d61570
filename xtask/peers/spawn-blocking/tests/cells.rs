//! Every engine of the executable, on every workload.

#[test]
fn every_engine_carries_out_every_workload_or_says_why_not() {
    peer_cell::trial::of(
        env!("CARGO_BIN_EXE_peer-spawn-blocking"),
        env!("CARGO_TARGET_TMPDIR"),
    );
}
