//! Running a case so that a hang becomes a failure.

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::Case;
use super::bench::Bench;
use super::probe::Probe;
use super::pump::DEADLINE;
use crate::backend::Backend;

/// Runs `case` on a thread of its own.
///
/// # Errors
/// Why it failed: its panic, events that were lost, or that it does not end. The thread of a case
/// that does not end is left behind, as nothing can end it.
pub(super) fn run_watched<B: Backend<Probe> + 'static>(
    case: &Case<B>,
    bench: Bench<B>,
) -> Result<(), String> {
    let log = Arc::clone(bench.log());
    let run = case.run;
    let (tx, rx) = mpsc::channel::<()>();
    let watched = thread::Builder::new().name(case.name.to_owned());
    let watched = watched.spawn(move || {
        // Dropped at the end, however it ends.
        let _tx = tx;
        run(&bench);
    });
    let watched = watched.map_err(|error| format!("no thread: {error}"))?;
    if rx.recv_timeout(DEADLINE * 2) == Err(mpsc::RecvTimeoutError::Timeout) {
        let (count, some) = log.still_inside();
        return Err(format!("it hangs; {count} events inside: {some}"));
    }
    watched.join().map_err(|panic| message(&*panic))?;
    match log.still_inside() {
        (0, _) => Ok(()),
        (count, some) => Err(format!("{count} events were lost: {some}")),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
