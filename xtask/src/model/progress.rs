//! How far the check is: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Counts operations, over all drivers.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Hidden where there is no terminal.
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(operations: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::new(operations);
        let style = ProgressStyle::with_template(
            "{msg:10} {wide_bar} {percent:>3}% {elapsed} (left: {eta})",
        )
        .expect("a valid template");
        bar.set_style(style);
        Self { bar }
    }

    pub(crate) fn hidden() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }

    /// A part begins.
    pub(crate) fn begin(&self, part: &str) {
        self.bar.set_message(part.to_owned());
        if self.bar.is_hidden() {
            eprintln!("{part} ...");
        }
    }

    /// So many operations more are done.
    pub(crate) fn advance(&self, operations: u64) {
        self.bar.inc(operations);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
