//! Saying aloud what was not tested.

use std::fmt::Display;
use std::io::Write;

/// Reports that the tests of `driver` cannot run here.
///
/// Prints `skipped: <driver>: <reason>` on stderr, past the test harness, which would keep it.
///
/// # Panics
/// If the environment variable `REQUIRE_DRIVERS`, a list with commas, names the driver: where it is
/// known to work, a skip is a failure.
pub fn require_or_skip(driver: &str, reason: &dyn Display) {
    let required = std::env::var("REQUIRE_DRIVERS").unwrap_or_default();
    assert!(
        !names(&required, driver),
        "REQUIRE_DRIVERS names {driver}, and it cannot run here: {reason}"
    );
    say_skipped(driver, reason);
}

/// Prints `skipped: <what>: <reason>` as one line.
pub(super) fn say_skipped(what: &str, reason: &dyn Display) {
    let reason = reason.to_string().replace('\n', " ");
    // The stream itself, not `eprintln!`: the harness captures that one and shows it on failure
    // only. When stderr is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {what}: {reason}");
}

fn names(list: &str, driver: &str) -> bool {
    list.split(',')
        .any(|name| name.trim().eq_ignore_ascii_case(driver))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_driver_is_found_by_its_whole_name() {
        assert!(names("uring,aio", "aio"));
        assert!(names(" Uring , aio", "uring"));
        assert!(!names("uring,aio", "ai"));
        assert!(!names("", "aio"));
    }
}
