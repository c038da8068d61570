//! Bugs in how the engine ends, and in what it remembers of failures.

use super::super::mutant::{Killer, Mutant};

/// A test of the facade on the simulated disk.
const fn simulated(target: &'static str, test: &'static str) -> Killer {
    Killer::integration("io-engine", target, test).with_features("sim")
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "failed-sync-is-forgotten",
        breaks: "A sync succeeds after one that has failed, though bytes are lost.",
        file: "io-engine/src/sync_failures.rs",
        find: "Some(earlier) if earlier.is_of(fd) => completion.told_of(earlier.failure),",
        replace: "Some(earlier) if earlier.is_of(fd) => completion,",
        killers: &[simulated(
            "sync_failures",
            "every_later_sync_fails_as_the_first_did_until_it_is_acknowledged",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "failed-sync-poisons-another-file",
        breaks: "A descriptor number that means another file by now still fails its syncs.",
        file: "io-engine/src/sync_failures.rs",
        find: "(Some(file), Some(now)) => file.is_same_file(now),",
        replace: "(Some(_), Some(_)) => true,",
        killers: &[Killer::unit(
            "io-engine",
            "sync_failures::tests::a_number_that_means_another_file_begins_anew",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "shutdown-waits-for-what-hangs",
        breaks: "A shutdown with a deadline goes on waiting for the device.",
        file: "io-engine/src/context_loop.rs",
        find: "!self.has_given_up && self.queue.doorbell().is_giving_up()",
        replace: "self.has_given_up && self.queue.doorbell().is_giving_up()",
        killers: &[simulated(
            "shutdown_timeout",
            "what_hangs_is_given_up_with_callbacks_on_the_loops_thread",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "given-up-memory-comes-back",
        breaks: "What is given up at the deadline of a shutdown returns memory that the kernel may write to.",
        file: "io-engine-core/src/completion.rs",
        find: "        request.leak_buffers();
        Self::given_up_unsent(request)",
        replace: "        let _ = &mut request;
        Self::given_up_unsent(request)",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "what_is_given_up_keeps_its_buffer_only_if_nobody_had_begun_it",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sync-is-repeated",
        breaks: "A sync whose answer was lost is repeated, and succeeds although it had failed.",
        file: "io-engine-core/src/request.rs",
        find: "            IOAction::Sync | IOAction::DataSync => false,",
        replace: "            IOAction::Sync | IOAction::DataSync => true,",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "a_transfer_at_a_place_can_be_repeated_and_a_sync_cannot",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "early-end-of-a-direct-read",
        breaks: "Two short direct reads to one place are taken for the end of a file that goes on.",
        file: "io-engine-core/src/completion.rs",
        find: "&& (bytes == 0 || !request.file_goes_on())",
        replace: "&& (bytes == 0 || request.total_bytes() > 0)",
        killers: &[Killer::integration(
            "io-engine-core",
            "shrinking_transfers",
            "a_read_that_comes_to_the_same_place_goes_on_where_the_file_does",
        )
        .with_features("sim")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "forbidden-ring-has-no-successor",
        breaks: "A sandbox that comes late fails every event instead of changing the driver.",
        file: "io-engine/src/ring_successor.rs",
        find: "if !carried.queue().is_forbidden() {",
        replace: "if carried.queue().is_forbidden() {",
        killers: &[Killer::integration(
            "io-engine",
            "fallback_in_mid_life",
            "a_loop_goes_on_with_aio",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "stuck-request-is-never-told",
        breaks: "What hangs is looked at and not told of.",
        file: "io-engine/src/stuck_io.rs",
        find: "if age >= seen.told_at {",
        replace: "if age >= seen.told_at * 1000 {",
        killers: &[simulated(
            "stuck_io",
            "a_request_that_hangs_is_told_of_with_its_place_and_age",
        )],
        ..Mutant::USUAL
    },
];
