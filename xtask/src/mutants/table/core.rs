//! Bugs in what the core keeps: slots and their tickets, callbacks, the doorbell, the checks.

use super::super::mutant::{Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "misfit-dropped-from-its-slot",
        breaks: "An event that did not fit stays in a slot that counts as free, and its holder gets another.",
        file: "io-engine-core/src/in_flight/inserting.rs",
        find: "Run::One(event) if fits(event) => {}",
        replace: "Run::One(event) if fits(event) || !event.is_carrier_or_continued() => {}",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "what_does_not_fit_comes_back_and_takes_no_slot",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "renewed-event-keeps-its-result",
        breaks: "An event that is used once more counts as continued, from where it ended the last time.",
        file: "io-engine-core/src/event/renewal.rs",
        find: "        self.res = NOT_DONE;
",
        replace: "        let _ = NOT_DONE;
",
        killers: &[Killer::integration(
            "io-engine-core",
            "renewal",
            "it_keeps_file_and_buffer_and_forgets_the_rest",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "buffer-stays-cut-when-taken-whole",
        breaks: "A read that met the end of the file and goes on to its end has a buffer that is still cut.",
        file: "io-engine-core/src/event/taking.rs",
        find: "        place.open_again();
",
        replace: "",
        killers: &[Killer::integration(
            "io-engine-core",
            "renewal",
            "a_read_that_goes_on_after_the_end_of_the_file_has_its_whole_buffer",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "stale-generation-accepted",
        breaks: "An answer with the ticket of an earlier request ends the one that has its slot now.",
        file: "io-engine-core/src/in_flight.rs",
        find: "let is_current = ticket.generation() == generation && generation % 2 == 1;",
        replace: "let is_current = generation % 2 == 1;",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "the_ticket_of_an_answered_request_fits_no_later_one",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "free-slot-answered",
        breaks: "A ticket that was never given is trusted if its slot is free.",
        file: "io-engine-core/src/in_flight.rs",
        find: "ticket.generation() == generation && generation % 2 == 1;",
        replace: "ticket.generation() == generation;",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "a_made_up_ticket_for_a_free_slot_panics",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "duplicate-ticket-trusted",
        breaks: "An answer that comes twice takes a request out of its slot twice.",
        file: "io-engine-core/src/in_flight.rs",
        find: "        assert_current(ticket, generation);
        slot.generation
            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: the generation was odd, so the request",
        replace: "        slot.generation
            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: the generation was odd, so the request",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_faults",
            "an_answer_that_comes_twice_is_noticed",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "callback-called-again-at-the-end",
        breaks: "An event whose callback was called stays in its slot, and its callback is called again when everything is given back.",
        file: "io-engine-core/src/in_flight/answering.rs",
        find: "            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: it is the event of the request",
        replace: "            .store(generation, Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: it is the event of the request",
        killers: &[Killer::integration(
            "io-engine-core",
            "sim_faults",
            "each_event_that_was_taken_whole_is_not_given_back_once_more",
        )
        .with_features("sim,testing")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "unanswered-event-taken-whole",
        breaks: "An event that the kernel still has is taken out of its slot, and its buffer is freed under the kernel.",
        file: "io-engine-core/src/in_flight/answering.rs",
        find: "assert!(self.is_whole(ticket),",
        replace: "assert!(ticket != Ticket::DOORBELL,",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "what_the_kernel_may_still_have_cannot_be_taken",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "removed-request-stays-held",
        breaks: "A request that was taken out is still there at the shutdown, which ends it a second time.",
        file: "io-engine-core/src/in_flight.rs",
        find: "            .store(generation.wrapping_add(1), Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: the generation was odd",
        replace: "            .store(generation, Ordering::Relaxed);
        self.free.push(ticket.slot());
        // SAFETY: the generation was odd",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "removing_twice_panics",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "slots-leaked-with-the-slab",
        breaks: "What is in flight when a slab is dropped is never dropped, and its file stays open.",
        file: "io-engine-core/src/in_flight.rs",
        find: "drop(self.remove(ticket));",
        replace: "std::mem::forget(self.remove(ticket));",
        killers: &[Killer::integration(
            "io-engine-core",
            "in_flight_model",
            "what_is_still_inside_is_dropped_with_the_slab_and_nothing_else_is",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "error-without-callback",
        breaks: "An event that has failed is dropped, and its callback with it.",
        file: "io-engine-core/src/delivery.rs",
        find: "Some(callback) => callback.call(event),",
        replace: "Some(callback) if event.res() >= 0 => callback.call(event),
        Some(_) => {}",
        killers: &[Killer::integration(
            "io-engine-core",
            "completion",
            "d2_an_error_reaches_the_callback",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "panic-loses-the-rest",
        breaks: "After a callback that has panicked nobody else of its batch is called.",
        file: "io-engine-core/src/delivery.rs",
        find: "                report_panic(panic);
                delivered.panics += 1;",
        replace: "                report_panic(panic);
                delivered.panics += 1;
                is_over = true;",
        killers: &[Killer::integration(
            "io-engine-core",
            "delivery",
            "d19_any_callback_of_a_batch_may_panic_and_the_others_are_called_once",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "ring-is-silent-after-the-first",
        breaks: "The doorbell stays rung once it was heard, so that later rings wake nobody.",
        file: "io-engine-core/src/waker.rs",
        find: "let rung = self.bell.rung.swap(false, Ordering::AcqRel);",
        replace: "let rung = self.bell.rung.load(Ordering::Acquire);",
        killers: &[Killer::unit(
            "io-engine-core",
            "waker::tests::a_ring_before_the_sleep_is_not_lost",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "nudge-is-not-heard",
        breaks: "What wakes the driver for a second backend is forgotten before the driver hears of it.",
        file: "io-engine-core/src/waker.rs",
        find: "        rung || nudged",
        replace: "        rung && !nudged",
        killers: &[Killer::unit(
            "io-engine-core",
            "waker::tests::a_nudge_is_heard_and_not_counted",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "offset-overflow-unchecked",
        breaks: "A range that ends beyond the largest offset of a file is sent to the kernel.",
        file: "io-engine-core/src/request.rs",
        find: "if offset.checked_add_unsigned(len).is_none() {",
        replace: "if offset.checked_add_unsigned(len).is_some_and(|_| false) {",
        killers: &[Killer::unit(
            "io-engine-aio",
            "queue_on_script::what_cannot_work_never_reaches_the_kernel_and_counts_until_it_is_yielded",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "shared-memory-read-into",
        breaks: "A read into memory that others share is carried out.",
        file: "io-engine-core/src/request.rs",
        find: "if self.action() == IOAction::Read && !first.is_writable() {",
        replace: "if self.action() == IOAction::Write && !first.is_writable() {",
        killers: &[Killer::integration(
            "io-engine",
            "bad_input",
            "d2_what_cannot_work_is_refused_by_name_and_its_neighbours_are_served",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "misaligned-length-passes",
        breaks: "The length of a direct request is not looked at.",
        file: "io-engine-core/src/request.rs",
        find: "if required > 1 && given & (required - 1) != 0 {",
        replace: "if required > 1 && what != AlignedPart::Length && given & (required - 1) != 0 {",
        killers: &[Killer::integration(
            "io-engine-core",
            "alignment_gate",
            "a_direct_file_gets_what_it_demands",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "gate-trusts-its-hint",
        breaks: "A request to a file that the gate has met passes, aligned or not.",
        file: "io-engine-core/src/alignment_gate.rs",
        find: "        if hint.fd == fd
            && hint
                .alignment
                .is_none_or(|known| request.check_alignment(known).is_ok())
        {",
        replace: "        if hint.fd == fd {",
        killers: &[Killer::integration(
            "io-engine-core",
            "alignment_gate",
            "a_direct_file_gets_what_it_demands",
        )],
        ..Mutant::USUAL
    },
];
