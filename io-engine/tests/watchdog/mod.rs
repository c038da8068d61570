//! A hang becomes a failure that says where it hangs.

use std::fmt::Display;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Far more than any step takes, on the slowest machine and under an interpreter.
const DEADLINE: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 60 });

/// Ends the process if nothing is [begun](Self::begins) for too long, until it is dropped.
#[must_use = "it watches until it is dropped"]
pub(crate) struct Watchdog(SyncSender<String>);

impl Watchdog {
    pub(crate) fn new() -> Self {
        let (tx, rx) = sync_channel::<String>(1);
        thread::spawn(move || {
            let mut step = String::from("the first step");
            loop {
                match rx.recv_timeout(DEADLINE) {
                    Ok(next) => step = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("{step} hangs");
                        process::abort();
                    }
                }
            }
        });
        Self(tx)
    }

    /// Says what is done next.
    pub(crate) fn begins(&self, step: impl Display) {
        self.0.send(step.to_string()).expect("it watches");
    }
}
