//! What may not change places: transfers that overlap and are not both reads.

use std::collections::TryReserveError;

use crate::fact::{Extent, Fact, FactKind, Touch};
use crate::sort_key::SortKey;

/// Cuts what arrived for one file into epochs: stretches of events that may change places.
///
/// Within an epoch no write overlaps anything and there is no fence, so any order gives the same
/// bytes. Epochs follow each other in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Hazards {
    read: Intervals,
    written: Intervals,
}

impl Hazards {
    /// Makes room for the intervals of `events` events, so that nothing else allocates.
    pub(crate) fn reserve(&mut self, events: usize) -> Result<(), TryReserveError> {
        self.read.reserve(events)?;
        self.written.reserve(events)
    }

    /// Sorts `group`, all events of one file, by epoch and then by start, and writes the number of
    /// its epoch into each key. A fence is an epoch of its own.
    pub(crate) fn cut(&mut self, group: &mut [SortKey], facts: &[Fact], size_min: u64) {
        group.sort_unstable_by_key(|key| key.arrival());
        let mut epoch = 0;
        self.forget();
        for key in group.iter_mut() {
            let fact = &facts[key.arrival()];
            if fact.kind == FactKind::Fence {
                self.forget();
                *key = key.in_group(epoch + 1);
                epoch += 2;
                continue;
            }
            if let Some(touch) = fact.touch(size_min) {
                if !self.admits(touch) {
                    self.forget();
                    epoch += 1;
                }
                self.note(touch);
            }
            *key = key.in_group(epoch);
        }
        group.sort_unstable();
    }

    fn forget(&mut self) {
        self.read.0.clear();
        self.written.0.clear();
    }

    /// Whether it may change places with everything of this epoch, and can be remembered.
    fn admits(&self, touch: Touch) -> bool {
        match touch {
            Touch::Reads(extent) => !self.written.overlaps(extent) && self.read.has_room(),
            Touch::Writes(extent) => {
                let is_free = !self.written.overlaps(extent) && !self.read.overlaps(extent);
                is_free && self.written.has_room()
            }
        }
    }

    fn note(&mut self, touch: Touch) {
        match touch {
            Touch::Reads(extent) => self.read.add(extent),
            Touch::Writes(extent) => self.written.add(extent),
        }
    }
}

/// Whether all of `group`, sorted by start, is one epoch: the common case, found in one sweep.
pub(crate) fn is_one_epoch(group: &[SortKey], facts: &[Fact], size_min: u64) -> bool {
    let (mut any_end, mut write_end) = (0, 0);
    for key in group {
        let fact = &facts[key.arrival()];
        match fact.touch(size_min) {
            Some(Touch::Reads(extent)) => {
                if extent.start < write_end {
                    return false;
                }
                any_end = extent.end.max(any_end);
            }
            Some(Touch::Writes(extent)) => {
                if extent.start < any_end {
                    return false;
                }
                any_end = extent.end;
                write_end = extent.end;
            }
            None if fact.kind == FactKind::Fence => return false,
            None => {}
        }
    }
    true
}

/// Intervals that are remembered at most. An epoch with more ends there: that costs a run, and never
/// the order.
const INTERVALS_MAX: usize = 1024;

/// Extents that do not touch each other, sorted.
#[derive(Debug, Default)]
struct Intervals(Vec<Extent>);

impl Intervals {
    fn reserve(&mut self, events: usize) -> Result<(), TryReserveError> {
        self.0.clear();
        self.0.try_reserve(events.min(INTERVALS_MAX))
    }

    fn has_room(&self) -> bool {
        self.0.len() < INTERVALS_MAX
    }

    fn overlaps(&self, extent: Extent) -> bool {
        let next = self.0.partition_point(|known| known.end <= extent.start);
        self.0
            .get(next)
            .is_some_and(|known| known.start < extent.end)
    }

    fn add(&mut self, extent: Extent) {
        let from = self.0.partition_point(|known| known.end < extent.start);
        let to = self.0.partition_point(|known| known.start <= extent.end);
        if from == to {
            return self.0.insert(from, extent);
        }
        let grown = Extent {
            start: extent.start.min(self.0[from].start),
            end: extent.end.max(self.0[to - 1].end),
        };
        self.0[from] = grown;
        self.0.drain(from + 1..to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(kind: FactKind, start: u64, end: u64) -> Fact {
        Fact {
            file: 0,
            kind,
            start,
            end,
        }
    }

    fn epochs(facts: &[Fact]) -> Vec<u32> {
        epochs_in(facts, u64::MAX)
    }

    fn epochs_in(facts: &[Fact], size_min: u64) -> Vec<u32> {
        let mut hazards = Hazards::default();
        hazards.reserve(facts.len()).unwrap();
        let mut keys: Vec<SortKey> = (0..)
            .zip(facts)
            .map(|(at, fact)| SortKey::of(fact, at))
            .collect();
        keys.sort_unstable();
        let one = is_one_epoch(&keys, facts, size_min);
        hazards.cut(&mut keys, facts, size_min);
        keys.sort_unstable_by_key(|key| key.arrival());
        let epochs: Vec<u32> = keys.iter().map(|key| key.group()).collect();
        assert_eq!(one, epochs.iter().all(|epoch| *epoch == 0), "{facts:?}");
        epochs
    }

    #[test]
    fn an_overlap_with_a_write_ends_the_epoch_and_one_of_reads_does_not() {
        use FactKind::{LoneWrite, Read, Write};
        let both = [fact(Read, 0, 10), fact(Read, 5, 15), fact(Read, 0, 10)];
        assert_eq!(epochs(&both), [0, 0, 0]);
        let mixed = [fact(Write, 0, 10), fact(Read, 9, 15), fact(Write, 14, 20)];
        assert_eq!(epochs(&mixed), [0, 1, 2]);
        let lone = [
            fact(LoneWrite, 0, 10),
            fact(Write, 0, 10),
            fact(Read, 20, 30),
        ];
        assert_eq!(epochs(&lone), [0, 1, 1]);
        let touching = [fact(Write, 0, 10), fact(Read, 10, 15), fact(Write, 15, 20)];
        assert_eq!(epochs(&touching), [0, 0, 0]);
    }

    #[test]
    fn a_fence_is_an_epoch_of_its_own_and_a_bystander_is_none() {
        use FactKind::{Bystander, Fence, Write};
        let fenced = [fact(Write, 0, 10), fact(Fence, 0, 0), fact(Write, 10, 20)];
        assert_eq!(epochs(&fenced), [0, 1, 2]);
        let nop = [
            fact(Write, 0, 10),
            fact(Bystander, 0, 10),
            fact(Write, 10, 20),
        ];
        assert_eq!(epochs(&nop), [0, 0, 0]);
        let empty = [fact(Write, 0, 10), fact(Write, 5, 5), fact(Write, 10, 20)];
        assert_eq!(epochs(&empty), [0, 0, 0]);
    }

    #[test]
    fn a_read_that_may_meet_the_end_of_the_file_keeps_its_order_with_all_writes_behind_it() {
        use FactKind::{Read, Write};
        let before = [fact(Write, 0, 10), fact(Read, 20, 30)];
        assert_eq!(epochs_in(&before, 0), [0, 0]);
        let behind = [fact(Read, 20, 30), fact(Write, 90, 99), fact(Read, 80, 89)];
        assert_eq!(epochs_in(&behind, 29), [0, 1, 2]);
        assert_eq!(epochs_in(&behind, 30), [0, 0, 1]);
        assert_eq!(epochs_in(&behind, 89), [0, 0, 0]);
    }

    #[test]
    fn what_does_not_touch_is_remembered_up_to_a_bound() {
        let apart = |at: u64| fact(FactKind::Write, at * 10, at * 10 + 5);
        let mut facts: Vec<Fact> = (0..2000).map(apart).collect();
        facts.push(apart(0));
        let epochs = epochs_of_many(&facts);
        assert_eq!((epochs[1023], epochs[1024], epochs[2000]), (0, 1, 1));
    }

    fn epochs_of_many(facts: &[Fact]) -> Vec<u32> {
        let mut hazards = Hazards::default();
        hazards.reserve(facts.len()).unwrap();
        let mut keys: Vec<SortKey> = (0..)
            .zip(facts)
            .map(|(at, fact)| SortKey::of(fact, at))
            .collect();
        hazards.cut(&mut keys, facts, u64::MAX);
        keys.sort_unstable_by_key(|key| key.arrival());
        keys.iter().map(|key| key.group()).collect()
    }
}
