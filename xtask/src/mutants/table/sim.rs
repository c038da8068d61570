//! Bugs in the simulated disk, which would make tests of faults worthless.

use super::super::mutant::{Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "crash-keeps-what-was-not-synced",
        breaks: "After a crash everything is there, synced or not.",
        file: "io-engine-core/src/sim/sectors.rs",
        find: "Self::Nothing => safe,",
        replace: "Self::Nothing => now,",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_files",
            "what_was_not_synced_is_lost_and_what_was_is_not",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sync-saves-what-came-later",
        breaks: "A sync saves what was written after it began.",
        file: "io-engine-core/src/sim/versions.rs",
        find: "let is_saved = |version: &Version<T>| version.since <= until && !version.is_given_up;",
        replace: "let is_saved = |version: &Version<T>| until > 0 && !version.is_given_up;",
        killers: &[Killer::unit(
            "io-engine-core",
            "sim::sectors::tests::a_sync_saves_what_was_done_before_it_began",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "failed-sync-is-made-good",
        breaks: "What a failed sync has given up is saved by the next one.",
        file: "io-engine-core/src/sim/versions.rs",
        find: "version.is_given_up = true;",
        replace: "version.is_given_up = false;",
        killers: &[Killer::unit(
            "io-engine-core",
            "sim::sectors::tests::what_a_failed_sync_gave_up_is_not_saved_by_the_next",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "awaited-state-is-forgotten",
        breaks: "What a sync under way is to save is forgotten when much is written meanwhile.",
        file: "io-engine-core/src/sim/versions.rs",
        find: "latest.is_awaited = true;",
        replace: "latest.is_awaited = false;",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_files",
            "a_sync_saves_what_was_there_however_much_is_written_meanwhile",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "short-fault-moves-everything",
        breaks: "A transfer that is to be cut short is not.",
        file: "io-engine-core/src/sim/outcome.rs",
        find: "Some(Fault::Short) => 1 + self.dice.below(len - 1),",
        replace: "Some(Fault::Short) => len,",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_faults",
            "a_short_transfer_moves_at_least_one_byte_and_not_all",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
];
