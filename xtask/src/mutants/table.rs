//! The mutants, by the crate in which they are planted.
//!
//! Neighbours share a crate, so that each build begins where the one before it ended.

mod aio;
mod core;
mod core_transfers;
mod ends;
mod facade;
mod merge;
mod sim;
mod uring;
mod workers;

use super::mutant::Mutant;

/// All of them.
pub(crate) fn all() -> Vec<Mutant> {
    let crates = [
        core::MUTANTS,
        core_transfers::MUTANTS,
        sim::MUTANTS,
        aio::MUTANTS,
        uring::MUTANTS,
        workers::MUTANTS,
        merge::MUTANTS,
        facade::MUTANTS,
        ends::MUTANTS,
    ];
    crates.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_ones_are_six_from_several_crates_and_need_no_optimised_build() {
        let quick: Vec<Mutant> = all().into_iter().filter(|one| one.is_quick).collect();
        assert_eq!(quick.len(), 6);
        let mut crates: Vec<&str> = quick
            .iter()
            .filter_map(|one| one.file.split('/').next())
            .collect();
        crates.sort_unstable();
        crates.dedup();
        assert!(crates.len() >= 3, "{crates:?}");
        for mutant in quick {
            let said: Vec<String> = mutant
                .killers
                .iter()
                .map(super::super::mutant::Killer::said)
                .collect();
            assert!(!said.iter().any(|one| one.contains("loom")), "{said:?}");
        }
    }

    #[test]
    fn names_are_short_words_and_each_says_what_is_wrong() {
        for mutant in all() {
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(mutant.name.chars().all(is_plain), "{}", mutant.name);
            assert!(mutant.breaks.ends_with('.'), "{}", mutant.name);
        }
    }
}
