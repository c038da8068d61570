//! The arguments of the benchmark.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// What a user asks of the benchmark; the plan is what becomes of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// A run within 3 minutes: fewer cells, and shorter ones
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only these groups of workloads
    #[arg(value_name = "GROUP", value_enum)]
    pub(crate) groups: Vec<Selection>,

    /// The same, as a list with commas
    #[arg(long, value_name = "GROUP", value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<Selection>,

    /// Only these engines; `raw-*` is every name that begins so
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,

    /// Only these depths, in every group
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = depth)]
    pub(crate) depths: Vec<usize>,

    /// How often every cell is measured; the median counts [5, quick: 3]
    #[arg(long, value_name = "N", value_parser = rounds)]
    pub(crate) rounds: Option<usize>,

    /// How long one cell is measured in one round [0.4, quick: 0.2, or what fits]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,

    /// Folder for the files on the disk; the workspace's target folder if left out
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Measures the crates of `xtask/peers` as well, which are built first; a thorough run takes
    /// about a quarter of an hour more
    #[arg(long)]
    pub(crate) peers: bool,

    /// Writes everything measured as JSON; `-` prints it in place of the tables
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Where the HTML report goes; target/bench/report.html if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Shows the run in this Markdown file too, between its lines `<!-- bench: begin -->` and
    /// `<!-- bench: end -->`; nothing else in it changes
    #[arg(long, value_name = "FILE.md", conflicts_with_all = ["with", "list"])]
    pub(crate) page: Option<PathBuf>,

    /// Says after the run what changed since this JSON
    #[arg(long, value_name = "OLD.json")]
    pub(crate) compare: Option<PathBuf>,

    /// Compares with this JSON in place of a run
    #[arg(long, value_name = "NEW.json", requires = "compare")]
    pub(crate) with: Option<PathBuf>,

    /// Prints the tables and writes the report of this JSON, in place of a run
    #[arg(long, value_name = "RUN.json", conflicts_with_all = ["json", "with", "list"])]
    pub(crate) show: Option<PathBuf>,

    /// Shows the cells and the time they take, and measures nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// Runs as it was built, for the tests: the numbers mean nothing
    #[arg(long, hide = true)]
    pub(crate) unoptimised: bool,

    /// Size of the files, for the tests
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(crate) file_bytes: Option<u64>,
}

/// A group of workloads that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Selection {
    /// Nothing but the engine
    Nop,
    /// 4 KiB random reads of a cached file
    PageCache,
    /// 4 KiB random reads of the disk, `O_DIRECT`
    Direct,
    /// 4 KiB random reads of a file in memory
    Tmpfs,
    /// 4 KiB random reads of a block device in memory, `O_DIRECT`; needs root
    Zram,
    /// 4 KiB random writes, `O_DIRECT`
    Write,
    /// 128 KiB sequential reads and writes, `O_DIRECT`
    Sequential,
    /// 70 % reads, 30 % writes, `O_DIRECT`
    Mixed,
    /// 4 KiB append and datasync
    Log,
    /// Depths to 4096 and several contexts
    Scaling,
    /// 4 KiB sequential, merged and not, `O_DIRECT`
    Merge,
}

impl Options {
    /// Whether every group is asked for, as none is named.
    pub(crate) fn takes_all_groups(&self) -> bool {
        self.groups.is_empty() && self.only.is_empty()
    }

    /// Whether a group is asked for.
    pub(crate) fn takes(&self, group: Selection) -> bool {
        self.takes_all_groups() || self.groups.contains(&group) || self.only.contains(&group)
    }
}

/// Deeper is refused by the engine on every driver.
const DEPTH_MAX: usize = 32767;

fn depth(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(depth) if (1..=DEPTH_MAX).contains(&depth) => Ok(depth),
        _ => Err(format!("a whole number from 1 to {DEPTH_MAX}")),
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if (1..=99).contains(&rounds) => Ok(rounds),
        _ => Err("a whole number from 1 to 99".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.02..=600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number from 0.02 to 600".to_owned()),
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
        let arguments = ["bench"].iter().chain(arguments);
        CommandLine::try_parse_from(arguments).map(|line| line.options)
    }

    #[test]
    fn lists_are_split_at_commas() {
        let options = parsed(&["--only", "nop,page-cache", "--depths", "1,32"]).unwrap();
        assert_eq!(options.only, [Selection::Nop, Selection::PageCache]);
        assert_eq!(options.depths, [1, 32]);
    }

    #[test]
    fn groups_are_named_with_or_without_the_flag() {
        let options = parsed(&["merge", "--only", "nop"]).unwrap();
        assert!(options.takes(Selection::Merge) && options.takes(Selection::Nop));
        assert!(!options.takes(Selection::Log));
        assert!(parsed(&[]).unwrap().takes(Selection::Log));
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_can() {
        for (arguments, said) in [
            (["--depths", "0"], "1 to 32767"),
            (["--depths", "40000"], "1 to 32767"),
            (["--rounds", "0"], "1 to 99"),
            (["--seconds", "0"], "0.02 to 600"),
            (["--seconds", "nan"], "0.02 to 600"),
            (["--only", "floppy"], "page-cache"),
            (["--with", "new.json"], "--compare"),
        ] {
            let error = parsed(&arguments).unwrap_err().to_string();
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }
}
