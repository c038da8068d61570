//! Which mutants are asked for.

use clap::Args;

use super::mutant::Mutant;
use super::table;
use crate::usage_error::UsageError;

/// The arguments of `mutants`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only this mutant; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    only: Vec<String>,

    /// Only those that `cargo xtask test` plants too
    #[arg(long)]
    quick: bool,

    /// Plant nothing, only say what there is
    #[arg(long)]
    pub(super) list: bool,

    /// For programs: JSON in place of the table
    #[arg(long)]
    pub(super) json: bool,
}

impl Options {
    /// The mutants, in the order of the table, in which neighbours are of one crate.
    pub(super) fn chosen(&self) -> Result<Vec<Mutant>, UsageError> {
        let known = table::all();
        for name in &self.only {
            if !known.iter().any(|mutant| mutant.name == name) {
                return Err(UsageError(format!(
                    "--only: there is no mutant {name}; `cargo xtask mutants --list` shows all {}",
                    known.len()
                )));
            }
        }
        let is_chosen = |mutant: &Mutant| {
            let is_named = self.only.iter().any(|name| name == mutant.name);
            (self.only.is_empty() || is_named) && (!self.quick || mutant.is_quick)
        };
        Ok(known.into_iter().filter(is_chosen).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_chosen_or_those_that_are_named_or_the_quick_ones() {
        let all = Options::default().chosen().unwrap();
        let named = Options {
            only: vec![all[1].name.to_owned()],
            ..Options::default()
        };
        assert_eq!(named.chosen().unwrap()[0].name, all[1].name);
        assert_eq!(named.chosen().unwrap().len(), 1);
        let quick = Options {
            quick: true,
            ..Options::default()
        };
        assert_eq!(quick.chosen().unwrap().len(), 6);
    }

    #[test]
    fn a_name_that_is_not_known_is_a_usage_error() {
        let unknown = Options {
            only: vec!["nobody".to_owned()],
            ..Options::default()
        };
        let refused = unknown.chosen().unwrap_err().to_string();
        assert!(refused.contains("no mutant nobody"), "{refused}");
    }
}
