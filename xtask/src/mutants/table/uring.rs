//! Bugs between the ring and its kernel.

use super::super::mutant::{Death, Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "vain-calls-never-rest",
        breaks: "Where answers come later, every wait costs a second system call.",
        file: "io-engine-uring/src/promptness.rs",
        find: "false => -REST,",
        replace: "false => 0,",
        killers: &[Killer::unit(
            "io-engine-uring",
            "promptness::tests::where_answers_come_later_few_calls_are_in_vain",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "ring-unheard-while-waiting",
        breaks: "A ring that ends a sleep in the kernel does not end the wait.",
        file: "io-engine-uring/src/backend/driving.rs",
        find: "rung |= self.waker.hear();",
        replace: "self.waker.hear();
                rung |= false;",
        killers: &[Killer::integration(
            "io-engine-uring",
            "ring",
            "a_ring_ends_a_wait_for_several",
        )],
        death: Death::Hang,
        ..Mutant::USUAL
    },
    Mutant {
        name: "doorbell-armed-once",
        breaks: "The poll of the doorbell is not armed again after its first answer.",
        file: "io-engine-uring/src/backend/driving.rs",
        find: "            if entry.ticket == Ticket::DOORBELL {
                self.doorbell = Doorbell::Idle;",
        replace: "            if entry.ticket == Ticket::DOORBELL {",
        killers: &[Killer::integration(
            "io-engine-uring",
            "ring",
            "each_ring_ends_a_sleep_of_its_own",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "full-ring-takes-more",
        breaks: "A ring takes more requests than its depth.",
        file: "io-engine-uring/src/backend.rs",
        find: "    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {",
        replace: "    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() > self.capacity() {",
        killers: &[Killer::integration(
            "io-engine-uring",
            "conformance",
            "the_ring_keeps_the_contract",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "broken-ring-gives-memory-back",
        breaks: "When a ring breaks, buffers come back to which the kernel may still write.",
        file: "io-engine-uring/src/backend/giving_back.rs",
        find: "false => end,",
        replace: "false => Completion::queue_broken_unsent,",
        killers: &[Killer::integration(
            "io-engine-uring",
            "ring",
            "a_ring_that_is_given_up_answers_everything_and_keeps_the_memory",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "ring-dropped-with-work-inside",
        breaks: "A dropped ring does not wait for what the kernel has.",
        file: "io-engine-uring/src/backend.rs",
        find: "while self.enabled && !self.in_flight.is_empty() {",
        replace: "while self.enabled && self.in_flight.len() > self.capacity() {",
        killers: &[Killer::integration(
            "io-engine-uring",
            "ring",
            "a_drop_lasts_until_the_kernel_has_let_go",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "unsent-buffers-leaked",
        breaks: "When the ring breaks, buffers are leaked that the kernel has never heard of.",
        file: "io-engine-uring/src/backend/giving_back.rs",
        find: "self.is_given_up || self.requests_in_kernel() == 0",
        replace: "self.is_given_up && self.requests_in_kernel() == 0",
        killers: &[Killer::integration(
            "io-engine",
            "broken_queue",
            "what_a_ring_could_not_send_comes_back_with_its_buffer",
        )],
        ..Mutant::USUAL
    },
];
