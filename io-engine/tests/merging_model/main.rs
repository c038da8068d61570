//! Any batch through an engine that merges: what a plain array of bytes says that comes of it.
//!
//! Events of one batch do not get in each other's way, because no engine orders what is under way at
//! the same time; the next batch is sent when every callback of the one before has been called. What
//! does get in the way of each other within a batch is the matter of the planner's own model.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use io_engine::Driver;
use io_engine::merge::{MergeCounters, MergeLimits};
use io_engine_core::conformance::Random;

use batch::{Planned, batch};
use machine::engine::{Engine, WAYS, Way};
use machine::{drivers, within_deadline};
use world::World;

mod batch;
#[path = "../machine/mod.rs"]
mod machine;
mod world;

/// Of each driver and each way.
const SEEDS: u64 = 12;
const BATCHES: usize = 8;

fn limits(random: &mut Random) -> MergeLimits {
    let limits = match random.below(4) {
        0 => MergeLimits::from(9000),
        1 => MergeLimits::default().with_events_max(3),
        _ => MergeLimits::default(),
    };
    let limits = limits.with_gap_bytes_max([0, 0, 600, 8192][random.below(4)]);
    if random.below(2) == 0 {
        limits.sharing_reads()
    } else {
        limits
    }
}

/// Hands a batch over in any number of parts, by any number of senders.
fn submit(engine: &mut Engine, planned: Vec<Planned>, random: &mut Random) -> Vec<batch::Outcome> {
    let mut outcomes = Vec::new();
    let mut events = Vec::new();
    for Planned {
        mut event,
        outcome,
        has_callback,
    } in planned
    {
        if has_callback {
            event.set_callback(engine.callback(outcomes.len()));
            outcomes.push(outcome);
        }
        events.push(event);
    }
    match random.below(3) {
        0 => engine.submit(events),
        1 => {
            let mut parts: Vec<Vec<_>> = (0..3).map(|_| Vec::new()).collect();
            let deal = |event| parts[random.below(3)].push(event);
            events.into_iter().for_each(deal);
            engine.submit_from_many(parts);
        }
        _ => {
            while !events.is_empty() {
                let rest = events.split_off(1 + random.below(events.len()));
                engine.submit(std::mem::replace(&mut events, rest));
                engine.go_on();
            }
        }
    }
    outcomes
}

/// A few batches, and what was merged of them, if it was to be.
fn run(driver: Driver, way: Way, seed: u64, merges: bool) -> (MergeLimits, MergeCounters) {
    let mut random = Random::new(seed);
    let depth = [2, 5, 64, 256][random.below(4)];
    let limits = limits(&mut random);
    let mut engine = match merges {
        true => Engine::merging(driver, way, depth, limits),
        false => Engine::new(driver, way, depth),
    };
    let mut world = World::new(&mut random);
    let mut events = 0;
    for number in 0..BATCHES {
        let case = format!("{driver}, {way:?}, seed {seed}, merges: {merges}, batch {number}");
        let planned = batch(&mut world, &mut random);
        events += planned.len() as u64;
        let outcomes = submit(&mut engine, planned, &mut random);
        let done = engine.collect(outcomes.len());
        for (event, outcome) in done.into_iter().zip(outcomes) {
            outcome.assert_is(event, &case);
        }
        world.batch_is_over();
    }
    let counters = engine.merge_counters();
    engine.finish();
    world.assert_files(&format!("{driver}, {way:?}, seed {seed}, merges: {merges}"));
    assert_eq!(counters.is_some(), merges);
    let counters = counters.unwrap_or_default();
    assert!(counters.events <= events, "{counters:?}");
    (limits, counters)
}

/// Every request is counted under one reason why it ended.
fn assert_adds_up(counters: MergeCounters, limits: MergeLimits) {
    let ended = counters.ended_at_gap
        + counters.ended_at_limit
        + counters.ended_at_hazard
        + counters.ended_at_fence
        + counters.ended_at_batch_end;
    let all = ended + counters.alone + counters.unplanned;
    assert_eq!(counters.requests, all, "{counters:?}");
    assert!(limits.shares_reads() || counters.bytes_copied == 0);
    assert!(limits.gap_bytes_max() > 0 || counters.hole_bytes == 0);
}

/// The same case merged and not; what was merged.
fn both(driver: Driver, way: Way, seed: u64) -> MergeCounters {
    let (tell, told) = crossbeam_channel::bounded(1);
    within_deadline(&format!("{driver}, {way:?}, seed {seed}"), move || {
        run(driver, way, seed, false);
        let (limits, counters) = run(driver, way, seed, true);
        assert_adds_up(counters, limits);
        tell.send(counters).unwrap();
    });
    told.recv().unwrap()
}

fn on_every_driver(way: Way) {
    for driver in drivers() {
        let mut sum = MergeCounters::default();
        for seed in 0..SEEDS {
            sum += both(driver, way, seed);
        }
        // Else it would prove nothing.
        let is_much = sum.runs > 50 && sum.shared_reads > 5 && sum.hole_bytes > 0;
        assert!(is_much, "{driver}, {way:?}: {sum:?}");
    }
}

#[test]
fn a_loop_that_merges_gives_what_an_array_of_bytes_gives() {
    on_every_driver(WAYS[0]);
}

#[test]
fn a_context_that_merges_gives_what_an_array_of_bytes_gives() {
    on_every_driver(Way::Inline);
}

#[test]
fn a_context_that_merges_and_has_workers_gives_what_an_array_of_bytes_gives() {
    on_every_driver(Way::Workers);
}

#[test]
fn a_context_that_merges_what_a_plain_channel_brings_gives_what_an_array_of_bytes_gives() {
    on_every_driver(Way::Plain);
}
