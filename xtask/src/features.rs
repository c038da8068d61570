//! `features`: every combination of the facade's features, and each backend alone.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use crate::arrows;
use crate::steps::{Findings, Steps};
use crate::workspace;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut steps = Steps::new();
    add_to(&mut steps)?;
    Ok(steps.finish())
}

/// Lints the facade with every set of its features, and the backends without the facade.
pub(crate) fn add_to(steps: &mut Steps) -> anyhow::Result<()> {
    let metadata = workspace::metadata()?;
    let facade = workspace::package(&metadata, "io-engine")?;
    let sets = feature_sets(&facade.features);
    let name = format!("{} feature sets of io-engine", sets.len());
    steps.commands(&name, sets.iter().map(|set| lint_with(set)).collect());
    let alone = ["io-engine-uring", "io-engine-aio"];
    steps.commands("backends alone", alone.map(lint_alone).into());
    steps.check("no engine without a driver", without_a_driver);
    steps.check(
        "backends without a channel",
        arrows::backends_are_free_of_channels,
    );
    Ok(())
}

/// Above this many features their powerset is too much; each one, each pair and all of them say
/// as much.
const POWERSET_MAX: usize = 5;

/// Features that bring a driver; without one of them there is no engine.
const DRIVERS: [&str; 3] = ["uring", "aio", "threads"];

/// Every set of the features that makes an engine. `default` is a set of them, so it is left out.
fn feature_sets(features: &BTreeMap<String, Vec<String>>) -> Vec<Vec<&str>> {
    let named: Vec<&str> = features
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    let everything = 1_usize << named.len();
    let is_wanted = |set: &usize| {
        let count = set.count_ones() as usize;
        named.len() <= POWERSET_MAX || count <= 2 || count == named.len()
    };
    let members = |set: usize| {
        let bits = (0..named.len()).filter(move |bit| set & (1 << bit) != 0);
        bits.map(|bit| named[bit]).collect::<Vec<&str>>()
    };
    (0..everything)
        .filter(is_wanted)
        .map(members)
        .filter(|set| set.iter().any(|name| DRIVERS.contains(name)))
        .collect()
}

/// Without a driver the facade is refused, with a message that names the features to choose from.
fn without_a_driver() -> anyhow::Result<Findings> {
    let arguments = ["check", "--quiet", "-p", "io-engine"];
    let output = workspace::cargo(arguments)
        .arg("--no-default-features")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_clear = DRIVERS.iter().all(|driver| said.contains(driver));
    let mut findings = Findings::default();
    if output.status.success() || !is_clear {
        findings.faults.push(format!(
            "io-engine without a driver has to be refused by a message that names {}; it said: {said}",
            DRIVERS.join(", ")
        ));
    }
    Ok(findings)
}

fn lint_with(features: &[&str]) -> Command {
    let mut command = workspace::cargo(["clippy", "--quiet", "-p", "io-engine"]);
    command.args(["--no-default-features", "--features"]);
    command.arg(features.join(","));
    command.args(["--", "-D", "warnings"]);
    command
}

fn lint_alone(package: &str) -> Command {
    workspace::cargo(["clippy", "--quiet", "-p", package, "--", "-D", "warnings"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(names: &[&str]) -> BTreeMap<String, Vec<String>> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Vec::new()))
            .collect()
    }

    #[test]
    fn few_features_are_tried_in_every_combination() {
        let few = features(&["default", "uring", "aio"]);
        let sets = feature_sets(&few);
        assert_eq!(sets, [vec!["aio"], vec!["uring"], vec!["aio", "uring"]]);
    }

    #[test]
    fn many_features_are_tried_alone_in_pairs_and_all_together() {
        let many = features(&["aio", "b", "c", "d", "e", "f"]);
        let sets = feature_sets(&many);
        // Alone, with each of the five others, and everything.
        assert_eq!(sets.len(), 1 + 5 + 1);
        assert_eq!(sets.last().unwrap().len(), 6);
    }

    #[test]
    fn a_set_without_a_driver_is_no_engine() {
        let without = features(&["default", "merge", "workers"]);
        assert!(feature_sets(&without).is_empty());
    }
}
