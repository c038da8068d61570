//! What a process under faults says about its work: one line of JSON.

use std::collections::BTreeMap;
use std::io;

use crate::error_name::error_name;
use io_engine::StartError;
use serde::{Deserialize, Serialize};

/// Books of one process, of a scene or of the model checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    /// The driver that carried the requests.
    pub(crate) driver: String,
    /// Why it is not the one that `auto` would rather have.
    pub(crate) fallback: Option<String>,
    /// Why nothing was started at all.
    pub(crate) not_started: Option<NotStarted>,
    pub(crate) requests: u64,
    pub(crate) callbacks: u64,
    pub(crate) verified_bytes: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) wrong: u64,
    /// How often each error reached a callback.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Faults that the process has brought about itself.
    pub(crate) injected: u64,
    /// What the runner is to know beside it.
    pub(crate) remarks: Vec<String>,
}

/// A driver that did not start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotStarted {
    /// The errno by its name.
    pub(crate) errno: String,
    pub(crate) text: String,
}

impl Answer {
    /// Of a start that failed.
    pub(crate) fn not_started(error: &StartError) -> Self {
        let not_started = NotStarted {
            errno: error_name(error.cause()),
            text: error.to_string(),
        };
        Self {
            not_started: Some(not_started),
            ..Self::default()
        }
    }

    pub(crate) fn count_error(&mut self, error: &io::Error) {
        *self.errors.entry(error_name(error)).or_default() += 1;
    }

    /// How many requests ended with an error.
    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    pub(crate) fn errors_named(&self, name: &str) -> u64 {
        self.errors.get(name).copied().unwrap_or_default()
    }

    /// Takes note of what must not be.
    pub(crate) fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong += 1;
            self.remarks.push(otherwise());
        }
    }

    /// What must not be, in words.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let counts = [
            (self.lost, "lost"),
            (self.duplicated, "duplicated"),
            (self.wrong, "wrong"),
        ];
        let bad = counts.into_iter().filter(|(count, _)| *count > 0);
        let mut complaints: Vec<String> =
            bad.map(|(count, what)| format!("{count} {what}")).collect();
        if !complaints.is_empty() {
            complaints.extend(self.remarks.iter().cloned());
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_names() {
        let mut answer = Answer::default();
        answer.count_error(&io::Error::from_raw_os_error(libc::EIO));
        answer.count_error(&io::Error::from_raw_os_error(libc::EIO));
        answer.count_error(&io::ErrorKind::WriteZero.into());
        assert_eq!(answer.errors_named("EIO"), 2);
        assert_eq!(answer.errors_named("WriteZero"), 1);
        assert_eq!(answer.failed(), 3);
        assert!(answer.complaints().is_empty(), "errors are no complaint");
    }

    #[test]
    fn whatever_must_not_be_is_a_complaint_with_its_reason() {
        for bad in [
            r#"{"driver":"uring","lost":1}"#,
            r#"{"driver":"uring","duplicated":1}"#,
            r#"{"driver":"uring","wrong":1,"remarks":["block 7"]}"#,
        ] {
            let answer: Answer = serde_json::from_str(bad).unwrap();
            assert!(!answer.complaints().is_empty(), "{bad}");
        }
        let mut answer = Answer::default();
        answer.demand(true, || unreachable!());
        assert!(answer.complaints().is_empty());
        answer.demand(false, || "the reason".to_owned());
        assert_eq!(answer.complaints(), ["1 wrong", "the reason"]);
    }

    #[test]
    fn an_answer_of_another_program_may_say_more_and_less() {
        let line = r#"{"driver":"aio","seed":7,"requests":3,"errors":{"EIO":2},"seconds":0.1}"#;
        let answer: Answer = serde_json::from_str(line).unwrap();
        assert_eq!((answer.requests, answer.failed()), (3, 2));
    }
}
