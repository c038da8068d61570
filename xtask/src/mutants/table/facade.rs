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
];
