//! By what a batch is sorted: one number of 128 bits, which compares in two instructions.

use crate::fact::Fact;

/// Group, start and place of arrival of an event, from the most significant bit down. The group is
/// the file, and within a file the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey(u128);

const GROUP_SHIFT: u32 = 96;
const START_SHIFT: u32 = 32;

impl SortKey {
    #[inline]
    pub(crate) fn of(fact: &Fact, arrival: u32) -> Self {
        let group = u128::from(fact.file) << GROUP_SHIFT;
        Self(group | u128::from(fact.start) << START_SHIFT | u128::from(arrival))
    }

    /// The key with another group.
    #[inline]
    pub(crate) fn in_group(self, group: u32) -> Self {
        let rest = self.0 & ((1 << GROUP_SHIFT) - 1);
        Self(u128::from(group) << GROUP_SHIFT | rest)
    }

    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper 32 of 128 bits have 32"
    )]
    pub(crate) fn group(self) -> u32 {
        (self.0 >> GROUP_SHIFT) as u32
    }

    /// The place in the batch.
    #[inline]
    pub(crate) fn arrival(self) -> usize {
        self.arrival_number() as usize
    }

    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the lower 32 of 128 bits are what is asked for"
    )]
    pub(crate) fn arrival_number(self) -> u32 {
        self.0 as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::FactKind;

    #[test]
    fn every_part_comes_out_as_it_went_in_and_they_compare_in_order() {
        let fact = |file, start| Fact {
            file,
            kind: FactKind::Read,
            start,
            end: u64::MAX,
        };
        let key = SortKey::of(&fact(u32::MAX, u64::MAX), u32::MAX);
        assert_eq!((key.group(), key.arrival()), (u32::MAX, u32::MAX as usize));
        assert_eq!(
            (key.in_group(7).group(), key.in_group(7).arrival_number()),
            (7, u32::MAX)
        );
        assert!(SortKey::of(&fact(1, u64::MAX), 9) < SortKey::of(&fact(2, 0), 0));
        assert!(SortKey::of(&fact(1, 5), u32::MAX) < SortKey::of(&fact(1, 6), 0));
        assert!(SortKey::of(&fact(1, 5), 0) < SortKey::of(&fact(1, 5), 1));
    }
}
