//! Every number below a bound, once, in an order without a pattern, from no memory.

/// A permutation of `0..count`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RandomOrder {
    count: u64,
    bits: u32,
    seed: u64,
}

impl RandomOrder {
    pub(crate) fn new(count: u64, seed: u64) -> Self {
        let bits = (u64::BITS - count.saturating_sub(1).leading_zeros()).max(2);
        Self { count, bits, seed }
    }

    /// The number at `place`, for a place below the count.
    pub(crate) fn at(&self, place: u64) -> u64 {
        let mut number = self.scramble(place);
        // The scrambling permutes a power of two that is below twice the count, so following it
        // from a place below the count comes back below the count, after two turns on average.
        while number >= self.count {
            number = self.scramble(number);
        }
        number
    }

    /// A permutation of `0..1 << bits`: each step can be undone.
    fn scramble(&self, number: u64) -> u64 {
        let mask = u64::MAX >> (u64::BITS - self.bits);
        let half = self.bits.div_ceil(2);
        let mut number = number;
        for round in 1..=3 {
            number = number.wrapping_add(self.seed.wrapping_mul(round)) & mask;
            number = number.wrapping_mul(0xD6E8_FEB8_6659_FD93) & mask;
            number ^= number >> half;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once() {
        for count in [1, 2, 3, 4, 5, 100, 128, 129, 4097] {
            let order = RandomOrder::new(count, 7);
            let mut numbers: Vec<u64> = (0..count).map(|place| order.at(place)).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count).collect::<Vec<u64>>(), "{count}");
        }
    }

    #[test]
    fn neighbours_are_rare() {
        let order = RandomOrder::new(10_000, 7);
        let follows = |place: &u64| order.at(place + 1) == order.at(*place) + 1;
        let neighbours = (0..9_999).filter(follows).count();
        assert!(neighbours < 20, "{neighbours}");
    }
}
