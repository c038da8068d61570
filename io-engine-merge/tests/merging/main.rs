//! Merging seen from outside: what goes in, what is sent, and what happens when sending fails.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and not what they are made of"
)]

mod batches;
mod dropping;
mod every_event_once;
mod failing_sender;
mod limits;
mod sharing_out;
mod tagged;

#[path = "../../../io-engine-core/tests/fake_kernel/mod.rs"]
mod fake_kernel;
