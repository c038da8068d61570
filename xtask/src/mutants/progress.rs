//! How many mutants are left: a bar on a terminal, plain lines elsewhere.

use indicatif::ProgressBar;

use crate::progress::bar_of_long_steps;

/// Counts killers without a bug, then mutants.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Hidden where there is no terminal.
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            bar: bar_of_long_steps(steps as u64, "{wide_bar} {pos}/{len} {elapsed}  {msg:50}"),
        }
    }

    /// One step begins, of which a user elsewhere than at a terminal hears only the end.
    pub(crate) fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// The step that has begun is done.
    pub(crate) fn end(&self, what: &str) {
        self.bar.inc(1);
        if self.bar.is_hidden() {
            eprintln!("{what}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
