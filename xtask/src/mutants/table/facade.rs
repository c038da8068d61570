//! Bugs in the loop, its channel and its end.

use super::super::mutant::{Death, Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "closed-queue-forgets-its-events",
        breaks: "What is in a channel that never gets a context ends without its callback.",
        file: "io-engine/src/channel.rs",
        find: "refuse_all(self.close());",
        replace: "drop(self.close());",
        killers: &[Killer::integration(
            "io-engine",
            "exactly_once",
            "a_context_that_cannot_start_gives_what_is_queued_its_callback",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "channel-not-sealed",
        breaks: "A channel is closed without a seal, and a sender that comes late leaves its event inside.",
        file: "io-engine/src/seal.rs",
        find: "self.sealed.store(true, Ordering::Relaxed);",
        replace: "self.sealed.store(false, Ordering::Relaxed);",
        killers: &[Killer::model(
            "io-engine",
            "nothing_stays_in_a_sealed_channel",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "closed-before-the-seal",
        breaks: "A channel is emptied before its seal and not after it.",
        file: "io-engine/src/seal.rs",
        find: "        fence(Ordering::SeqCst);
        take_all();",
        replace: "        fence(Ordering::SeqCst);",
        killers: &[Killer::model(
            "io-engine",
            "nothing_stays_in_a_sealed_channel",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sleep-announced-without-a-fence",
        breaks: "The loop looks at its queue before others see that it sleeps.",
        file: "io-engine/src/sleep_handshake.rs",
        find: "        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);",
        replace: "        self.asleep.store(true, Ordering::Relaxed);",
        killers: &[Killer::model("io-engine", "an_event_is_seen_or_rung_for")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sender-looks-without-a-fence",
        breaks: "A sender looks whether the loop sleeps before the loop sees its event.",
        file: "io-engine/src/sleep_handshake.rs",
        find: "        fence(Ordering::SeqCst);
        self.asleep.load",
        replace: "        self.asleep.load",
        killers: &[Killer::model("io-engine", "an_event_is_seen_or_rung_for")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "every-sender-rings",
        breaks: "Of several senders that meet a sleeping loop, each rings.",
        file: "io-engine/src/sleep_handshake.rs",
        find: "&& self.asleep.swap(false, Ordering::Relaxed)",
        replace: "",
        killers: &[Killer::model("io-engine", "two_senders_ring_once")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "shutdown-rings-nobody",
        breaks: "A context is told to end, and its loop sleeps on.",
        file: "io-engine/src/doorbell.rs",
        find: "        self.shared.closing.store(true, Ordering::Release);
        self.ring();",
        replace: "        self.shared.closing.store(true, Ordering::Release);",
        killers: &[Killer::integration(
            "io-engine",
            "exactly_once",
            "an_idle_context_ends_when_it_is_told_to",
        )],
        death: Death::Hang,
        ..Mutant::USUAL
    },
    Mutant {
        name: "retries-forgotten",
        breaks: "What the kernel is to be asked for once more is dropped.",
        file: "io-engine/src/cycle.rs",
        find: "self.waiting.extend(self.again.drain(..));",
        replace: "self.again.clear();",
        killers: &[Killer::integration(
            "io-engine",
            "simulated_failures",
            "what_the_engine_gets_over_no_callback_sees",
        )
        .with_features("sim")],
        ..Mutant::USUAL
    },
    Mutant {
        name: "local-queue-without-a-bound",
        breaks: "Callbacks may hand over as much as they like.",
        file: "io-engine/src/callback_scope.rs",
        find: "if !self.has_right.replace(false) && events.len() + passed >= self.depth {",
        replace: "if !self.has_right.replace(false) && events.len() + passed == usize::MAX {",
        killers: &[Killer::integration(
            "io-engine",
            "resubmission",
            "the_local_queue_is_bounded_and_refuses_with_the_event",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "late-sender-leaves-its-event",
        breaks: "A sender that finds the channel sealed does not take its event out.",
        file: "io-engine/src/channel.rs",
        find: "if self.doorbell.seal().is_sealed() {",
        replace: "if self.doorbell.seal().is_sealed() && self.is_empty() {",
        killers: &[Killer::integration(
            "io-engine",
            "exactly_once",
            "senders_that_race_with_shutdown_get_the_event_or_the_callback",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "end-without-senders-unheard",
        breaks: "A context whose senders are gone does not hear that it is to end.",
        file: "io-engine/src/forwarder.rs",
        find: "if stopped.recv().is_ok() {",
        replace: "if stopped.recv().is_err() {",
        killers: &[Killer::integration(
            "io-engine",
            "plain_channel",
            "without_senders_a_callback_can_still_end_its_context",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "slow-callbacks-taken-for-waiting",
        breaks: "Slow callbacks do not hold back those who send to a plain channel.",
        file: "io-engine/src/knot.rs",
        find: "            self.in_vain += 1;\n",
        replace: "            self.in_vain = 0;\n",
        killers: &[Killer::unit(
            "io-engine",
            "knot::tests::a_slow_callback_lets_few_events_be_taken",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "broken-queue-takes-everything-in",
        breaks: "Where the queue is broken, workers that are behind do not hold senders back.",
        file: "io-engine/src/context_loop.rs",
        find: "if self.intake != Intake::Open || !self.may_gather() {",
        replace: "if self.intake != Intake::Open {",
        killers: &[Killer::integration(
            "io-engine",
            "broken_queue_bounds",
            "a_broken_ring_holds_senders_back_where_workers_are_behind",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "nothing-handed-on-while-spinning",
        breaks: "A loop that spins leaves what the workers had no room for where it is.",
        file: "io-engine/src/context_loop.rs",
        find: "!self.finished.is_empty() && self.outlet.keeps_up()",
        replace: "self.finished.len() == usize::MAX && self.outlet.keeps_up()",
        killers: &[Killer::integration(
            "io-engine",
            "callback_edges",
            "a_loop_that_spins_for_ever_hands_on_what_workers_had_no_room_for",
        )],
        ..Mutant::USUAL
    },
];
