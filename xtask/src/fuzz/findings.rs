//! What the fuzzer has printed, understood.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::corpus::Size;
use crate::child_process::Finished;

/// What a run has come to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub(crate) seconds: u64,
    /// Scripts that were performed.
    pub(crate) scripts: u64,
    /// Places in the code that were reached.
    pub(crate) edges: u64,
    pub(crate) kept_before: Size,
    pub(crate) kept: Size,
    pub(crate) failure: Option<Failure>,
}

/// A script that the engine does not survive.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// Where it is.
    pub(crate) script: Option<PathBuf>,
    /// The last that was printed.
    pub(crate) report: String,
}

/// Of what was said, from the panic or the sanitizer's finding on: behind it are stacks.
const REPORT_LINES_MAX: usize = 40;

impl Findings {
    /// Adds what a process of the fuzzer has printed in `took`.
    pub(crate) fn add(&mut self, finished: &Finished, took: Duration) {
        self.seconds += took.as_secs();
        for line in finished.output.lines() {
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                self.scripts += count.trim().parse().unwrap_or(0);
            }
            self.edges = self.edges.max(edges_in(line).unwrap_or(0));
        }
        if !finished.success {
            self.failure = Some(Failure::in_output(&finished.output));
        }
    }
}

/// As in `#7017 NEW    cov: 3885 ft: 20016 corp: 1303/41Kb`.
fn edges_in(line: &str) -> Option<u64> {
    let (_, behind) = line.strip_prefix('#')?.split_once("cov: ")?;
    behind.split(' ').next()?.parse().ok()
}

impl Failure {
    fn in_output(output: &str) -> Self {
        let script = output
            .lines()
            .find_map(|line| line.split_once("Test unit written to "));
        let is_finding = |line: &&str| line.contains("panicked at") || line.contains("ERROR: ");
        let begin = output.lines().position(|line| is_finding(&line));
        let said = output.lines().skip(begin.unwrap_or(0));
        let said: Vec<&str> = said.take(REPORT_LINES_MAX).collect();
        Self {
            script: script.map(|(_, path)| PathBuf::from(path)),
            report: said.join("\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "INFO: seed\n#2\tINITED cov: 20 ft: 21 corp: 1/1b\n\
        #9\tNEW    cov: 25 ft: 26 corp: 2/9b exec/s: 7\nstat::number_of_executed_units: 1234\n";
    const BAD: &str = "#9\tNEW    cov: 25 ft: 26\nthread panicked at world.rs: lost\n\
        artifact_prefix='f/'; Test unit written to f/crash-1\n";

    fn finished(success: bool, output: &str) -> Finished {
        Finished {
            in_time: true,
            success,
            output: output.to_owned(),
        }
    }

    #[test]
    fn processes_are_added_up() {
        let mut findings = Findings::default();
        for _ in 0..2 {
            findings.add(&finished(true, GOOD), Duration::from_secs(10));
        }
        assert_eq!((findings.seconds, findings.scripts), (20, 2468));
        assert_eq!(findings.edges, 25);
        assert!(findings.failure.is_none());
    }

    #[test]
    fn a_failure_says_which_script_it_was_and_why() {
        let mut findings = Findings::default();
        findings.add(&finished(false, BAD), Duration::from_secs(1));
        let failure = findings.failure.unwrap();
        assert_eq!(failure.script, Some("f/crash-1".into()));
        assert!(
            failure
                .report
                .starts_with("thread panicked at world.rs: lost")
        );
        let mut findings = Findings::default();
        findings.add(&finished(false, "error: no such program"), Duration::ZERO);
        assert!(findings.failure.unwrap().script.is_none());
    }
}
