//! In which order a sequential workload goes over the file.
#![allow(unreachable_pub, reason = "public in the library of the peers")]

use serde::{Deserialize, Serialize};

/// The order of the blocks of a sequential workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// So many streams take turns, each in its own part of the file.
    pub streams: u32,
    /// Within so many blocks of a stream they come in another order; 1 is in order.
    pub window: u32,
}

/// One stream, in order.
impl Default for Pattern {
    fn default() -> Self {
        Self {
            streams: 1,
            window: 1,
        }
    }
}

/// Odd, and so each number below a power of two is taken once; and far from 1.
const STRIDE: u64 = 0x9E37_79B9;

impl Pattern {
    /// The block that comes as the `number`-th, of `blocks` in all.
    #[inline]
    pub fn block(self, number: u64, blocks: u64) -> u64 {
        let streams = u64::from(self.streams).clamp(1, blocks);
        let part = blocks / streams;
        let (stream, place) = (number % streams, number / streams);
        stream * part + self.shuffled(place) % part
    }

    #[inline]
    fn shuffled(self, place: u64) -> u64 {
        let window = u64::from(self.window.next_power_of_two());
        if window == 1 {
            return place;
        }
        let (begin, within) = (place / window * window, place % window);
        begin + (within * STRIDE + begin / window) % window
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn blocks(pattern: Pattern, count: u64) -> Vec<u64> {
        (0..count)
            .map(|number| pattern.block(number, 4096))
            .collect()
    }

    #[test]
    fn one_stream_goes_over_the_file_and_begins_again() {
        let all = blocks(Pattern::default(), 5000);
        assert_eq!(all[..4096], (0..4096).collect::<Vec<_>>());
        assert_eq!(all[4096], 0);
    }

    #[test]
    fn streams_take_turns_and_never_meet() {
        let pattern = Pattern {
            streams: 4,
            window: 1,
        };
        assert_eq!(blocks(pattern, 6), [0, 1024, 2048, 3072, 1, 1025]);
        let unlike: BTreeSet<u64> = blocks(pattern, 4096).into_iter().collect();
        assert_eq!(unlike.len(), 4096);
    }

    #[test]
    fn a_window_is_shuffled_and_left_whole() {
        let pattern = Pattern {
            streams: 1,
            window: 32,
        };
        let all = blocks(pattern, 4096);
        for (window, begin) in all.chunks(32).zip((0..).step_by(32)) {
            let mut sorted = window.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (begin..begin + 32).collect::<Vec<u64>>());
            assert_ne!(sorted, window);
        }
    }

    #[test]
    fn more_streams_than_blocks_are_as_many_as_there_are() {
        let pattern = Pattern {
            streams: 100,
            window: 1,
        };
        assert_eq!(pattern.block(7, 5), 2);
    }
}
