//! What the blocks hold, and how they are checked.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What is to be read.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// What the demo has written: each block follows from the seed and its number.
    Pattern { seed: u64 },
    /// A file of the user's: the digest of each block, as `pread` sees it.
    Digests(Arc<[u64]>),
}

impl Expected {
    /// Another pattern for each driver: what an earlier one left behind cannot pass for its own.
    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        match self {
            Self::Pattern { .. } => Self::Pattern { seed },
            Self::Digests(digests) => Self::Digests(Arc::clone(digests)),
        }
    }

    /// Whether `bytes` are what block `number` is to hold.
    pub(crate) fn is_in(&self, number: u64, bytes: &[u8]) -> bool {
        match self {
            Self::Pattern { seed } => is_pattern(*seed, number, bytes),
            Self::Digests(digests) => {
                let place = usize::try_from(number).ok();
                let expected = place.and_then(|place| digests.get(place));
                expected.is_some_and(|expected| *expected == digest(bytes))
            }
        }
    }
}

/// Odd, so that no two words of a block are equal.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The first word of a block; blocks that are neighbours have nothing in common.
fn first_word(seed: u64, number: u64) -> u64 {
    let mut word = number.wrapping_add(seed.wrapping_mul(STEP));
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// Fills a block: every eight bytes of it differ from every other eight.
pub(crate) fn fill(seed: u64, number: u64, bytes: &mut [u8]) {
    let mut word = first_word(seed, number);
    let mut words = bytes.chunks_exact_mut(8);
    for place in &mut words {
        place.copy_from_slice(&word.to_le_bytes());
        word = word.wrapping_add(STEP);
    }
    let rest = words.into_remainder();
    rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]);
}

fn is_pattern(seed: u64, number: u64, bytes: &[u8]) -> bool {
    let mut word = first_word(seed, number);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut difference = 0;
    for place in words {
        difference |= u64::from_le_bytes(*place) ^ word;
        word = word.wrapping_add(STEP);
    }
    difference == 0 && *rest == word.to_le_bytes()[..rest.len()]
}

/// Sixty-four bits that change when any byte does, in four strands so that they are quick.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mut strands = [1_u64, 2, 3, bytes.len() as u64];
    for (index, word) in words.iter().chain([&last]).enumerate() {
        let strand = &mut strands[index % 4];
        // A bijection of the strand for each word: one changed word always changes it.
        *strand = (*strand ^ u64::from_le_bytes(*word))
            .wrapping_mul(STEP)
            .rotate_left(29);
    }
    strands.into_iter().fold(0, |digest, strand| {
        (digest ^ strand).wrapping_mul(STEP).rotate_left(31)
    })
}

/// The digest of each block of the first `total_bytes` of a file, by plain `pread`; `on_block` is
/// called after each.
pub(crate) fn digests(
    file: &File,
    total_bytes: u64,
    block_bytes: usize,
    on_block: &mut dyn FnMut(),
) -> io::Result<Expected> {
    let mut digests = Vec::new();
    let mut block = vec![0; block_bytes];
    for offset in (0..total_bytes).step_by(block_bytes) {
        let left = usize::try_from(total_bytes - offset).unwrap_or(block_bytes);
        let block = &mut block[..left.min(block_bytes)];
        file.read_exact_at(block, offset)?;
        digests.push(digest(block));
        on_block();
    }
    Ok(Expected::Digests(digests.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Write;

    use super::*;

    #[test]
    fn every_eight_bytes_of_neighbouring_blocks_differ() {
        let mut words = HashSet::new();
        for number in 0..64 {
            let mut block = [0; 4096];
            fill(1, number, &mut block);
            words.extend(block.as_chunks::<8>().0.iter().copied());
        }
        assert_eq!(words.len(), 64 * 512);
    }

    #[test]
    fn a_changed_byte_another_block_and_another_seed_are_noticed() {
        for len in [1, 7, 8, 4096, 4099] {
            let mut block = vec![0; len];
            fill(3, 5, &mut block);
            let expected = Expected::Pattern { seed: 3 };
            assert!(expected.is_in(5, &block));
            assert!(!expected.is_in(6, &block));
            assert!(!expected.with_seed(4).is_in(5, &block));
            for place in [0, len / 2, len - 1] {
                block[place] ^= 1;
                assert!(!expected.is_in(5, &block), "byte {place} of {len}");
                block[place] ^= 1;
            }
        }
    }

    #[test]
    fn a_digest_notices_a_changed_byte_a_swap_and_a_cut() {
        let mut block = vec![0; 100];
        fill(1, 1, &mut block);
        let original = digest(&block);
        for place in 0..block.len() {
            block[place] ^= 0x10;
            assert_ne!(digest(&block), original, "byte {place}");
            block[place] ^= 0x10;
        }
        assert_ne!(digest(&block[..99]), original);
        assert_ne!(digest(&[0; 8]), digest(&[0; 16]));
        block.swap(0, 32);
        assert_ne!(digest(&block), original);
    }

    #[test]
    fn the_digests_of_a_file_cover_its_last_short_block() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        let mut blocks = 0;
        let expected = digests(&file, 10_000, 4096, &mut || blocks += 1).unwrap();
        assert_eq!(blocks, 3);
        assert!(expected.is_in(0, &[7; 4096]));
        assert!(expected.is_in(2, &[7; 10_000 - 8192]));
        assert!(!expected.is_in(2, &[7; 4096]));
        assert!(!expected.is_in(3, &[]));
    }
}
