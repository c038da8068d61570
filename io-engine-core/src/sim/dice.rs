//! Numbers that look random and follow from a seed.

/// A sequence of numbers that looks random and is the same for the same seed.
///
/// ```
/// use io_engine_core::sim::Dice;
///
/// let (mut one, mut other) = (Dice::new(7), Dice::new(7));
/// assert_eq!(one.number(), other.number());
/// assert!(one.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        // The mixing function of SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no number is below 0");
        let below = self.number() % bound as u64;
        usize::try_from(below).expect("below a usize")
    }

    /// True once in `n` times on average.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_of_the_dice_comes_up() {
        let mut dice = Dice::new(1);
        let mut seen = [0; 6];
        (0..600).for_each(|_| seen[dice.below(6)] += 1);
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        let ones = (0..1000).filter(|_| dice.one_in(10)).count();
        assert!((50..200).contains(&ones), "{ones}");
    }
}
