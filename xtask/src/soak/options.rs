//! The arguments of the soak.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::workspace;

use super::part::{self, Part};

/// What a user asks of the soak.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Goes on with new seeds for so many hours, as in 0.5; each part once if left out, or with --release
    /// until its figures are shown
    #[arg(long, value_name = "H", value_parser = hours)]
    pub(crate) hours: Option<Duration>,

    /// Holds it to the figures of a release: each turn is long, and goes to whatever is furthest behind
    #[arg(long)]
    pub(crate) release: bool,

    /// Only these parts, as a list with commas
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = names())]
    pub(crate) only: Vec<String>,

    /// The first seed; every later one follows from it
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Where the record goes
    #[arg(long, value_name = "FILE", default_value_os_t = output())]
    pub(crate) output: PathBuf,

    /// Shows the records of earlier soaks of one commit, added up, in place of a new one
    #[arg(long, value_name = "RECORD", num_args = 1.., conflicts_with_all = ["hours", "release", "only", "seed"])]
    pub(crate) show: Vec<PathBuf>,

    /// Writes the figures between the marker lines of this Markdown file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,

    /// Prints the record in place of the tables
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parts(&self) -> Vec<&'static Part> {
        let is_asked = |part: &&Part| {
            self.only.is_empty() || self.only.iter().any(|name| name.as_str() == part.name)
        };
        part::ALL.iter().filter(is_asked).collect()
    }
}

fn output() -> PathBuf {
    workspace::root().join("target/soak/summary.json")
}

fn names() -> Vec<&'static str> {
    part::ALL.iter().map(|part| part.name).collect()
}

/// A year is more than any soak.
const HOURS_MAX: f64 = 8784.0;

fn hours(text: &str) -> Result<Duration, String> {
    let hours: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match hours > 0.0 && hours <= HOURS_MAX {
        true => Ok(Duration::from_secs_f64(hours * 3600.0)),
        false => Err(format!("more than 0, and at most {HOURS_MAX} hours")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_be_parts_of_one_and_are_no_nonsense() {
        assert_eq!(hours("0.5"), Ok(Duration::from_secs(1800)));
        for wrong in ["0", "-1", "x", "NaN", "1e9"] {
            assert!(hours(wrong).is_err(), "{wrong}");
        }
    }
}
