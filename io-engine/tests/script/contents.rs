//! What a file may hold, byte by byte: for who reads it, and after a crash.

use std::ops::Range;

use super::step::FILE_BYTES;

/// A file. Times are those of whoever asks; each change begins at one of its own.
#[derive(Debug)]
pub(crate) struct Contents {
    /// What is saved, at the least.
    saved: Vec<u8>,
    /// What has been done to each byte since, in the order in which it was asked for.
    changes: Vec<Vec<Change>>,
    pub(crate) len_min: usize,
    pub(crate) len_max: usize,
    saved_len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    value: u8,
    begun: u64,
    /// When it was known to have been made. One that has failed may have been made or not, for ever.
    made: Option<u64>,
    /// A sync has failed to save it, and later ones need not try.
    is_given_up: bool,
}

impl Contents {
    pub(crate) fn new() -> Self {
        Self {
            saved: vec![0; FILE_BYTES],
            changes: vec![Vec::new(); FILE_BYTES],
            len_min: 0,
            len_max: 0,
            saved_len: 0,
        }
    }

    /// From now on each byte of `range` may be the one of `values`.
    pub(crate) fn may_become(&mut self, range: Range<usize>, values: &[u8], now: u64) {
        for (place, &value) in range.zip(values) {
            self.changes[place].push(Change {
                value,
                begun: now,
                made: None,
                is_given_up: false,
            });
        }
    }

    /// The change that began at `begun` is made in `range`.
    pub(crate) fn has_become(&mut self, range: Range<usize>, begun: u64, now: u64) {
        for changes in &mut self.changes[range] {
            let mut latest = changes.iter_mut().rev();
            let change = latest.find(|change| change.begun == begun);
            change.expect("a change that was announced").made = Some(now);
        }
    }

    pub(crate) fn may_grow(&mut self, end: usize) {
        self.len_max = self.len_max.max(end);
    }

    pub(crate) fn has_grown(&mut self, end: usize) {
        self.len_min = self.len_min.max(end);
    }

    /// Holds what was read against what may be there, and the file to it from now on.
    pub(crate) fn has_read(&mut self, at: usize, found: &[u8], now: u64) -> Result<(), String> {
        for (place, &value) in (at..).zip(found) {
            let changes = &mut self.changes[place];
            let sure = changes.iter().rposition(|change| change.made.is_some());
            let possible = &changes[sure.unwrap_or(0)..];
            let is_saved = sure.is_none() && self.saved[place] == value;
            if !is_saved && !possible.iter().any(|change| change.value == value) {
                return Err(format!("byte {place} is {value}: {possible:?}"));
            }
            let is_in_doubt = possible.iter().any(|change| change.made.is_none());
            if is_in_doubt {
                changes.push(Change {
                    value,
                    begun: now,
                    made: Some(now),
                    is_given_up: false,
                });
            }
        }
        Ok(())
    }

    /// A sync that was sent at `sent`, when the file had at least `len` bytes, has succeeded.
    pub(crate) fn was_saved(&mut self, len: usize, sent: u64) {
        self.saved_len = self.saved_len.max(len);
        for (saved, changes) in self.saved.iter_mut().zip(&mut self.changes) {
            let is_covered = |change: &Change| {
                !change.is_given_up && change.made.is_some_and(|made| made <= sent)
            };
            if let Some(last) = changes.iter().rposition(is_covered) {
                *saved = changes[last].value;
                changes.drain(..=last);
            }
        }
    }

    /// A sync has failed: a later one saves only what is written again.
    pub(crate) fn was_not_saved(&mut self) {
        for change in self.changes.iter_mut().flatten() {
            change.is_given_up = true;
        }
    }

    /// Holds what a crash has left against what it may leave, and the file to it from now on.
    pub(crate) fn has_crashed(&mut self, found: &[u8]) -> Result<(), String> {
        let len = found.len();
        if !(self.saved_len..=self.len_max).contains(&len) {
            let (min, max) = (self.saved_len, self.len_max);
            return Err(format!("{len} bytes, not from {min} to {max}"));
        }
        for (place, &value) in found.iter().enumerate() {
            let (saved, changes) = (self.saved[place], &self.changes[place]);
            if saved != value && !changes.iter().any(|change| change.value == value) {
                return Err(format!(
                    "byte {place} is {value}: {saved} was saved, then {changes:?}"
                ));
            }
        }
        *self = Self::new();
        self.saved[..len].copy_from_slice(found);
        (self.len_min, self.len_max, self.saved_len) = (len, len, len);
        Ok(())
    }
}
