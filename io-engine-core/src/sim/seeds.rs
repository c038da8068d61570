//! Running a test with many seeds, and with the one that has failed.

use std::env;
use std::thread;

/// The environment variable that picks one seed.
pub const SEED_VARIABLE: &str = "SIM_SEED";

/// Calls `test` with each of `seeds`. If it panics, the seed is printed on stderr, with how to run it
/// again: with `SIM_SEED=n` in the environment only n is tried, whatever `seeds` are.
///
/// ```
/// use io_engine_core::sim::{SimDisk, for_each_seed};
///
/// for_each_seed(0..10, |seed| {
///     let disk = SimDisk::new(seed);
///     assert_eq!(disk.content(disk.open("new")), b"");
/// });
/// ```
///
/// # Panics
/// If `test` does, or if `SIM_SEED` is not a number.
pub fn for_each_seed(seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(u64)) {
    if let Some(seed) = env::var_os(SEED_VARIABLE) {
        let seed = seed.to_str().and_then(|seed| seed.parse().ok());
        return run(seed.expect("SIM_SEED is a number"), &mut test);
    }
    for seed in seeds {
        run(seed, &mut test);
    }
}

fn run(seed: u64, test: &mut impl FnMut(u64)) {
    let announced = Announced(seed);
    test(seed);
    drop(announced);
}

/// Says which seed it was, if it is dropped by a panic.
struct Announced(u64);

impl Drop for Announced {
    fn drop(&mut self) {
        if thread::panicking() {
            let seed = self.0;
            eprintln!(
                "failed with seed {seed}; {SEED_VARIABLE}={seed} in the environment runs it alone"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_is_tried_in_its_order() {
        let mut tried = Vec::new();
        for_each_seed(3..6, |seed| tried.push(seed));
        assert_eq!(tried, [3, 4, 5]);
    }
}
