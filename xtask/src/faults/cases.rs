//! The 68 faults and bad inputs that the engine has to survive, and where each is brought about.

mod faults_table;

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};

use super::experiments;

pub(crate) use faults_table::CASES;

/// One fault or bad input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) number: u8,
    pub(crate) fault: &'static str,
    /// Tests of the workspace that bring it about; those of the conformance suite run for every
    /// backend. Experiments of this command name their cases themselves.
    pub(crate) tests: &'static [&'static str],
    /// What of it nobody brings about, and why.
    pub(crate) gap: Option<&'static str>,
}

impl Case {
    /// The experiments that bring it about.
    fn experiments(&self) -> Vec<&'static str> {
        let all = experiments::all().into_iter();
        let own = all.filter(|experiment| experiment.cases.contains(&self.number));
        own.map(|experiment| experiment.name).collect()
    }

    fn is_automated(&self) -> bool {
        !self.tests.is_empty() || !self.experiments().is_empty()
    }
}

pub(crate) fn automated_count() -> usize {
    CASES.iter().filter(|case| case.is_automated()).count()
}

/// Every case with its places.
pub(crate) fn text() -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["case", "fault", "automated in"]);
    for case in &CASES {
        let mut places: Vec<String> = Vec::new();
        for experiment in case.experiments() {
            places.push(format!("faults --only {experiment}"));
        }
        places.extend(case.tests.iter().map(|test| format!("test {test}")));
        if let Some(gap) = case.gap {
            places.push(format!("not: {gap}"));
        }
        table.add_row([
            case.number.to_string(),
            case.fault.to_owned(),
            places.join("\n"),
        ]);
    }
    format!("{table}\n\n{}", summary())
}

/// How many there are, and how many of them here.
pub(crate) fn summary() -> String {
    let here = CASES
        .iter()
        .filter(|case| !case.experiments().is_empty())
        .count();
    let (all, automated) = (CASES.len(), automated_count());
    let mut text = format!("{automated} of {all} cases are automated, {here} of them here");
    let gaps = CASES.iter().filter(|case| case.gap.is_some()).count();
    if gaps > 0 {
        let _ = write!(text, "; of {gaps} a part is not, as --cases says");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace;

    #[test]
    fn the_cases_are_numbered_from_1_to_68() {
        let numbers: Vec<u8> = CASES.iter().map(|case| case.number).collect();
        assert_eq!(numbers, (1..=68).collect::<Vec<u8>>());
    }

    #[test]
    fn each_named_test_is_in_the_sources_and_is_a_test() {
        let tests = tests_of_the_workspace();
        assert!(tests.len() > 500, "{}", tests.len());
        for case in &CASES {
            for test in case.tests {
                assert!(
                    tests.contains(*test),
                    "case {}: no test {test}",
                    case.number
                );
            }
        }
    }

    fn tests_of_the_workspace() -> BTreeSet<String> {
        let files = workspace::text_files().unwrap();
        let rust = files.iter().filter(|file| file.is_rust());
        rust.flat_map(|file| {
            if file.path.ends_with("conformance/table.rs") {
                cases_of_the_suite(&file.text)
            } else {
                tests_in(&file.text)
            }
        })
        .collect()
    }

    /// The functions that follow `#[test]`, with other attributes between at most.
    fn tests_in(text: &str) -> Vec<String> {
        let mut tests = Vec::new();
        let mut is_marked = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                is_marked = true;
            } else if let Some(function) = line.strip_prefix("fn ") {
                let name = function.split('(').next().unwrap_or_default();
                tests.extend(is_marked.then(|| name.to_owned()));
                is_marked = false;
            } else if !line.starts_with("#[") && !line.starts_with("//") {
                is_marked = false;
            }
        }
        tests
    }

    /// Those that are listed, and so run for every backend.
    fn cases_of_the_suite(table: &str) -> Vec<String> {
        let entries = table
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','));
        let names = entries.filter_map(|entry| Some(entry.split_once("::")?.1.to_owned()));
        names.collect()
    }

    #[test]
    fn every_case_is_automated_or_says_why_not() {
        for case in &CASES {
            let number = case.number;
            assert!(case.is_automated() || case.gap.is_some(), "case {number}");
        }
        assert!(automated_count() >= 55, "{}", automated_count());
    }

    #[test]
    fn experiments_name_cases_that_there_are() {
        let known: BTreeSet<u8> = CASES.iter().map(|case| case.number).collect();
        for experiment in experiments::all() {
            assert!(!experiment.cases.is_empty(), "{}", experiment.name);
            assert!(experiment.cases.iter().all(|case| known.contains(case)));
        }
    }

    #[test]
    fn what_is_no_test_is_told_from_what_is() {
        let text = "#[test]\n#[expect(x)]\nfn one() {}\nfn none() {}\n#[test]\nlet x;\nfn no() {}";
        assert_eq!(tests_in(text), ["one"]);
        assert_eq!(cases_of_the_suite("  runs::a_run,\n  use x;\n"), ["a_run"]);
    }
}
