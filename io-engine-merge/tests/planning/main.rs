//! Plans seen from outside: what may change places, what travels together, what the limits are.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and not what they are made of"
)]

mod model;
mod rules;
