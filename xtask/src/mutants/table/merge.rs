//! Bugs in what may be joined and what may change places.

use super::super::mutant::{Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "nothing-stops-at-a-sync",
        breaks: "Transfers pass a sync of their file, and are joined across it.",
        file: "io-engine-merge/src/hazards.rs",
        find: "if fact.kind == FactKind::Fence {",
        replace: "if fact.kind == FactKind::Fence && epoch == u32::MAX {",
        killers: &[Killer::unit(
            "io-engine-merge",
            "hazards::tests::a_fence_is_an_epoch_of_its_own_and_a_bystander_is_none",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "fence-unseen-at-first-sight",
        breaks: "A batch with a sync in it counts as one in which anything may change places.",
        file: "io-engine-merge/src/hazards.rs",
        find: "None if fact.kind == FactKind::Fence => return false,",
        replace: "None if fact.kind == FactKind::Fence => {}",
        killers: &[Killer::unit(
            "io-engine-merge",
            "hazards::tests::a_fence_is_an_epoch_of_its_own_and_a_bystander_is_none",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "read-overtakes-a-write",
        breaks: "A read may change places with a write to the same bytes.",
        file: "io-engine-merge/src/hazards.rs",
        find: "Touch::Reads(extent) => !self.written.overlaps(extent) && self.read.has_room(),",
        replace: "Touch::Reads(_) => self.read.has_room(),",
        killers: &[Killer::unit(
            "io-engine-merge",
            "hazards::tests::an_overlap_with_a_write_ends_the_epoch_and_one_of_reads_does_not",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "write-overtakes-a-read",
        breaks: "A write may change places with a read of the same bytes.",
        file: "io-engine-merge/src/hazards.rs",
        find: "let is_free = !self.written.overlaps(extent) && !self.read.overlaps(extent);",
        replace: "let is_free = !self.written.overlaps(extent);",
        killers: &[Killer::unit(
            "io-engine-merge",
            "hazards::tests::an_overlap_with_a_write_ends_the_epoch_and_one_of_reads_does_not",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "hole-between-writes",
        breaks: "Writes are joined over a hole, into which nobody has written anything.",
        file: "io-engine-merge/src/open_run.rs",
        find: "            FactKind::Read => limits.gap_bytes_max() as u64,
            FactKind::Write
            | FactKind::LoneRead",
        replace: "            FactKind::Read | FactKind::Write => limits.gap_bytes_max() as u64,
            FactKind::LoneRead",
        killers: &[Killer::integration(
            "io-engine-merge",
            "planning",
            "rules::a_small_hole_between_reads_is_read_over_if_that_is_allowed",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "more-events-than-allowed",
        breaks: "A run takes more events and holes than its limit.",
        file: "io-engine-merge/src/open_run.rs",
        find: "|| entries > limits.events_max() {",
        replace: "|| entries > usize::MAX - 1 {",
        killers: &[Killer::integration(
            "io-engine-merge",
            "planning",
            "rules::the_limits_hold_up_to_the_very_byte",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "more-bytes-than-allowed",
        breaks: "A run gets longer than its limit.",
        file: "io-engine-merge/src/open_run.rs",
        find: "if fact.end - self.start > limits.bytes_max() as u64 || entries",
        replace: "if entries",
        killers: &[Killer::integration(
            "io-engine-merge",
            "planning",
            "rules::the_limits_hold_up_to_the_very_byte",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "overlap-joined",
        breaks: "In front of a sender, an event that overlaps the run is joined with it.",
        file: "io-engine-merge/src/contiguity.rs",
        find: "if next.start < self.end {",
        replace: "if next.start < self.start {",
        killers: &[Killer::unit(
            "io-engine-merge",
            "contiguity::tests::what_does_not_fit_into_this_run_is_refused_by_name_and_may_begin_the_next",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "dropped-merger-forgets",
        breaks: "A submitter that is dropped does not send what it has held back.",
        file: "io-engine-merge/src/merge_submitter.rs",
        find: "        if let Err(unsent) = self.send_collected() {
            end_unsent(unsent);",
        replace: "        if let Err(unsent) = Ok::<(), Vec<IOEvent<C>>>(()) {
            end_unsent(unsent);",
        killers: &[Killer::integration(
            "io-engine-merge",
            "merging",
            "dropping::d10_pending_events_of_a_dropped_submitter_are_sent",
        )],
        ..Mutant::USUAL
    },
];
