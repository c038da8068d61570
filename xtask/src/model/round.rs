//! A round: an engine from its beginning to its end, and what it is asked meanwhile. It is planned from a
//! seed, and can be written down and run again.

use std::ops::Range;

use io_engine::merge::MergeLimits;
use io_engine::sim::Dice;
use serde::{Deserialize, Serialize};

use super::operation::Operation;
use super::script::{self, Abilities};

/// Everything that happens follows from it, but for what threads and devices make of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) way: Way,
    pub(crate) feed: Feed,
    pub(crate) merge: Merge,
    /// Of each context or loop.
    pub(crate) depth: usize,
    /// The most events of one sender that are under way.
    pub(crate) window: usize,
    /// So many contexts, or loops, on the same file.
    pub(crate) contexts: usize,
    pub(crate) ending: Ending,
    /// Short transfers come back and are handed over again, in place of being resumed by the engine.
    pub(crate) reports_short: bool,
    /// How long the file is at first.
    pub(crate) begin_bytes: usize,
    /// How long it becomes at most.
    pub(crate) file_bytes: usize,
    pub(crate) senders: Vec<Script>,
}

/// What one sender does, in its part of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) share: Range<usize>,
    pub(crate) operations: Vec<Operation>,
}

/// Who runs the loop and who calls the callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// An `EventLoop`: the caller's thread, which is every sender in turns.
    Loop,
    /// A context that calls callbacks on its own thread.
    Inline,
    /// A context that leaves callbacks to a pool.
    Workers,
}

/// What a context is fed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feed {
    /// The engine's own channel.
    Channel,
    /// A plain crossbeam receiver.
    Crossbeam,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Merge {
    No,
    Plain,
    /// Reads over holes, and shared by those who want the same bytes.
    OverGaps,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// When every callback was called.
    Drained,
    /// With work in flight, after the last event was handed over.
    Shutdown,
    /// The same, by dropping it.
    Dropped,
    /// While senders go on sending.
    Racing,
    /// All senders go away first.
    Deserted,
}

impl Merge {
    pub(crate) fn limits(self) -> Option<MergeLimits> {
        let limits = MergeLimits::default();
        match self {
            Self::No => None,
            Self::Plain => Some(limits),
            Self::OverGaps => Some(limits.with_gap_bytes_max(4096).sharing_reads()),
        }
    }
}

/// What the rounds of a run have in common; `None` is left to the dice.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) way: Option<Way>,
    pub(crate) merges: Option<bool>,
    /// Whether a round that merges may read over holes.
    pub(crate) has_gaps: bool,
    pub(crate) depth: Option<usize>,
    pub(crate) senders: Option<usize>,
    /// A round has up to so many operations.
    pub(crate) operations_max: usize,
    /// The length of a file that cannot be given another.
    pub(crate) fixed_bytes: Option<usize>,
}

const DEPTHS: [usize; 7] = [1, 2, 3, 7, 16, 64, 128];
const SENDERS_MAX: usize = 4;
const WINDOW_MAX: usize = 64;
const FILE_BYTES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// A file has at most so many bytes for each operation, else most of it is never touched.
const OPERATION_BYTES: usize = 700;

/// Of a file whose length cannot be changed, so much is used.
pub(crate) const FIXED_BYTES_MAX: usize = 1 << 20;

/// The round that belongs to `seed`, with `operations` at the most.
pub(crate) fn plan(seed: u64, operations: usize, wishes: &Wishes, abilities: &Abilities) -> Round {
    let dice = &mut Dice::new(seed);
    let way = wishes
        .way
        .unwrap_or([Way::Loop, Way::Inline, Way::Workers][dice.below(3)]);
    let feed = [Feed::Channel, Feed::Channel, Feed::Crossbeam][dice.below(3)];
    let any_bytes = FILE_BYTES[dice.below(FILE_BYTES.len())];
    let touched = (wishes.operations_max * OPERATION_BYTES).next_power_of_two();
    let file_bytes = wishes.fixed_bytes.unwrap_or(any_bytes.min(touched));
    let begin_bytes = match wishes.fixed_bytes {
        Some(bytes) => bytes,
        None if dice.one_in(2) => file_bytes,
        None => dice.below(file_bytes / abilities.unit) * abilities.unit,
    };
    let most = operations.min(wishes.operations_max);
    let count = (most / 4 + dice.below(most)).clamp(1, most);
    let senders = wishes.senders.unwrap_or(1 + dice.below(SENDERS_MAX));
    let any_depth = DEPTHS[dice.below(DEPTHS.len())];
    Round {
        seed,
        way,
        feed,
        merge: merge(dice, wishes),
        depth: wishes.depth.unwrap_or(any_depth),
        window: 1 + dice.below(WINDOW_MAX),
        contexts: (1 + usize::from(dice.one_in(3))).min(senders),
        ending: ending(dice, way, feed),
        reports_short: dice.one_in(4),
        begin_bytes,
        file_bytes,
        senders: scripts(dice, senders, count, file_bytes, abilities),
    }
}

fn merge(dice: &mut Dice, wishes: &Wishes) -> Merge {
    let (over_gaps, either) = (dice.below(2) == 1, dice.one_in(2));
    match wishes.merges.unwrap_or(either) {
        true if over_gaps && wishes.has_gaps => Merge::OverGaps,
        true => Merge::Plain,
        false => Merge::No,
    }
}

fn ending(dice: &mut Dice, way: Way, feed: Feed) -> Ending {
    let any = dice.below(5);
    match (way, feed) {
        // Nobody sends while the caller's thread ends a loop, and there is nobody to go away.
        (Way::Loop, _) => [Ending::Drained, Ending::Dropped][any.min(1)],
        (_, Feed::Channel) => [
            Ending::Drained,
            Ending::Shutdown,
            Ending::Dropped,
            Ending::Racing,
            Ending::Deserted,
        ][any],
        // An event that is sent in the very instant in which a plain receiver goes away is lost, as
        // the documentation says, so nobody sends then.
        (_, Feed::Crossbeam) => [
            Ending::Drained,
            Ending::Shutdown,
            Ending::Shutdown,
            Ending::Dropped,
            Ending::Deserted,
        ][any],
    }
}

fn scripts(
    dice: &mut Dice,
    senders: usize,
    count: usize,
    file_bytes: usize,
    abilities: &Abilities,
) -> Vec<Script> {
    let units = file_bytes / abilities.unit;
    let edge = |sender: usize| units * sender / senders * abilities.unit;
    let scripts = (0..senders).map(|sender| {
        let share = edge(sender)..edge(sender + 1);
        let own = count * (sender + 1) / senders - count * sender / senders;
        let mut own_dice = Dice::new(dice.number());
        Script {
            operations: script::operations(&mut own_dice, &share, own, abilities),
            share,
        }
    });
    scripts.collect()
}

impl Round {
    pub(crate) fn operation_count(&self) -> usize {
        let counts = self.senders.iter().map(|script| script.operations.len());
        counts.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes() -> Wishes {
        Wishes {
            way: None,
            merges: None,
            has_gaps: true,
            depth: None,
            senders: None,
            operations_max: 300,
            fixed_bytes: None,
        }
    }

    fn abilities() -> Abilities {
        Abilities {
            unit: 1,
            allocations: Vec::new(),
        }
    }

    #[test]
    fn a_seed_has_one_plan_and_its_shares_do_not_overlap() {
        for seed in 0..50 {
            let round = plan(seed, 1000, &wishes(), &abilities());
            assert_eq!(round, plan(seed, 1000, &wishes(), &abilities()));
            let shares: Vec<_> = round.senders.iter().map(|script| &script.share).collect();
            assert_eq!(shares[0].start, 0);
            assert_eq!(shares[shares.len() - 1].end, round.file_bytes);
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!((1..=300).contains(&round.operation_count()));
        }
    }

    #[test]
    fn what_is_wished_is_planned() {
        let mut wishes = wishes();
        wishes.way = Some(Way::Workers);
        wishes.merges = Some(true);
        wishes.depth = Some(9);
        wishes.senders = Some(3);
        for seed in 0..20 {
            let round = plan(seed, 5, &wishes, &abilities());
            assert_eq!((round.way, round.depth), (Way::Workers, 9));
            assert_eq!(round.senders.len(), 3);
            assert!(round.merge.limits().is_some() && round.operation_count() <= 5);
            wishes.has_gaps = false;
            let round = plan(seed, 5, &wishes, &abilities());
            assert_eq!(round.merge, Merge::Plain);
            wishes.has_gaps = true;
        }
    }

    #[test]
    fn it_is_written_down_and_read_again() {
        let round = plan(1, 100, &wishes(), &abilities());
        let text = serde_json::to_string(&round).unwrap();
        assert_eq!(serde_json::from_str::<Round>(&text).unwrap(), round);
    }
}
