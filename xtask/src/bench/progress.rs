//! How far the whole run is: a bar on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::progress::bar_of_long_steps;

/// Counts the milliseconds of the plan.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Hidden where there is no terminal.
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(total: Duration) -> Self {
        Self {
            bar: bar_of_long_steps(
                milliseconds(total),
                "{wide_bar} {percent:>3}% (left: {eta:>4})  {msg:50}",
            ),
        }
    }

    /// A part of the run begins; elsewhere than on a terminal this is a line.
    pub(crate) fn part(&self, part: &str) {
        if self.bar.is_hidden() {
            eprintln!("{part}");
        } else {
            self.bar.set_message(part.to_owned());
        }
    }

    /// One cell begins, of which there are too many for lines.
    pub(crate) fn cell(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Something that is to stay on the screen.
    pub(crate) fn say(&self, what: &str) {
        if self.bar.is_hidden() {
            eprintln!("{what}");
        } else {
            self.bar.suspend(|| eprintln!("{what}"));
        }
    }

    /// So much of the plan is done.
    pub(crate) fn advance(&self, time: Duration) {
        self.bar.inc(milliseconds(time));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
