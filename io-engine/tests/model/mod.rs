//! What a file may hold, byte by byte, after writes of which some have failed.

use std::ops::Range;

pub(crate) mod numbered;

/// One file. Bytes that were never written are zero.
#[derive(Debug, Default)]
pub(crate) struct FileModel {
    /// The last value of each byte that is certain.
    sure: Vec<u8>,
    /// What else a byte may be, since a write of it has failed.
    unsure: Vec<Vec<u8>>,
    /// Between these is the end of the file.
    pub(crate) len_min: usize,
    pub(crate) len_max: usize,
}

impl FileModel {
    fn reach(&mut self, end: usize) {
        if self.sure.len() < end {
            self.sure.resize(end, 0);
            self.unsure.resize(end, Vec::new());
        }
    }

    /// These bytes are there now.
    pub(crate) fn has_written(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.reach(end);
        self.sure[at..end].copy_from_slice(bytes);
        self.forget_doubts(at..end);
        if !bytes.is_empty() {
            self.has_grown(end);
        }
    }

    /// Each of these bytes may be there or not.
    pub(crate) fn may_have_written(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.reach(end);
        for (place, &byte) in (at..).zip(bytes) {
            if self.sure[place] != byte {
                self.unsure[place].push(byte);
            }
        }
        self.len_max = self.len_max.max(end);
    }

    pub(crate) fn has_grown(&mut self, end: usize) {
        self.len_min = self.len_min.max(end);
        self.len_max = self.len_max.max(end);
    }

    /// The range reads as zero now.
    pub(crate) fn is_zeroed(&mut self, range: Range<usize>) {
        self.reach(range.end);
        self.sure[range.clone()].fill(0);
        self.forget_doubts(range);
    }

    fn forget_doubts(&mut self, range: Range<usize>) {
        self.unsure[range].iter_mut().for_each(Vec::clear);
    }

    /// Compares what was read, and holds the file to it from now on.
    pub(crate) fn has_read(&mut self, at: usize, found: &[u8]) -> Result<(), String> {
        let end = at + found.len();
        self.reach(end);
        if self.sure[at..end] == *found {
            self.forget_doubts(at..end);
            return Ok(());
        }
        for (place, &byte) in (at..).zip(found) {
            let (sure, doubts) = (&mut self.sure[place], &mut self.unsure[place]);
            if *sure != byte && !doubts.contains(&byte) {
                return Err(format!("byte {place} is {byte}, not {sure} or {doubts:?}"));
            }
            *sure = byte;
            doubts.clear();
        }
        Ok(())
    }
}
