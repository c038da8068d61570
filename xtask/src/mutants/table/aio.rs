//! Bugs between the AIO queue and its kernel.

use super::super::mutant::{Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "accepted-prefix-ignored",
        breaks: "Of a batch of which the kernel took the beginning, the rest counts as sent.",
        file: "io-engine-aio/src/queue.rs",
        find: "self.take_note_of_accepted(accepted);",
        replace: "self.take_note_of_accepted(self.unsent.len().max(accepted));",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::d4_accepted_prefixes_and_zero_accepted_are_carried_on_without_sending_twice",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "refused-request-lost",
        breaks: "A request that the kernel refuses on submission is dropped without an answer.",
        file: "io-engine-aio/src/queue.rs",
        find: "                let request = self.requests.remove(ticket);
                done.push(refused(request, errno));
                Ok(())",
        replace: "                drop(self.requests.remove(ticket));
                Ok(())",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::d4_whatever_the_errno_only_the_head_of_the_batch_fails",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "memory-back-while-the-kernel-has-it",
        breaks: "When the queue breaks, buffers come back to which the kernel may still write.",
        file: "io-engine-aio/src/queue/giving_up.rs",
        find: "self.give_back(unsent, Completion::queue_broken, done);",
        replace: "self.give_back(unsent, Completion::queue_broken_unsent, done);",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::a_context_that_is_gone_while_waiting_breaks_the_queue",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "freed-while-the-kernel-has-it",
        breaks: "A dropped queue frees requests that the kernel does not let go of.",
        file: "io-engine-aio/src/queue.rs",
        find: "Err(errno) if self.in_kernel > 0 => {",
        replace: "Err(errno) if self.in_kernel == usize::MAX => {",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::what_the_kernel_does_not_let_go_of_is_leaked_and_never_freed",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "drop-does-not-wait",
        breaks: "A dropped queue does not wait for what the kernel has.",
        file: "io-engine-aio/src/queue.rs",
        find: "while self.in_kernel > 0 && self.reap",
        replace: "while self.in_kernel > usize::MAX - 1 && self.reap",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::drop_waits_for_all_that_the_kernel_has_and_drops_what_it_never_got",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "busy-submission-for-ever",
        breaks: "A kernel that has nothing to do and takes nothing is asked without a bound.",
        file: "io-engine-aio/src/queue.rs",
        find: "if put_off_count < PUT_OFF_COUNT_MAX {",
        replace: "if put_off_count > 0 {",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::eagain_becomes_the_answer_only_when_the_kernel_has_nothing",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "busy-submission-is-an-error",
        breaks: "A request that the kernel puts off while it has others fails.",
        file: "io-engine-aio/src/queue.rs",
        find: "if self.in_kernel > 0 {
                    return Ok(());",
        replace: "if self.in_kernel == usize::MAX {
                    return Ok(());",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::d4_eagain_keeps_the_requests_while_the_kernel_has_others",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "doorbell-eats-a-ring",
        breaks: "A ring is taken note of, and the sleep goes on.",
        file: "io-engine-aio/src/queue.rs",
        find: "reaped.rung = true;",
        replace: "reaped.rung = false;",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::a_ring_ends_a_sleep_for_several_and_counts_for_none",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "deaf-sleep",
        breaks: "The doorbell is not armed before a sleep, so that no ring ends it.",
        file: "io-engine-aio/src/queue.rs",
        find: "        if done.len() < enough {
            self.queue_doorbell();",
        replace: "        if done.len() > enough {
            self.queue_doorbell();",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::a_ring_ends_a_sleep_for_several_and_counts_for_none",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "interrupted-wait-is-over",
        breaks: "A signal ends a wait for answers.",
        file: "io-engine-aio/src/queue.rs",
        find: "Err(Errno::INTR) => {}",
        replace: "Err(Errno::INTR) => break 0,",
        killers: &[
            Killer::unit(
                "io-engine-aio",
                "queue_on_script::d5_eintr_loses_nothing_wherever_it_comes",
            ),
            Killer::unit(
                "io-engine-aio",
                "queue_on_script::d5_after_eintr_only_the_rest_of_the_time_is_slept",
            ),
        ],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sync-is-not-made",
        breaks: "A sync is answered without asking the kernel for it.",
        file: "io-engine-aio/src/queue.rs",
        find: "if request.action() == IOAction::Nop {",
        replace: "if matches!(request.action(), IOAction::Nop | IOAction::Sync) {",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::d22_syncs_are_requests_like_others_and_go_down_in_one_call",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "broken-queue-closed-at-the-deadline",
        breaks: "A queue that broke waits for a device that hangs, past the deadline of its end.",
        file: "io-engine-aio/src/queue/giving_up.rs",
        find: "self.has_left_some |= mem::take(&mut self.in_kernel) > 0;",
        replace: "self.has_left_some = mem::take(&mut self.in_kernel) > 0;",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::a_queue_that_is_abandoned_after_it_broke_is_left_alone_as_well",
        )],
        ..Mutant::USUAL
    },
];
