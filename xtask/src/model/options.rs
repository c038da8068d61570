//! The arguments of the model check.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::carrier::Carrier;
use super::round::Way;

/// What a user asks of the check.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What carries the requests, once for each; all that start here if left out
    #[arg(long, value_name = "DRIVER", value_enum)]
    pub(crate) driver: Vec<Carrier>,

    /// Operations for each driver
    #[arg(long, value_name = "N", default_value_t = 220_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ops: u64,

    /// Operations from the start of an engine to its end, at most; 150 on the simulated disk and 1000
    /// elsewhere if left out
    #[arg(long, value_name = "N", value_parser = number(ROUND_OPS_MAX))]
    pub(crate) round_ops: Option<usize>,

    /// Everything random follows from it; a new one if left out
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,

    /// The file to work on: its content is lost. Made if missing, and left behind only if something is
    /// wrong; a temporary file below target/ if left out
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// Past the page cache, with `O_DIRECT`
    #[arg(long)]
    pub(crate) direct: bool,

    /// Requests in flight; another number in each round if left out
    #[arg(long, value_name = "D", value_parser = number(io_engine::DEPTH_MAX))]
    pub(crate) depth: Option<usize>,

    /// Senders, each with its own part of the file; from 1 to 4 if left out
    #[arg(long, value_name = "K", value_parser = number(SENDERS_MAX))]
    pub(crate) senders: Option<usize>,

    /// Whether the loop joins contiguous events
    #[arg(long, value_name = "WHETHER", value_enum, default_value_t = Merges::Random)]
    pub(crate) merge: Merges,

    /// Merging reads over no holes. What is in holes goes to memory that requests share and nobody reads, which
    /// a sanitizer takes for a race
    #[arg(long)]
    pub(crate) without_gaps: bool,

    /// Who runs the loop and calls the callbacks; on the simulated disk `random` is `loop`, so that a
    /// seed has one interleaving
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Ways::Random)]
    pub(crate) way: Ways,

    /// The medium fails: errors are counted, and what a failed write leaves is either old or new
    #[arg(long)]
    pub(crate) faulty: bool,

    /// Ends the process when nothing has moved for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) deadline: Duration,

    /// Runs the round that an earlier check has written to FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ops", "round_ops", "seed", "depth", "senders", "merge", "way"])]
    pub(crate) replay: Option<PathBuf>,

    /// Prints an object for each driver, one a line, in place of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Runs as it was built, however many operations there are
    #[arg(long, hide = true)]
    pub(crate) unoptimised: bool,
}

/// A longer round takes too long to be made smaller.
const ROUND_OPS_MAX: usize = 100_000;

/// More threads than this say nothing more.
const SENDERS_MAX: usize = 64;

/// Whether a round merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Merges {
    Yes,
    No,
    Random,
}

/// Which way a round goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ways {
    Loop,
    Inline,
    Workers,
    Random,
}

impl Merges {
    pub(crate) fn chosen(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Random => None,
        }
    }
}

impl Ways {
    pub(crate) fn chosen(self, carrier: Carrier) -> Option<Way> {
        match self {
            Self::Loop => Some(Way::Loop),
            Self::Inline => Some(Way::Inline),
            Self::Workers => Some(Way::Workers),
            Self::Random => (carrier == Carrier::Sim).then_some(Way::Loop),
        }
    }
}

fn number(max: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("a number from 1 to {max}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("a whole number of seconds, at least 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        let line = ["model"].iter().chain(arguments);
        CommandLine::try_parse_from(line).map(|line| line.options)
    }

    #[test]
    fn drivers_are_named_one_by_one() {
        let options = parsed(&["--driver", "uring", "--driver", "sim"]).unwrap();
        assert_eq!(options.driver, [Carrier::Uring, Carrier::Sim]);
        assert!(parsed(&["--driver", "kqueue"]).is_err());
    }

    #[test]
    fn numbers_that_cannot_work_are_refused() {
        for wrong in [
            ["--ops", "0"],
            ["--round-ops", "0"],
            ["--depth", "0"],
            ["--depth", "40000"],
            ["--senders", "65"],
            ["--deadline", "0"],
        ] {
            assert!(parsed(&wrong).is_err(), "{wrong:?}");
        }
        assert!(parsed(&["--replay", "f", "--seed", "1"]).is_err());
    }

    #[test]
    fn a_simulated_disk_is_left_to_one_thread_unless_something_else_is_asked() {
        assert_eq!(Ways::Random.chosen(Carrier::Sim), Some(Way::Loop));
        assert_eq!(Ways::Workers.chosen(Carrier::Sim), Some(Way::Workers));
        assert_eq!(Ways::Random.chosen(Carrier::Aio), None);
    }
}
