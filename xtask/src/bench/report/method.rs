//! How the numbers came about, for those who want to trust or to doubt them.

use maud::{Markup, html};

use super::super::record::Record;

pub(crate) fn section(record: &Record) -> Markup {
    let settings = &record.settings;
    html! {
        section id="method" {
            h2 { "Method" }
            p {
                "Each cell is one engine on one workload at one depth, in a process of its own, so that CPU time, "
                "system calls and memory are its own, and a crash or a hang hurts no other. A cell warms up for "
                (settings.warm_up_ms) " ms and is measured for " (settings.measure_ms) " ms, in each of "
                (settings.rounds) " rounds. Within a round the engines of one depth run one after another, and each "
                "round begins with another engine. Tables and plots show the median of the rounds; the spread is the "
                "distance from the slowest to the fastest, as a part of the median."
            }
            p {
                "Our engine is measured on each of its paths. " code { "loop" } ": an event loop on the caller's "
                "thread. " code { "inline" } ": a context whose callbacks run on its thread and send the next I/O from "
                "there. " code { "channel" } ": the same context, with the caller on another thread. " code { "plain" }
                ": a plain crossbeam receiver, and callbacks on a worker. Behind the dash is the driver."
            }
            p {
                "The limits (" code { "raw" } ") are loops of a few dozen lines over the bare kernel interface. "
                code { "raw-uring-batch" } " waits for a quarter of what is in flight or 20 µs, "
                code { "raw-pread" } " is one thread of blocking calls, " code { "raw-pread-pool" }
                " as many as help on this machine, with no more in flight than it has threads, so that its latency is "
                "that of one call. \"Of limit\" is the part of the best limit at the same depth."
            }
            p {
                "Every engine counts and is timed by the same code; the latency of each I/O is taken where they are few, of one in 16 where they are many, "
                "from before it is handed over until its callback or its wake-up. CPU time is user and system of "
                "the whole process. System calls are counted in a round of their own by a tracepoint, because that "
                "slows them down. fio reports on itself: it takes every latency, its CPU time leaves out the kernel's worker "
                "threads, and it submits and reaps in batches, with nothing registered, as the others do."
            }
        }
    }
}
