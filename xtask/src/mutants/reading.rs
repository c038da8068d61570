//! What the run of one test says about the code that it ran on.

use crate::child_process::Finished;
use crate::test_output::Tally;

/// How the run of a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The test has run and found nothing.
    Passed,
    /// The test has failed.
    Failed,
    /// The process ended in the middle, by this signal.
    Crashed(String),
    /// The process ended in the middle, and the output does not say how.
    Aborted,
    /// It was stopped at its deadline.
    Hung,
    /// No test has run: there is none of this name.
    NothingRan,
}

impl Reading {
    pub(crate) fn of(finished: &Finished) -> Self {
        if !finished.in_time {
            return Self::Hung;
        }
        let tally = Tally::of(&finished.output);
        match (finished.success, tally.passed, tally.failed) {
            (true, 0, _) => Self::NothingRan,
            (true, ..) => Self::Passed,
            (false, _, 0) => match signal_in(&finished.output) {
                Some(signal) => Self::Crashed(signal),
                None => Self::Aborted,
            },
            (false, ..) => Self::Failed,
        }
    }
}

/// The signal in `(signal: 6, SIGABRT: process abort signal)`, as cargo reports it.
fn signal_in(output: &str) -> Option<String> {
    let (_, behind) = output.rsplit_once("(signal: ")?;
    let (report, _) = behind.split_once(')')?;
    let name = report.split([',', ':']).map(str::trim).nth(1);
    Some(name.unwrap_or(report).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(success: bool, output: &str) -> Finished {
        Finished {
            success,
            in_time: true,
            output: output.to_owned(),
        }
    }

    const PASSED: &str =
        "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
    const FAILED: &str = "running 1 test\ntest a ... FAILED\n\n\
        test result: FAILED. 0 passed; 1 failed; 0 ignored\n";
    const NONE: &str = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
    const CRASH: &str = "running 1 test\nthe first step hangs\nerror: test failed\n\nCaused by:\n  \
        process didn't exit successfully: `t --exact a` (signal: 6, SIGABRT: process abort signal)\n";

    #[test]
    fn a_test_that_passed_and_one_that_failed_are_told_apart() {
        assert_eq!(Reading::of(&finished(true, PASSED)), Reading::Passed);
        assert_eq!(Reading::of(&finished(false, FAILED)), Reading::Failed);
    }

    #[test]
    fn a_run_without_a_test_has_shown_nothing() {
        assert_eq!(Reading::of(&finished(true, NONE)), Reading::NothingRan);
        assert_eq!(Reading::of(&finished(true, "")), Reading::NothingRan);
    }

    #[test]
    fn a_crash_names_its_signal() {
        let crashed = Reading::Crashed("SIGABRT".to_owned());
        assert_eq!(Reading::of(&finished(false, CRASH)), crashed);
        let exited = CRASH.replace(
            "(signal: 6, SIGABRT: process abort signal)",
            "(exit status: 3)",
        );
        assert_eq!(Reading::of(&finished(false, &exited)), Reading::Aborted);
        let unnamed = CRASH.replace("(signal: 6, SIGABRT: process abort signal)", "(signal: 34)");
        assert_eq!(
            Reading::of(&finished(false, &unnamed)),
            Reading::Crashed("34".to_owned())
        );
    }

    #[test]
    fn what_was_stopped_hung_whatever_it_had_printed() {
        let stopped = Finished {
            in_time: false,
            ..finished(false, FAILED)
        };
        assert_eq!(Reading::of(&stopped), Reading::Hung);
    }
}
