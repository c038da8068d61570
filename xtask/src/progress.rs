//! How far a command is: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many steps; hidden where there is no terminal.
pub(crate) fn bar(steps: u64, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(steps).with_style(style)
}

/// As [`bar`], for steps that take long: the time goes on meanwhile.
pub(crate) fn bar_of_long_steps(steps: u64, template: &str) -> ProgressBar {
    let bar = bar(steps, template);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Counts operations, over all drivers.
#[derive(Debug)]
pub(crate) struct Operations {
    bar: ProgressBar,
}

impl Operations {
    pub(crate) fn new(count: u64) -> Self {
        Self {
            bar: bar(
                count,
                "{msg:22} {wide_bar} {percent:>3}% {elapsed} (left: {eta})",
            ),
        }
    }

    #[cfg(test)]
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
