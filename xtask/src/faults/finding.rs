//! What an experiment found out.

use std::fmt;

use super::scene::Answer;
use crate::bench::child::Failure;

/// Why an experiment cannot be made on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip(pub(crate) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Counts of one experiment, over all its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Processes that were run.
    pub(crate) runs: u64,
    /// Requests that the engine was given.
    pub(crate) requests: u64,
    /// Faults that were brought about, as those who did it counted them.
    pub(crate) injected: u64,
    /// Requests that ended with an error.
    pub(crate) failed: u64,
    pub(crate) verified_bytes: u64,
    /// What must not be.
    pub(crate) complaints: Vec<String>,
    /// Combinations that prove nothing on this machine, with the reason.
    pub(crate) left_out: Vec<String>,
    /// What else is worth knowing.
    pub(crate) remarks: Vec<String>,
}

impl Finding {
    /// Takes the books of a process in, and hands them on for a closer look if there are any.
    pub(crate) fn take<'a>(
        &mut self,
        what: &str,
        answer: &'a Result<Answer, Failure>,
    ) -> Option<&'a Answer> {
        self.runs += 1;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                self.complaints.push(format!("{what}: {}", failure.text()));
                return None;
            }
        };
        self.requests += answer.requests;
        self.injected += answer.injected;
        self.failed += answer.failed();
        self.verified_bytes += answer.verified_bytes;
        let complaints = answer.complaints();
        if !complaints.is_empty() {
            self.complaints
                .push(format!("{what}: {}", complaints.join("; ")));
        }
        let missing = answer.requests.abs_diff(answer.callbacks);
        self.demand(
            answer.lost > 0 || answer.duplicated > 0 || missing == 0,
            || {
                format!(
                    "{what}: {} requests, {} callbacks",
                    answer.requests, answer.callbacks
                )
            },
        );
        Some(answer)
    }

    pub(crate) fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.complaints.push(otherwise());
        }
    }

    /// Says once that a combination is not tried.
    pub(crate) fn leave_out(&mut self, what: &str) {
        if !self.left_out.iter().any(|left_out| left_out == what) {
            self.left_out.push(what.to_owned());
        }
    }

    /// A process that was to be refused, with this errno and these words in its advice.
    pub(crate) fn demand_refusal(&mut self, what: &str, answer: &Answer, errno: &str, words: &str) {
        match &answer.not_started {
            Some(refused) => {
                self.injected += 1;
                let is_told = refused.errno == errno && refused.text.contains(words);
                self.demand(is_told, || {
                    let (got, text) = (&refused.errno, &refused.text);
                    format!("{what}: not {errno} with {words:?} but {got}: {text}")
                });
            }
            None => self
                .complaints
                .push(format!("{what}: it started all the same")),
        }
    }

    /// What the table says in the end: a fault that was never brought about proves nothing.
    pub(crate) fn verdict(mut self) -> Self {
        if self.injected == 0 && self.complaints.is_empty() {
            self.complaints.push("nothing was injected".to_owned());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_of_every_process_are_added_up() {
        let mut finding = Finding::default();
        let answer = Answer {
            requests: 3,
            callbacks: 3,
            injected: 2,
            ..Answer::default()
        };
        for _ in 0..2 {
            assert!(finding.take("a", &Ok(answer.clone())).is_some());
        }
        assert_eq!(
            (finding.runs, finding.requests, finding.injected),
            (2, 6, 4)
        );
        assert!(finding.verdict().complaints.is_empty());
    }

    #[test]
    fn crashes_missing_callbacks_and_wrong_bytes_are_complaints() {
        let mut finding = Finding::default();
        let crashed = Err(Failure::Crashed("SEGV".to_owned()));
        assert!(finding.take("a", &crashed).is_none());
        let silent = Answer {
            requests: 3,
            callbacks: 2,
            ..Answer::default()
        };
        finding.take("b", &Ok(silent));
        let wrong = Answer {
            wrong: 1,
            ..Answer::default()
        };
        finding.take("c", &Ok(wrong));
        assert_eq!(finding.complaints.len(), 3, "{:?}", finding.complaints);
    }

    #[test]
    fn nothing_injected_is_a_failure() {
        assert_eq!(Finding::default().verdict().complaints.len(), 1);
    }

    #[test]
    fn a_refusal_needs_its_errno_and_its_advice() {
        let text = r#"{"not_started":{"errno":"EPERM","text":"seccomp forbids it"}}"#;
        let refused: Answer = serde_json::from_str(text).unwrap();
        let mut finding = Finding::default();
        finding.demand_refusal("a", &refused, "EPERM", "seccomp");
        assert!(finding.complaints.is_empty());
        finding.demand_refusal("a", &refused, "ENOSYS", "seccomp");
        finding.demand_refusal("a", &refused, "EPERM", "sysctl");
        finding.demand_refusal("a", &Answer::default(), "EPERM", "");
        assert_eq!((finding.complaints.len(), finding.injected), (3, 3));
    }
}
