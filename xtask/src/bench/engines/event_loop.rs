//! Ours without a thread: `EventLoop` on the caller's thread, callbacks that resubmit.

use std::os::fd::AsRawFd;

use anyhow::Context;
use io_engine::merge::MergeLimits;
use io_engine::{Driver, EventLoop, LoopBuilder, Wait};

use super::measure_loop;
use super::ours::{Resubmits, buffers, chosen};
use crate::bench::cell::{CellOutcome, CellSpec};

pub(super) fn run(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    keep_busy(spec, driver, |builder| builder)
}

/// As [`run`], with what is submitted at once merged.
pub(super) fn run_merging(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    keep_busy(spec, driver, |builder| {
        builder.merge(MergeLimits::default())
    })
}

fn keep_busy(
    spec: &CellSpec,
    driver: Driver,
    set_up: impl FnOnce(LoopBuilder<Resubmits>) -> LoopBuilder<Resubmits>,
) -> anyhow::Result<CellOutcome> {
    let file = spec.open()?;
    let buffers = buffers(spec)?;
    measure_loop(spec, |slots| {
        let builder = EventLoop::<Resubmits>::builder();
        let mut engine = set_up(builder.depth(spec.depth).driver(driver)).build()?;
        for (slot, buffer) in slots.into_iter().zip(buffers) {
            let first = Resubmits::first(slot, file.as_raw_fd(), buffer);
            let submitted = engine.submit(first);
            submitted.map_err(|_| anyhow::anyhow!("the loop refused an event below its depth"))?;
        }
        while engine.in_flight() > 0 {
            engine.run(Wait::For(1)).context("the loop broke")?;
        }
        Ok(chosen(driver, engine.driver()))
    })
}
