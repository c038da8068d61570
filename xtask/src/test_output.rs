//! What `cargo test` printed, counted.

use std::collections::BTreeMap;

/// The tests of one or more runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// What a test could not do on this machine, as it said: `skipped: what: why`.
    pub(crate) skipped: Vec<String>,
}

/// What a line begins with that reports something left out.
const SKIPPED: &str = "skipped: ";

impl Tally {
    pub(crate) fn of(output: &str) -> Self {
        let mut tally = Self::default();
        let mut is_captured = false;
        for line in output.lines().map(str::trim) {
            if line.starts_with("---- ") && line.ends_with(" ----") {
                is_captured = true;
            } else if line == "successes:" || line == "failures:" {
                is_captured = false;
            }
            if let Some(what) = skipped_in(line) {
                tally.skipped.push(what.to_owned());
            } else if let Some(result) = line.strip_prefix("test result: ")
                && !is_captured
            {
                // What a test printed is not the harness speaking.
                tally.passed += count_before(result, "passed");
                tally.failed += count_before(result, "failed");
                tally.ignored += count_before(result, "ignored");
            }
        }
        tally
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skipped.extend_from_slice(&other.skipped);
    }

    pub(crate) fn skipped_count(&self) -> u64 {
        self.ignored + self.skipped.len() as u64
    }

    /// Each skip once, sorted, with how often it was reported.
    pub(crate) fn distinct_skips(&self) -> BTreeMap<&str, usize> {
        let mut distinct = BTreeMap::new();
        for skip in &self.skipped {
            *distinct.entry(skip.as_str()).or_default() += 1;
        }
        distinct
    }

    /// The skips that `required`, a list like `uring,aio`, does not allow: those of a whole driver,
    /// as in `uring: why`. What a driver cannot do on some medium is no matter of this machine.
    pub(crate) fn forbidden_skips(&self, required: &str) -> Vec<&str> {
        let required: Vec<String> = required.split(',').map(driver_name).collect();
        let is_forbidden = |skip: &&str| {
            let what = driver_name(skip.split(':').next().unwrap_or(skip));
            !what.is_empty() && required.contains(&what)
        };
        self.skipped
            .iter()
            .map(String::as_str)
            .filter(is_forbidden)
            .collect()
    }
}

/// A driver has one name in the environment and another for people: `uring` and `io_uring`.
fn driver_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.strip_prefix("io_").unwrap_or(&name).to_owned()
}

/// What a line reports as skipped. With one test thread it stands behind the name of the test.
fn skipped_in(line: &str) -> Option<&str> {
    let behind_a_test = || {
        line.strip_prefix("test ")?
            .split_once(" ... ")
            .map(|(_, said)| said)
    };
    line.strip_prefix(SKIPPED)
        .or_else(|| behind_a_test()?.strip_prefix(SKIPPED))
}

/// The output without what passing tests printed, which is kept only to count.
pub(crate) fn without_successes(output: &str) -> String {
    let mut kept = String::new();
    let mut is_kept = true;
    for line in output.lines() {
        if line == "successes:" {
            is_kept = false;
        } else if line == "failures:" || line.starts_with("test result: ") {
            is_kept = true;
        }
        if is_kept {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The number in front of `word`, as in `5 passed; 0 failed`.
fn count_before(result: &str, word: &str) -> u64 {
    let mut words = result.split([' ', ';']).filter(|word| !word.is_empty());
    let mut before = "";
    words
        .find_map(|this| {
            let number = (this == word).then(|| before.parse().ok());
            before = this;
            number
        })
        .flatten()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 2 tests
test a ... ok

test b ... skipped: io_uring: Operation not permitted
ok

successes:

---- a stdout ----
skipped: aio: fs.aio-max-nr is reached
test result: FAILED. 100 passed; 100 failed; 100 ignored; as a test of this parser prints it

successes:
    a
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests io_engine
test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.2s
";

    #[test]
    fn every_result_line_is_added_up() {
        let tally = Tally::of(OUTPUT);
        assert_eq!((tally.passed, tally.failed, tally.ignored), (7, 3, 1));
        let skipped = [
            "io_uring: Operation not permitted",
            "aio: fs.aio-max-nr is reached",
        ];
        assert_eq!(tally.skipped, skipped);
        assert_eq!(tally.skipped_count(), 3);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!((twice.passed, twice.skipped_count()), (14, 6));
        let distinct: Vec<(&str, usize)> = twice.distinct_skips().into_iter().collect();
        assert_eq!(distinct, [(skipped[1], 2), (skipped[0], 2)]);
    }

    #[test]
    fn what_passing_tests_printed_is_not_shown_with_a_failure() {
        let output = "test a ... ok\nsuccesses:\n\n---- a stdout ----\nlong\n\nsuccesses:\n    a\n\n\
            failures:\n---- b stdout ----\nwhy\n\nfailures:\n    b\n\ntest result: FAILED. 1 passed\n";
        let shown = without_successes(output);
        assert!(
            !shown.contains("long") && !shown.contains("successes"),
            "{shown}"
        );
        assert!(
            shown.contains("test a ... ok") && shown.contains("why"),
            "{shown}"
        );
        assert!(
            shown.ends_with("test result: FAILED. 1 passed\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_required_driver_must_not_be_skipped() {
        let tally = Tally {
            skipped: vec![
                "io_uring: Operation not permitted".to_owned(),
                "AIO: fs.aio-max-nr is reached".to_owned(),
                "aio on tmpfs, buffered: ZeroRange: Operation not supported".to_owned(),
                "tmpfs: not mounted, so aio was not tried there".to_owned(),
            ],
            ..Tally::default()
        };
        assert_eq!(tally.forbidden_skips("uring,aio").len(), 2);
        assert_eq!(
            tally.forbidden_skips("aio"),
            ["AIO: fs.aio-max-nr is reached"]
        );
        assert_eq!(tally.forbidden_skips("io_uring").len(), 1);
        assert!(tally.forbidden_skips("").is_empty());
        assert!(tally.forbidden_skips("threads").is_empty());
    }
}
