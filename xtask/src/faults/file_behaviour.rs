//! What a file of the failing file system does, told by its name.

use std::time::Duration;

use io_engine_core::sim::Dice;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// How a file treats those who read and write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As a file should.
    Sound,
    /// `rand`: some calls whole, some short, some failing, as the dice fall.
    AtRandom,
    /// `short_N`: no call moves more than so many bytes.
    Short { bytes: u32 },
    /// `eio_K`: each K-th call fails.
    FailsEach { calls: u64 },
    /// `delay_N`: each call takes up to so many milliseconds, so that answers overtake each other.
    Late { at_most: Duration },
    /// `enospc_N`: there is no room behind so many bytes.
    FullFrom { bytes: u64 },
    /// `sync_K`: each K-th sync fails.
    SyncFailsEach { syncs: u64 },
    /// `hang`: no call is answered, and no sync.
    Hangs,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Whole,
    Part(u32),
    Fails(Errno),
    Late(Duration),
    Never,
}

/// One call, as far as a behaviour looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) is_write: bool,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
    /// How many reads and writes of this file there were before.
    pub(crate) before: u64,
}

/// What has been done to callers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Injected {
    /// Calls that were looked at, unharmed ones among them.
    pub(crate) calls: u64,
    pub(crate) short: u64,
    pub(crate) eio: u64,
    pub(crate) enospc: u64,
    pub(crate) late: u64,
    pub(crate) hung: u64,
    pub(crate) hung_syncs: u64,
    pub(crate) failed_syncs: u64,
}

impl Injected {
    /// Faults of every kind.
    pub(crate) fn total(&self) -> u64 {
        let transfers = self.short + self.eio + self.enospc + self.late + self.hung;
        transfers + self.failed_syncs + self.hung_syncs
    }

    /// Adds what became of one call.
    pub(crate) fn count(&mut self, verdict: Verdict) {
        self.calls += 1;
        match verdict {
            Verdict::Whole => {}
            Verdict::Part(_) => self.short += 1,
            Verdict::Fails(Errno::NOSPC) => self.enospc += 1,
            Verdict::Fails(_) => self.eio += 1,
            Verdict::Late(_) => self.late += 1,
            Verdict::Never => self.hung += 1,
        }
    }
}

impl Behaviour {
    /// What the name asks for, up to its first dot. A name that asks for nothing is a sound file.
    pub(crate) fn of(name: &str) -> Self {
        let stem = name.split('.').next().unwrap_or(name);
        let (kind, number) = stem.split_once('_').unwrap_or((stem, ""));
        let number = number.parse::<u64>();
        match (kind, number) {
            ("rand", _) => Self::AtRandom,
            ("hang", _) => Self::Hangs,
            ("short", Ok(bytes)) => Self::Short {
                bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            },
            ("eio", Ok(calls)) if calls > 0 => Self::FailsEach { calls },
            ("delay", Ok(milliseconds)) => Self::Late {
                at_most: Duration::from_millis(milliseconds),
            },
            ("enospc", Ok(bytes)) => Self::FullFrom { bytes },
            ("sync", Ok(syncs)) if syncs > 0 => Self::SyncFailsEach { syncs },
            _ => Self::Sound,
        }
    }

    /// What becomes of a read or a write.
    pub(crate) fn judge(self, call: Call, dice: &mut Dice) -> Verdict {
        match self {
            Self::Sound | Self::SyncFailsEach { .. } => Verdict::Whole,
            Self::AtRandom => match dice.below(8) {
                0 => Verdict::Fails(Errno::IO),
                1..=3 if call.bytes > 1 => part(call.bytes, dice),
                _ => Verdict::Whole,
            },
            Self::Short { bytes } if call.bytes > bytes => Verdict::Part(bytes),
            Self::Short { .. } => Verdict::Whole,
            Self::FailsEach { calls } if (call.before + 1).is_multiple_of(calls) => {
                Verdict::Fails(Errno::IO)
            }
            Self::FailsEach { .. } => Verdict::Whole,
            Self::Late { at_most } => {
                let bound = usize::try_from(at_most.as_micros()).unwrap_or(usize::MAX);
                let micros = dice.below(bound.max(1)) as u64;
                Verdict::Late(Duration::from_micros(micros))
            }
            Self::FullFrom { bytes } => room(bytes, call),
            Self::Hangs => Verdict::Never,
        }
    }

    /// What becomes of a sync that comes after `before` others.
    pub(crate) fn judge_sync(self, before: u64) -> Verdict {
        match self {
            Self::SyncFailsEach { syncs } if (before + 1).is_multiple_of(syncs) => {
                Verdict::Fails(Errno::IO)
            }
            Self::Hangs => Verdict::Never,
            Self::SyncFailsEach { .. }
            | Self::Sound
            | Self::AtRandom
            | Self::Short { .. }
            | Self::FailsEach { .. }
            | Self::Late { .. }
            | Self::FullFrom { .. } => Verdict::Whole,
        }
    }
}

/// Some bytes, and not none: that would be the end of the file.
fn part(bytes: u32, dice: &mut Dice) -> Verdict {
    let most = usize::try_from(bytes - 1).unwrap_or(usize::MAX);
    Verdict::Part(u32::try_from(1 + dice.below(most)).unwrap_or(1))
}

fn room(bytes: u64, call: Call) -> Verdict {
    let left = bytes.saturating_sub(call.offset);
    match u32::try_from(left) {
        _ if !call.is_write => Verdict::Whole,
        Ok(0) => Verdict::Fails(Errno::NOSPC),
        Ok(left) if left < call.bytes => Verdict::Part(left),
        _ => Verdict::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call = Call {
        is_write: true,
        offset: 0,
        bytes: 4096,
        before: 0,
    };

    fn verdicts(name: &str) -> Vec<Verdict> {
        let mut dice = Dice::new(1);
        let calls = (0..1000).map(|before| Call { before, ..CALL });
        calls
            .map(|call| Behaviour::of(name).judge(call, &mut dice))
            .collect()
    }

    #[test]
    fn a_name_tells_what_its_file_does() {
        for (name, behaviour) in [
            ("plain", Behaviour::Sound),
            ("rand_1", Behaviour::AtRandom),
            ("short_0.data", Behaviour::Short { bytes: 0 }),
            ("eio_3", Behaviour::FailsEach { calls: 3 }),
            ("enospc_65536", Behaviour::FullFrom { bytes: 65536 }),
            ("sync_2", Behaviour::SyncFailsEach { syncs: 2 }),
            ("hang", Behaviour::Hangs),
            ("eio_0", Behaviour::Sound),
            ("short_many", Behaviour::Sound),
        ] {
            assert_eq!(Behaviour::of(name), behaviour, "{name}");
        }
    }

    #[test]
    fn chance_brings_every_kind_and_never_a_false_end_of_file() {
        let got = verdicts("rand_1");
        let count = |is: fn(&Verdict) -> bool| got.iter().filter(|verdict| is(verdict)).count();
        let failing = count(|verdict| matches!(verdict, Verdict::Fails(Errno::IO)));
        let short = count(|verdict| matches!(verdict, Verdict::Part(1..4096)));
        let whole = count(|verdict| *verdict == Verdict::Whole);
        assert!(failing > 50 && short > 200 && whole > 300, "{got:?}");
        assert_eq!(failing + short + whole, got.len());
        assert_eq!(got, verdicts("rand_1"), "the seed decides");
    }

    #[test]
    fn each_kth_call_fails_and_each_kth_sync() {
        let got = verdicts("eio_10");
        let failing = got.iter().filter(|verdict| **verdict != Verdict::Whole);
        assert_eq!(failing.count(), 100);
        let fails = |before: &u64| Behaviour::of("sync_2").judge_sync(*before) != Verdict::Whole;
        let syncs = (0..10).filter(fails);
        assert_eq!(syncs.collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    }

    #[test]
    fn a_full_file_takes_what_fits_and_is_still_read() {
        let full = Behaviour::of("enospc_5000");
        let at = |offset, is_write| {
            let call = Call {
                offset,
                is_write,
                ..CALL
            };
            full.judge(call, &mut Dice::new(1))
        };
        assert_eq!(at(0, true), Verdict::Whole);
        assert_eq!(at(4096, true), Verdict::Part(904));
        assert_eq!(at(8192, true), Verdict::Fails(Errno::NOSPC));
        assert_eq!(at(8192, false), Verdict::Whole);
    }

    #[test]
    fn every_fault_is_counted_and_what_is_none_is_not() {
        let mut injected = Injected::default();
        for verdict in [
            Verdict::Whole,
            Verdict::Part(1),
            Verdict::Fails(Errno::IO),
            Verdict::Fails(Errno::NOSPC),
            Verdict::Late(Duration::ZERO),
            Verdict::Never,
        ] {
            injected.count(verdict);
        }
        assert_eq!((injected.calls, injected.total()), (6, 5));
    }
}
