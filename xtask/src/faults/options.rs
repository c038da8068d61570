//! The arguments of `faults`.

use std::path::PathBuf;

use clap::Args;

use super::cases::CASES;
use super::experiments::Experiment;
use crate::usage_error::UsageError;

/// What a user asks for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only these: numbers of cases or names of experiments
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub(super) only: Vec<String>,

    /// Shows the experiments and makes none
    #[arg(long, conflicts_with = "cases")]
    pub(super) list: bool,

    /// Shows where each of the cases is automated
    #[arg(long)]
    pub(super) cases: bool,

    /// Fewer combinations of driver, mount and fault
    #[arg(long)]
    pub(super) quick: bool,

    /// Reads failing files with the published io-engine 0.12 as well, which is built first
    #[arg(long)]
    pub(super) peers: bool,

    /// How often a writing process is killed, for each driver
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) kills: u64,

    /// What the random faults and contents follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// Folder for images and mount points; the workspace's target folder if left out
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Prints JSON in place of the table
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    /// Those of `all` that were asked for.
    pub(super) fn choose(&self, all: Vec<Experiment>) -> Result<Vec<Experiment>, UsageError> {
        if self.only.is_empty() {
            return Ok(all);
        }
        for asked in &self.only {
            if !all.iter().any(|experiment| is_meant(asked, experiment)) {
                return Err(unknown(asked, &all));
            }
        }
        let is_asked =
            |experiment: &Experiment| self.only.iter().any(|asked| is_meant(asked, experiment));
        Ok(all.into_iter().filter(is_asked).collect())
    }
}

fn is_meant(asked: &str, experiment: &Experiment) -> bool {
    let number = asked.parse::<u8>();
    number.map_or(asked == experiment.name, |number| {
        experiment.cases.contains(&number)
    })
}

fn unknown(asked: &str, all: &[Experiment]) -> UsageError {
    let is_case = asked
        .parse::<usize>()
        .is_ok_and(|number| (1..=CASES.len()).contains(&number));
    if is_case {
        let said = "is automated elsewhere; --cases says where";
        return UsageError(format!("--only: case {asked} {said}"));
    }
    let names: Vec<&str> = all.iter().map(|experiment| experiment.name).collect();
    UsageError(format!(
        "--only: {asked:?} is neither the number of a case, 1 to {}, nor one of {}",
        CASES.len(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::experiments;
    use super::*;

    fn chosen(only: &[&str]) -> Result<Vec<&'static str>, UsageError> {
        let options = Options {
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            ..Options::default()
        };
        let chosen = options.choose(experiments::all())?;
        Ok(chosen.iter().map(|experiment| experiment.name).collect())
    }

    #[test]
    fn experiments_are_chosen_by_name_and_by_case() {
        assert_eq!(chosen(&[]).unwrap().len(), experiments::all().len());
        assert_eq!(chosen(&["signal-storm"]).unwrap(), ["signal-storm"]);
        assert_eq!(chosen(&["56"]).unwrap(), ["signal-storm"]);
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let error = chosen(&["no-such"]).unwrap_err().0;
        assert!(error.contains("signal-storm"), "{error}");
        let elsewhere = chosen(&["28"]).unwrap_err().0;
        assert!(elsewhere.contains("--cases"), "{elsewhere}");
        assert!(chosen(&["69"]).is_err());
    }
}
