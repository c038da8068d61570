//! Ours without a thread: `EventLoop` on the caller's thread, callbacks that resubmit.

use std::os::fd::AsRawFd;

use anyhow::Context;
use io_engine::{Driver, EventLoop, Wait};

use super::measure_loop;
use super::ours::{Resubmits, buffers, chosen};
use crate::bench::cell::{CellOutcome, CellSpec};

pub(super) fn run(spec: &CellSpec, driver: Driver) -> anyhow::Result<CellOutcome> {
    let file = spec.open()?;
    let buffers = buffers(spec)?;
    measure_loop(spec, |slots| {
        let mut engine = EventLoop::<Resubmits>::new(spec.depth, driver)?;
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
