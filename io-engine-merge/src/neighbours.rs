//! A quick look whether anything in a batch can touch anything else.

use std::collections::TryReserveError;

use crate::fact::{Fact, FactKind};

/// Remembers where transfers end, a bit for each place, and looks whether one begins there.
///
/// It takes a fraction of what sorting takes, and random traffic needs no more. Two places may have
/// the same bit: then the batch is looked at for nothing.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    words: Vec<u64>,
}

/// 8 KiB of bits: a batch of 64 that has no neighbours is looked at for nothing in 6 of 100 cases.
const BITS_LOG2: u32 = 16;
const WORDS: usize = 1 << (BITS_LOG2 - 6);

/// In a longer batch two of the places nearly always share a bit.
const EVENTS_MAX: usize = 256;

impl Neighbours {
    pub(crate) fn reserve(&mut self) -> Result<(), TryReserveError> {
        if self.words.is_empty() {
            self.words.try_reserve_exact(WORDS)?;
            self.words.resize(WORDS, 0);
        }
        Ok(())
    }

    /// Whether any read or write may begin where another one of the same file ends. False is certain.
    pub(crate) fn may_exist(&mut self, facts: &[Fact]) -> bool {
        if facts.len() > EVENTS_MAX || facts[0].end == facts[1].start {
            return true;
        }
        for fact in facts {
            let bit = bit_of(fact, fact.end);
            self.words[bit.word] |= bit.mask;
        }
        let begins_there = |fact: &Fact| {
            let bit = bit_of(fact, fact.start);
            self.words[bit.word] & bit.mask != 0
        };
        let found = facts.iter().any(begins_there);
        for fact in facts {
            self.words[bit_of(fact, fact.end).word] = 0;
        }
        found
    }
}

struct Bit {
    word: usize,
    mask: u64,
}

/// Multiplicative hashing: the upper bits of the product depend on all of the factor.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn bit_of(fact: &Fact, offset: u64) -> Bit {
    let direction = match fact.kind {
        FactKind::Read | FactKind::LoneRead => 1 << 62,
        FactKind::Write | FactKind::LoneWrite => 1 << 61,
        FactKind::Fence | FactKind::Bystander => 0,
    };
    let place = offset ^ direction ^ u64::from(fact.file).rotate_right(24);
    let hash = place.wrapping_mul(FACTOR) >> (u64::BITS - BITS_LOG2);
    let hash = usize::try_from(hash).expect("BITS_LOG2 bits");
    Bit {
        word: hash / 64,
        mask: 1 << (hash % 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(file: u32, kind: FactKind, start: u64) -> Fact {
        let end = start + 4096;
        Fact {
            file,
            kind,
            start,
            end,
        }
    }

    #[test]
    fn a_neighbour_is_found_wherever_it_is_in_the_batch() {
        let mut neighbours = Neighbours::default();
        neighbours.reserve().unwrap();
        let apart = |at: u64| fact(3, FactKind::Read, at * 1_000_003 * 4096);
        for position in 0..63 {
            let mut batch: Vec<Fact> = (1..64).map(apart).collect();
            batch.insert(position, fact(3, FactKind::Read, batch[50].start - 4096));
            assert!(neighbours.may_exist(&batch));
        }
    }

    #[test]
    fn another_file_or_direction_is_no_neighbour_and_nothing_is_left_of_the_batch_before() {
        let mut neighbours = Neighbours::default();
        neighbours.reserve().unwrap();
        let (read, write) = (FactKind::Read, FactKind::Write);
        for _ in 0..2 {
            assert!(
                neighbours.may_exist(&[fact(3, read, 1 << 20), fact(3, read, (1 << 20) - 4096)])
            );
            assert!(!neighbours.may_exist(&[fact(3, read, 8192), fact(4, read, 4096)]));
            assert!(!neighbours.may_exist(&[fact(3, write, 8192), fact(3, read, 4096)]));
            assert!(!neighbours.may_exist(&[fact(3, read, 8192), fact(3, read, 0)]));
        }
    }
}
