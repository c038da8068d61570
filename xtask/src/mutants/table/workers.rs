//! Bugs in the threads: who is woken, who ends, what a panic costs.

use super::super::mutant::{Death, Killer, Mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "answers-of-a-bundle-forgotten",
        breaks: "What a helper has done is thrown away with its bundle, and those requests have no answer.",
        file: "io-engine-workers/src/shared_calls.rs",
        find: "self.answers.extend(bundle.answers.drain(..));",
        replace: "bundle.answers.clear();",
        killers: &[Killer::integration(
            "io-engine-workers",
            "shared_calls",
            "all_that_is_inside_is_finished_with_and_without_helpers",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "panic-ends-the-thread",
        breaks: "A panic in foreign code ends the thread that it ran on.",
        file: "io-engine-workers/src/shield.rs",
        find: r#"            std::mem::forget(payload);
            tracing::error!(what, "a panic was caught");
            None"#,
        replace: r#"            tracing::error!(what, "a panic was caught");
            std::panic::resume_unwind(payload)"#,
        killers: &[Killer::unit(
            "io-engine-workers",
            "blocking_backend::tests::a_call_that_panics_is_an_answer_like_any_other",
        )],
        death: Death::Hang,
        ..Mutant::USUAL
    },
    Mutant {
        name: "signals-reach-the-threads",
        breaks: "The threads of blocking calls leave signals open, and SIGXFSZ ends the process.",
        file: "io-engine-workers/src/blocking_threads.rs",
        find: "        block_signals_in_this_thread();
",
        replace: "",
        killers: &[Killer::integration(
            "io-engine-workers",
            "limits",
            "a_write_beyond_the_file_size_limit_is_an_error_and_not_the_end_of_the_process",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "end-checked-then-blocked",
        breaks: "A thread looks whether the queue is closed, then sleeps, and does not look again.",
        file: "io-engine-workers/src/run_queue.rs",
        find: "        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {",
        replace: "        let closed = state.closed;
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if closed {",
        killers: &[Killer::model(
            "io-engine-workers",
            "d20_closing_lets_every_thread_go_with_nothing_left",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "closing-wakes-nobody",
        breaks: "A queue is closed without waking who sleeps in it.",
        file: "io-engine-workers/src/run_queue.rs",
        find: "        drop(state);
        self.filled.notify_all();
    }

    /// Lets the threads go now",
        replace: "        drop(state);
    }

    /// Lets the threads go now",
        killers: &[Killer::model(
            "io-engine-workers",
            "d20_closing_lets_every_thread_go_with_nothing_left",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "seat-left-without-a-look",
        breaks: "A worker leaves its lane without looking for what has come meanwhile.",
        file: "io-engine-workers/src/seats.rs",
        find: "is_empty() || self.claim(1) == 0",
        replace: "is_empty() || self.limit > 0",
        killers: &[Killer::model(
            "io-engine-workers",
            "d11_one_worker_never_leaves_an_event_behind",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "sleep-announced-after-the-look",
        breaks: "A driver counts its answers first and says that it sleeps afterwards.",
        file: "io-engine-workers/src/announcement.rs",
        find: "        self.wanted.store(wanted, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if count() < wanted {
            return true;",
        replace: "        if count() < wanted {
            self.wanted.store(wanted, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            return true;",
        killers: &[Killer::model(
            "io-engine-workers",
            "sleeping::a_sleeper_that_waits_for_one_is_woken_each_time",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "last-callback-wakes-nobody",
        breaks: "Who waits until all callbacks have returned is not told of the last.",
        file: "io-engine-workers/src/idle_latch.rs",
        find: "if self.outstanding.fetch_sub(count, Ordering::AcqRel) == count {",
        replace: "if self.outstanding.fetch_sub(count, Ordering::AcqRel) < count {",
        killers: &[Killer::model(
            "io-engine-workers",
            "who_waits_until_idle_is_woken_and_sees_what_was_done",
        )],
        ..Mutant::USUAL
    },
    Mutant {
        name: "lane-drops-what-does-not-fit",
        breaks: "Events that do not fit into a lane are dropped instead of left with the caller.",
        file: "io-engine-workers/src/lane.rs",
        find: "        for event in events.drain(..fitting) {
            if let",
        replace: "        let mut all = std::mem::take(events);
        for event in all.drain(..fitting) {
            if let",
        killers: &[Killer::integration(
            "io-engine-workers",
            "pool",
            "what_does_not_fit_stays_with_the_caller_in_order",
        )],
        is_quick: true,
        ..Mutant::USUAL
    },
    Mutant {
        name: "given-up-call-loses-its-file",
        breaks: "The file of a call that was given up may be closed before the call is made.",
        file: "io-engine-workers/src/blocking_backend.rs",
        find: "self.threads.leave_files(request.files());",
        replace: "self.threads.leave_files(request.files().take(0));",
        killers: &[Killer::unit(
            "io-engine-workers",
            "blocking_backend::tests::what_is_abandoned_stays_open_until_its_thread_has_made_the_call",
        )],
        ..Mutant::USUAL
    },
];
