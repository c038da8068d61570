//! Bugs in how a transfer goes on and how it ends.

use super::super::mutant::{Death, Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "resume-adds",
        breaks: "What is left of a transfer grows by what was moved, as it did in an engine of old.",
        file: "io-engine-core/src/operation.rs",
        find: "let len = u32::try_from(len - skip).expect",
        replace: "let len = u32::try_from(len + skip).expect",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "d1_what_is_left_shrinks_by_what_was_transferred",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "resume-does-not-advance",
        breaks: "The rest of a transfer is read over the bytes that are there already.",
        file: "io-engine-core/src/operation.rs",
        find: "let start = start.wrapping_add(skip);",
        replace: "let start = start.wrapping_add(0 * skip);",
        killers: &[Killer::integration(
            "io-engine-workers",
            "blocking",
            "d1_a_continued_event_goes_on_where_it_stopped",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "direct-resume-not-rounded",
        breaks: "A direct transfer that ended within a sector goes on from there.",
        file: "io-engine-core/src/request.rs",
        find: "=> done - done % offset,",
        replace: "=> done + 0 * offset,",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_files",
            "a_direct_file_takes_whole_sectors_and_is_resumed_at_one",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "end-of-file-asked-for-ever",
        breaks: "A read that has met the end of the file is sent again.",
        file: "io-engine-core/src/completion.rs",
        find: "if position + bytes >= total || self.is_end_of_file() {",
        replace: "if position + bytes >= total {",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "d21_a_read_of_no_bytes_is_the_end_and_is_not_asked_for_again",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "empty-write-repeated",
        breaks: "A write of which the file takes nothing is sent again.",
        file: "io-engine-core/src/completion.rs",
        find: "if bytes > 0 && self.request.count_attempt()",
        replace: "if self.request.count_attempt()",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "d21_a_write_of_no_bytes_is_an_error_and_is_not_repeated",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "stuck-transfer-repeated-for-ever",
        breaks: "A transfer that comes to the same place again and again never ends.",
        file: "io-engine-core/src/completion.rs",
        find: "if bytes > 0 && self.request.count_attempt() < errno::ATTEMPTS_MAX {",
        replace: "if bytes > 0 {",
        killers: &[Killer::integration(
            "io-engine-core",
            "shrinking_transfers",
            "one_that_goes_on_like_this_for_ever_ends_with_an_error",
        )
        .with_features("sim,testing")],
        death: Death::Hang,
        ..Mutant::USUAL
    },
    Mutant {
        name: "busy-kernel-asked-for-ever",
        breaks: "A kernel that says EAGAIN is asked again without a bound.",
        file: "io-engine-core/src/completion.rs",
        find: "if self.request.count_attempt() < errno::ATTEMPTS_MAX {
                    again",
        replace: "if self.request.count_attempt() > 0 {
                    again",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "a_kernel_that_is_busy_for_ever_is_a_time_out",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "interruption-reported",
        breaks: "A request that was interrupted ends with EINTR.",
        file: "io-engine-core/src/errno.rs",
        find: "libc::EINTR | libc::EAGAIN | libc::ECANCELED => Verdict::Transient,",
        replace: "libc::EAGAIN | libc::ECANCELED => Verdict::Transient,",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "being_interrupted_is_no_result",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "cancellation-reported",
        breaks: "A request that the kernel has let go of, unasked, ends with ECANCELED.",
        file: "io-engine-core/src/errno.rs",
        find: "libc::EINTR | libc::EAGAIN | libc::ECANCELED => Verdict::Transient,",
        replace: "libc::EINTR | libc::EAGAIN => Verdict::Transient,",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "being_interrupted_is_no_result",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "write-of-nothing-is-short",
        breaks: "Where short transfers are reported, a write that moves no byte is one of them.",
        file: "io-engine-core/src/completion.rs",
        find: "Answer::Bytes(0) if self.request.has_bytes_to_write() => {",
        replace: "Answer::Bytes(0) if false => {",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "d21_a_write_of_no_bytes_is_an_error_where_short_ones_are_reported_too",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "failed-sync-is-a-success",
        breaks: "The error of a sync is swallowed.",
        file: "io-engine-core/src/event/ending.rs",
        find: "self.res = -errno;",
        replace: "self.res = if self.action.moves_bytes() { -errno } else { 0 };",
        killers: &[Killer::integration(
            "io-engine-core",
            "failed_requests",
            "the_error_of_what_moves_no_bytes_reaches_its_event",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "error-forgets-what-was-moved",
        breaks: "An error after part of the bytes says that none was moved.",
        file: "io-engine-core/src/event/ending.rs",
        find: "    pub(crate) fn finish_errno(&mut self, errno: i32, transferred: u64) {
        self.set_transferred(transferred);",
        replace: "    pub(crate) fn finish_errno(&mut self, errno: i32, transferred: u64) {
        self.set_transferred(0 * transferred);",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "an_error_after_part_of_the_bytes_keeps_their_count",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "parts-share-from-the-start",
        breaks: "Each event of a run gets as many bytes as the run has, wherever it begins.",
        file: "io-engine-core/src/merged/sharing_out.rs",
        find: "reached.saturating_sub(begin).min(event.get_size())",
        replace: "reached.saturating_sub(0 * begin).min(event.get_size())",
        killers: &[Killer::integration(
            "io-engine-workers",
            "blocking",
            "d21_a_read_over_the_end_of_the_file_ends_there",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "given-up-run-keeps-nothing",
        breaks: "Of a run that is given up, what was read before is told as read and leaked.",
        file: "io-engine-core/src/merged/sharing_out.rs",
        find: "event.get_size() > skipped {",
        replace: "event.get_size() > 0 * skipped {",
        killers: &[Killer::integration(
            "io-engine-core",
            "given_up_runs",
            "a_read_that_was_whole_before_keeps_its_buffer",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "run-does-not-advance",
        breaks: "The rest of a run is moved to and from where its first event begins.",
        file: "io-engine-core/src/merged.rs",
        find: "let skip = usize::try_from(at - begin)",
        replace: "let skip = usize::try_from(0 * (at - begin))",
        killers: &[Killer::integration(
            "io-engine-merge",
            "merging",
            "sharing_out::d3_a_run_that_comes_in_pieces_gives_each_event_its_own_bytes_wherever_it_is_cut",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "hole-is-left-out",
        breaks: "The bytes of a hole in a run go to the event behind it.",
        file: "io-engine-core/src/merged.rs",
        find: "segments.push(segment(scratch.kernel_ptr(), begin - at));",
        replace: "let _ = scratch.kernel_ptr();",
        killers: &[Killer::integration(
            "io-engine-core",
            "holes_and_sharing",
            "each_read_has_its_own_bytes_its_own_end_of_file_and_its_own_error",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "error-in-a-run-is-a-success",
        breaks: "Events behind the place where a run has failed end as if all were moved.",
        file: "io-engine-core/src/completion.rs",
        find: "        let done = self.request.done();
        self.split_at(done, finished",
        replace: "        let done = self.request.total_bytes();
        self.split_at(done, finished",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "an_error_in_a_run_is_given_to_the_event_that_fails_alone",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "run-beyond-the-segment-limit",
        breaks: "A run has more segments than the kernel takes.",
        file: "io-engine-core/src/merged.rs",
        find: "let fits = span <= TRANSFER_BYTES_MAX as u64 && segment_count <= SEGMENTS_MAX;",
        replace: "let fits = span <= TRANSFER_BYTES_MAX as u64 && segment_count <= SEGMENTS_MAX + 1;",
        killers: &[Killer::integration(
            "io-engine-core",
            "run_pool",
            "holes_count_as_segments",
        )],
        ..Mutant::USUAL
    },
];
