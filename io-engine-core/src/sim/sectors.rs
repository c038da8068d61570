//! What is in a file, now and after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::dice::Dice;
use super::disk::Survival;
use super::versions::Versions;
use crate::simulated_number::SECTOR_BYTES;

const LEN: usize = 512;
const _: () = assert!(LEN as u64 == SECTOR_BYTES);

/// A sector that was never written reads as zero and is not kept.
type Bytes = Option<Box<[u8; LEN]>>;

#[derive(Clone, Debug, Default)]
struct Sector {
    now: Bytes,
    has_space: bool,
    /// What a crash leaves at the least.
    safe: Bytes,
    /// Every state since, any of which may be what a crash leaves: the cache is written back whenever it
    /// pleases, and a sector at once or not at all.
    unsynced: Versions<Bytes>,
}

/// The bytes of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sectors {
    sectors: BTreeMap<u64, Sector>,
    /// Those with versions.
    unsynced: BTreeSet<u64>,
    len: u64,
    safe_len: u64,
    unsynced_lens: Versions<u64>,
}

/// What a range has of one sector.
struct Piece {
    sector: u64,
    within: Range<usize>,
    of_range: Range<usize>,
}

fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == len {
            return None;
        }
        let position = offset + at as u64;
        let begin = usize::try_from(position % SECTOR_BYTES).expect("below 512");
        let count = (LEN - begin).min(len - at);
        at += count;
        Some(Piece {
            sector: position / SECTOR_BYTES,
            within: begin..begin + count,
            of_range: at - count..at,
        })
    })
}

/// The numbers of the sectors that a range of at least one byte touches.
fn touched(offset: u64, len: u64) -> Range<u64> {
    offset / SECTOR_BYTES..(offset + len).div_ceil(SECTOR_BYTES)
}

impl Sectors {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `into` from `offset` on, as far as there is a file; says how far.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let there = self.len.saturating_sub(offset);
        let len = usize::try_from(there).map_or(into.len(), |there| there.min(into.len()));
        for piece in pieces(offset, len) {
            let into = &mut into[piece.of_range];
            let sector = self.sectors.get(&piece.sector);
            match sector.and_then(|sector| sector.now.as_deref()) {
                Some(bytes) => into.copy_from_slice(&bytes[piece.within]),
                None => into.fill(0),
            }
        }
        len
    }

    /// Takes `bytes`, for which there is space.
    pub(super) fn write(&mut self, now: u64, offset: u64, bytes: &[u8]) {
        for piece in pieces(offset, bytes.len()) {
            let sector = self.sectors.entry(piece.sector).or_default();
            let into = sector.now.get_or_insert_with(|| Box::new([0; LEN]));
            into[piece.within].copy_from_slice(&bytes[piece.of_range]);
            sector.has_space = true;
            self.remember(now, piece.sector);
        }
        self.grow(now, offset + bytes.len() as u64);
    }

    /// How many bytes of a range have space or find some in `free` sectors.
    pub(super) fn fitting(&self, offset: u64, len: usize, mut free: u64) -> usize {
        for piece in pieces(offset, len) {
            if self.has_space(piece.sector) {
                continue;
            }
            if free == 0 {
                return piece.of_range.start;
            }
            free -= 1;
        }
        len
    }

    fn has_space(&self, sector: u64) -> bool {
        let sector = self.sectors.get(&sector);
        sector.is_some_and(|sector| sector.has_space)
    }

    /// How many sectors have space.
    pub(super) fn space(&self) -> u64 {
        let sectors = self.sectors.values();
        sectors.filter(|sector| sector.has_space).count() as u64
    }

    /// How many sectors of a range have none.
    pub(super) fn without_space(&self, offset: u64, len: u64) -> u64 {
        let range = touched(offset, len);
        let all = range.end - range.start;
        let with = self.sectors.range(range);
        all - with.filter(|(_, sector)| sector.has_space).count() as u64
    }

    /// Gives space to a range, of which there is enough.
    pub(super) fn give_space(&mut self, offset: u64, len: u64) {
        for sector in touched(offset, len) {
            self.sectors.entry(sector).or_default().has_space = true;
        }
    }

    /// Makes a range read as zero; whole sectors of it give up their space.
    pub(super) fn zero(&mut self, now: u64, offset: u64, len: u64) {
        let end = offset + len;
        let range = touched(offset, len);
        let there: Vec<u64> = self
            .sectors
            .range(range)
            .map(|(&number, _)| number)
            .collect();
        for number in there {
            let begin = number * SECTOR_BYTES;
            let within = |position: u64| {
                let within = position.clamp(begin, begin + SECTOR_BYTES) - begin;
                usize::try_from(within).expect("at most 512")
            };
            let within = within(offset)..within(end);
            let sector = self.sectors.entry(number).or_default();
            if within == (0..LEN) {
                sector.now = None;
                sector.has_space = false;
            } else if let Some(bytes) = &mut sector.now {
                bytes[within].fill(0);
            }
            self.remember(now, number);
        }
    }

    /// Makes the file as long as `end`, unless it is longer.
    pub(super) fn grow(&mut self, now: u64, end: u64) {
        if end > self.len {
            self.len = end;
            self.unsynced_lens.push(now, end);
        }
    }

    fn remember(&mut self, now: u64, number: u64) {
        if let Some(sector) = self.sectors.get_mut(&number) {
            let value = sector.now.clone();
            sector.unsynced.push(now, value);
            self.unsynced.insert(number);
        }
    }

    /// A sync has been sent, which is to save what there is now.
    pub(super) fn begin_sync(&mut self) {
        for number in &self.unsynced {
            if let Some(sector) = self.sectors.get_mut(number) {
                sector.unsynced.await_latest();
            }
        }
        self.unsynced_lens.await_latest();
    }

    /// Saves what was done up to `until`.
    pub(super) fn sync(&mut self, until: u64) {
        let sectors = &mut self.sectors;
        self.unsynced.retain(|number| {
            let Some(sector) = sectors.get_mut(number) else {
                return false;
            };
            sector.unsynced.save(&mut sector.safe, until);
            !sector.unsynced.is_empty()
        });
        self.unsynced_lens.save(&mut self.safe_len, until);
    }

    /// Gives up what was written up to `until` and is not saved. The length of the file is kept with
    /// other files' metadata, in which nothing is given up.
    pub(super) fn fail_sync(&mut self, until: u64) {
        for number in &self.unsynced {
            if let Some(sector) = self.sectors.get_mut(number) {
                sector.unsynced.give_up(until);
            }
        }
    }

    /// What a crash leaves.
    pub(super) fn after_crash(&self, survival: &mut Surviving) -> Self {
        let len = *survival.pick(&self.safe_len, &self.len, &self.unsynced_lens);
        let mut left = Self {
            len,
            safe_len: len,
            ..Self::default()
        };
        for (&number, sector) in &self.sectors {
            let mut bytes = survival
                .pick(&sector.safe, &sector.now, &sector.unsynced)
                .clone();
            let begin = number * SECTOR_BYTES;
            let inside = usize::try_from(len.saturating_sub(begin)).unwrap_or(LEN);
            if let Some(bytes) = &mut bytes {
                bytes[inside.min(LEN)..].fill(0);
            }
            let has_space = sector.has_space || bytes.is_some();
            let sector = Sector {
                now: bytes.clone(),
                has_space,
                safe: bytes,
                unsynced: Versions::default(),
            };
            left.sectors.insert(number, sector);
        }
        left
    }
}

/// Decides what is left by a crash, sector by sector.
#[derive(Debug)]
pub(super) enum Surviving {
    Nothing,
    Everything,
    Some(Dice),
}

impl From<Survival> for Surviving {
    fn from(survival: Survival) -> Self {
        match survival {
            Survival::Nothing => Self::Nothing,
            Survival::Everything => Self::Everything,
            Survival::Sectors(seed) => Self::Some(Dice::new(seed)),
        }
    }
}

impl Surviving {
    fn pick<'a, T>(&mut self, safe: &'a T, now: &'a T, versions: &'a Versions<T>) -> &'a T {
        match self {
            Self::Nothing => safe,
            Self::Everything => now,
            Self::Some(_) if versions.is_empty() => safe,
            Self::Some(dice) => match dice.below(versions.len() + 1) {
                0 => safe,
                nth => versions.value(nth - 1),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(sectors: &Sectors) -> Vec<u8> {
        let mut bytes = vec![9; usize::try_from(sectors.len()).unwrap()];
        assert_eq!(sectors.read(0, &mut bytes), bytes.len());
        bytes
    }

    #[test]
    fn a_sync_saves_what_was_done_before_it_began() {
        let mut file = Sectors::default();
        file.write(1, 0, &[1; 700]);
        file.write(2, 600, &[2; 600]);
        file.sync(1);
        let left = file.after_crash(&mut Surviving::Nothing);
        assert_eq!(content(&left), [1; 700]);
        let left = file.after_crash(&mut Surviving::Everything);
        assert_eq!(content(&left), [[1; 600], [2; 600]].concat());
    }

    #[test]
    fn what_a_failed_sync_gave_up_is_not_saved_by_the_next() {
        let mut file = Sectors::default();
        file.write(1, 0, &[1; 512]);
        file.fail_sync(1);
        file.write(2, 512, &[2; 512]);
        file.sync(2);
        let left = file.after_crash(&mut Surviving::Nothing);
        assert_eq!(content(&left), [[0; 512], [2; 512]].concat());
        // A sector that is written again is saved as a whole.
        file.write(3, 0, &[3; 8]);
        file.sync(3);
        let left = content(&file.after_crash(&mut Surviving::Nothing));
        assert_eq!(left[..16], [[3; 8], [1; 8]].concat());
    }

    #[test]
    fn a_crash_leaves_each_sector_in_one_of_its_states() {
        let mut file = Sectors::default();
        file.write(1, 0, &[1; 1024]);
        file.sync(1);
        file.write(2, 0, &[2; 1024]);
        file.write(3, 0, &[3; 1024]);
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let left = content(&file.after_crash(&mut Surviving::Some(Dice::new(seed))));
            for sector in left.chunks(LEN) {
                assert!(
                    sector.iter().all(|byte| *byte == sector[0]),
                    "a torn sector"
                );
            }
            seen.insert((left[0], left[LEN]));
        }
        assert_eq!(seen.len(), 9, "every combination: {seen:?}");
    }

    #[test]
    fn zeroes_take_whole_sectors_away_and_parts_of_them_not() {
        let mut file = Sectors::default();
        file.write(1, 0, &[1; 2048]);
        file.zero(2, 100, 1024);
        assert_eq!(file.space(), 3);
        assert_eq!(file.without_space(0, 2048), 1);
        let expected = [&[1; 100][..], &[0; 1024], &[1; 924]].concat();
        assert_eq!(content(&file), expected);
        file.zero(3, 1 << 40, 1 << 40);
        assert_eq!(content(&file), expected);
    }

    #[test]
    fn what_does_not_fit_is_cut_at_a_sector() {
        let mut file = Sectors::default();
        file.write(1, 512, &[1; 512]);
        assert_eq!(file.fitting(100, 2000, 1), 924);
        assert_eq!(file.fitting(512, 512, 0), 512);
        assert_eq!(file.fitting(0, 512, 0), 0);
    }
}
