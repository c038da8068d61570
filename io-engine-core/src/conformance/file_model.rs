//! What a file may hold, byte by byte, after writes of which some have failed, and how long it may be.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Doubts are kept by pieces of so many bytes; a file without any costs nothing.
const PIECE: usize = 512;

/// What is in a file. Bytes that were never written are zero.
///
/// ```
/// use io_engine_core::conformance::FileModel;
///
/// let mut model = FileModel::default();
/// model.has_written(0, b"old");
/// model.may_have_written(0, b"new");
/// assert!(model.has_read(0, b"xld").is_err());
/// assert!(model.has_read(0, b"nld").is_ok());
/// // What was seen once stays.
/// assert!(model.has_read(0, b"old").is_err());
/// ```
#[derive(Debug, Default)]
pub struct FileModel {
    /// The last value of each byte that is certain.
    sure: Vec<u8>,
    /// What else a byte may be, since a write of it has failed; by the number of its piece.
    doubts: BTreeMap<usize, Vec<Layer>>,
}

/// One more value for some bytes of a piece.
#[derive(Debug)]
struct Layer {
    bytes: [u8; PIECE],
    may_be: [bool; PIECE],
}

impl Layer {
    const EMPTY: Self = Self {
        bytes: [0; PIECE],
        may_be: [false; PIECE],
    };
}

impl FileModel {
    /// These bytes are there now.
    pub fn has_written(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.reach(end);
        self.sure[at..end].copy_from_slice(bytes);
        self.forget_doubts(at..end);
    }

    /// Each of these bytes may be there or not.
    pub fn may_have_written(&mut self, at: usize, bytes: &[u8]) {
        self.reach(at + bytes.len());
        for (place, &byte) in (at..).zip(bytes) {
            if self.sure[place] != byte {
                self.doubt(place, byte);
            }
        }
    }

    /// The range reads as zero now.
    pub fn is_zeroed(&mut self, range: Range<usize>) {
        self.reach(range.end);
        self.sure[range.clone()].fill(0);
        self.forget_doubts(range);
    }

    /// Each byte of the range may read as zero, or as before.
    pub fn may_be_zeroed(&mut self, range: Range<usize>) {
        self.may_have_written(range.start, &vec![0; range.len()]);
    }

    /// Compares what was read, and holds the file to it from now on.
    ///
    /// # Errors
    /// The first byte that differs from everything that it may be.
    pub fn has_read(&mut self, at: usize, found: &[u8]) -> Result<(), String> {
        let end = at + found.len();
        self.reach(end);
        if self.sure[at..end] == *found {
            self.forget_doubts(at..end);
            return Ok(());
        }
        for (place, &byte) in (at..).zip(found) {
            let sure = self.sure[place];
            if sure != byte && !self.may_be(place, byte) {
                let others = self.values_in_doubt(place);
                return Err(match others.is_empty() {
                    true => format!("byte {place} is {byte}, not {sure}"),
                    false => format!("byte {place} is {byte}, not {sure} or one of {others:?}"),
                });
            }
            self.sure[place] = byte;
        }
        self.forget_doubts(at..end);
        Ok(())
    }

    fn reach(&mut self, end: usize) {
        if self.sure.len() < end {
            self.sure.resize(end, 0);
        }
    }

    fn doubt(&mut self, place: usize, byte: u8) {
        let (piece, within) = (place / PIECE, place % PIECE);
        let layers = self.doubts.entry(piece).or_default();
        for layer in layers.iter_mut() {
            if !layer.may_be[within] {
                layer.may_be[within] = true;
                layer.bytes[within] = byte;
                return;
            }
            if layer.bytes[within] == byte {
                return;
            }
        }
        let mut layer = Layer::EMPTY;
        layer.may_be[within] = true;
        layer.bytes[within] = byte;
        layers.push(layer);
    }

    fn values_in_doubt(&self, place: usize) -> Vec<u8> {
        let layers = self.doubts.get(&(place / PIECE)).into_iter().flatten();
        let within = place % PIECE;
        let held = layers.filter(|layer| layer.may_be[within]);
        held.map(|layer| layer.bytes[within]).collect()
    }

    fn may_be(&self, place: usize, byte: u8) -> bool {
        !self.doubts.is_empty() && self.values_in_doubt(place).contains(&byte)
    }

    fn forget_doubts(&mut self, range: Range<usize>) {
        if self.doubts.is_empty() || range.is_empty() {
            return;
        }
        let pieces = range.start / PIECE..range.end.div_ceil(PIECE);
        let doubted: Vec<usize> = self.doubts.range(pieces).map(|(piece, _)| *piece).collect();
        for piece in doubted {
            let begin = piece * PIECE;
            let from = range.start.max(begin) - begin;
            let to = range.end.min(begin + PIECE) - begin;
            let is_whole = to - from == PIECE;
            let layers = self.doubts.get_mut(&piece).expect("it was just found");
            for layer in layers.iter_mut().filter(|_| !is_whole) {
                layer.may_be[from..to].fill(false);
            }
            layers.retain(|layer| !is_whole && layer.may_be.contains(&true));
            if layers.is_empty() {
                self.doubts.remove(&piece);
            }
        }
    }
}

/// Between which lengths a file is, while several threads make it grow.
#[derive(Debug, Default)]
pub struct FileLength {
    min: AtomicUsize,
    max: AtomicUsize,
}

impl FileLength {
    /// Exactly so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self {
            min: AtomicUsize::new(bytes),
            max: AtomicUsize::new(bytes),
        }
    }

    /// The file reaches to `end` at least, now that what made it do so has been answered.
    pub fn has_grown(&self, end: usize) {
        self.min.fetch_max(end, Ordering::SeqCst);
        self.may_grow(end);
    }

    /// The file may reach to `end` from now on: to be said before the request is handed over.
    pub fn may_grow(&self, end: usize) {
        self.max.fetch_max(end, Ordering::SeqCst);
    }

    /// It has at least so many bytes.
    #[must_use]
    pub fn min(&self) -> usize {
        self.min.load(Ordering::SeqCst)
    }

    /// It has at most so many bytes.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_and_the_rest_is_zero() {
        let mut model = FileModel::default();
        model.has_written(510, &[1, 2, 3, 4]);
        assert_eq!(model.has_read(509, &[0, 1, 2, 3, 4, 0]), Ok(()));
        let wrong = model.has_read(509, &[0, 1, 9, 3]).unwrap_err();
        assert_eq!(wrong, "byte 511 is 9, not 2");
        model.is_zeroed(511..513);
        assert_eq!(model.has_read(510, &[1, 0, 0, 4]), Ok(()));
    }

    #[test]
    fn a_failed_write_leaves_each_byte_old_or_new_until_it_is_seen_or_written() {
        let bytes = |value| vec![value; 2000];
        let mut model = FileModel::default();
        model.has_written(0, &bytes(1));
        model.may_have_written(0, &bytes(2));
        model.may_have_written(100, &[3; 50]);
        model.may_be_zeroed(0..10);
        let mut found = bytes(1);
        found[5] = 0;
        found[120] = 3;
        found[121] = 2;
        found[1999] = 2;
        assert_eq!(model.has_read(0, &found), Ok(()));
        found[120] = 2;
        assert!(model.has_read(0, &found).is_err());

        model.may_have_written(0, &bytes(4));
        model.has_written(0, &bytes(5));
        assert!(model.has_read(0, &bytes(4)).is_err());
        assert_eq!(model.has_read(0, &bytes(5)), Ok(()));
        assert!(model.doubts.is_empty());
    }

    #[test]
    fn doubts_outside_of_what_was_written_stay() {
        let mut model = FileModel::default();
        model.may_have_written(0, &[7; 1024]);
        model.has_written(500, &[8; 24]);
        assert_eq!(model.has_read(499, &[7, 8]), Ok(()));
        assert_eq!(model.has_read(523, &[8, 0, 7]), Ok(()));
        assert!(model.has_read(524, &[7]).is_err());
    }

    #[test]
    fn a_length_lies_between_what_was_answered_and_what_was_asked() {
        let length = FileLength::of(10);
        length.may_grow(30);
        length.has_grown(20);
        assert_eq!((length.min(), length.max()), (20, 30));
    }
}
