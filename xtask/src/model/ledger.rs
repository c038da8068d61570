//! What was counted, and what is wrong.

use std::collections::BTreeMap;
use std::io;

use crate::error_name::error_name;
use io_engine::merge::MergeCounters;
use serde::Serialize;

/// Of what is wrong so much is told; the rest is counted.
const FINDINGS_MAX: usize = 8;

/// The counters of a sender, of a round, of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Ledger {
    /// Events that the engine has accepted, those that were handed over again included.
    pub(crate) requests: u64,
    pub(crate) callbacks: u64,
    /// Events that came back from the engine, which had been closed.
    pub(crate) refused: u64,
    pub(crate) verified_bytes: u64,
    /// Accepted, and the callback was not called.
    pub(crate) lost: u64,
    /// Called more than once.
    pub(crate) duplicated: u64,
    /// Results or bytes that cannot be.
    pub(crate) wrong: u64,
    /// Errors that reached callbacks.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Transfers that were reported short and handed over again.
    pub(crate) short: u64,
    /// Reads that were told the end of the file before it, where that is known to happen.
    pub(crate) early_ends: u64,
    pub(crate) shutdowns_with_work: u64,
    /// Events that travelled with another one.
    pub(crate) merged: u64,
    /// What is wrong, in words.
    pub(crate) findings: Vec<String>,
    /// Whether an error is nothing wrong.
    #[serde(skip)]
    pub(crate) expects_errors: bool,
}

impl Ledger {
    pub(crate) fn expecting_errors(expects_errors: bool) -> Self {
        Self {
            expects_errors,
            ..Self::default()
        }
    }

    pub(crate) fn is_wrong(&mut self, finding: impl FnOnce() -> String) {
        self.wrong += 1;
        self.finds(finding);
    }

    pub(crate) fn is_lost(&mut self, finding: impl FnOnce() -> String) {
        self.lost += 1;
        self.finds(finding);
    }

    pub(crate) fn is_duplicated(&mut self, finding: impl FnOnce() -> String) {
        self.duplicated += 1;
        self.finds(finding);
    }

    pub(crate) fn has_failed(&mut self, error: &io::Error, what: impl FnOnce() -> String) {
        *self.errors.entry(error_name(error)).or_default() += 1;
        if !self.expects_errors {
            self.finds(|| format!("{}: {error}", what()));
        }
    }

    pub(crate) fn has_merged(&mut self, counters: Option<MergeCounters>) {
        self.merged += counters.map_or(0, |counters| counters.events - counters.requests);
    }

    fn finds(&mut self, finding: impl FnOnce() -> String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.callbacks += other.callbacks;
        self.refused += other.refused;
        self.verified_bytes += other.verified_bytes;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.wrong += other.wrong;
        self.short += other.short;
        self.early_ends += other.early_ends;
        self.shutdowns_with_work += other.shutdowns_with_work;
        self.merged += other.merged;
        for (name, count) in other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        for finding in other.findings {
            self.finds(|| finding);
        }
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Whether nothing is lost, duplicated or wrong, and no error came that was not expected.
    pub(crate) fn is_good(&self) -> bool {
        let is_exact = self.lost + self.duplicated + self.wrong == 0;
        is_exact && (self.expects_errors || self.errors.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_wrong_makes_it_bad_and_an_error_only_where_none_was_expected() {
        let wrongs: [fn(&mut Ledger); 3] = [
            |ledger| ledger.is_wrong(String::new),
            |ledger| ledger.is_lost(String::new),
            |ledger| ledger.is_duplicated(String::new),
        ];
        for wrong in wrongs {
            let mut ledger = Ledger::expecting_errors(true);
            assert!(ledger.is_good());
            wrong(&mut ledger);
            assert!(!ledger.is_good());
        }
        for expects in [true, false] {
            let mut ledger = Ledger::expecting_errors(expects);
            ledger.has_failed(&io::Error::from_raw_os_error(5), || "a read".to_owned());
            assert_eq!(ledger.is_good(), expects);
            assert_eq!(ledger.findings.is_empty(), expects);
        }
    }

    #[test]
    fn sums_keep_every_count_and_few_words() {
        let mut sum = Ledger::default();
        for _ in 0..20 {
            let mut one = Ledger::default();
            one.is_wrong(|| "here".to_owned());
            one.has_failed(&io::Error::from_raw_os_error(28), || "there".to_owned());
            sum.add(one);
        }
        assert_eq!((sum.wrong, sum.errors["ENOSPC"]), (20, 20));
        assert_eq!(sum.findings.len(), FINDINGS_MAX);
    }
}
