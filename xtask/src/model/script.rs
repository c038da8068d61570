//! What a sender does: a list of operations that follows from dice, whatever the engine does meanwhile.

use std::ops::Range;

use io_engine::sim::Dice;
use io_engine::tasks::IOAction;

use super::operation::{Memory, Operation};

/// What the file allows.
#[derive(Clone, Debug)]
pub(crate) struct Abilities {
    /// Offsets and lengths are multiples of so many bytes.
    pub(crate) unit: usize,
    /// The allocating actions that its file system has.
    pub(crate) allocations: Vec<IOAction>,
}

/// Bytes of one transfer, and one in how many is at most that long: mostly short ones, so that much is
/// under way without being in each other's way.
const LENGTHS: [(usize, usize); 4] = [(1024, 2), (4096, 2), (16 * 1024, 8), (64 * 1024, 1)];

/// A page of the page cache and of memory.
const PAGE: usize = 4096;

/// How often what costs the device itself is done: one in so many.
const SYNC_ONE_IN: usize = 400;
const ALLOCATION_ONE_IN: usize = 40;

/// `count` operations in `share`, a part of the file that nobody else writes to.
pub(crate) fn operations(
    dice: &mut Dice,
    share: &Range<usize>,
    count: usize,
    abilities: &Abilities,
) -> Vec<Operation> {
    let mut operations = Vec::with_capacity(count);
    while operations.len() < count {
        let action = action(dice, abilities);
        let in_a_row = match action.moves_bytes() && dice.one_in(4) {
            true => 2 + dice.below(6),
            false => 1,
        };
        let mut begin = place(dice, share, abilities.unit);
        for _ in 0..in_a_row.min(count - operations.len()) {
            let len = len(dice, abilities.unit).min(share.end - begin);
            if len == 0 {
                break;
            }
            operations.push(Operation {
                action,
                begin,
                len,
                memory: memory(dice, action, abilities.unit),
                tag: dice.number(),
            });
            begin += len;
        }
    }
    operations
}

fn action(dice: &mut Dice, abilities: &Abilities) -> IOAction {
    if dice.one_in(SYNC_ONE_IN) {
        return [IOAction::Sync, IOAction::DataSync][dice.below(2)];
    }
    let allocations = &abilities.allocations;
    if dice.one_in(ALLOCATION_ONE_IN) && !allocations.is_empty() {
        return allocations[dice.below(allocations.len())];
    }
    match dice.below(41) {
        0 => IOAction::Nop,
        1..=20 => IOAction::Read,
        _ => IOAction::Write,
    }
}

fn place(dice: &mut Dice, share: &Range<usize>, unit: usize) -> usize {
    let unit = match dice.one_in(4) {
        true => unit.max(PAGE),
        false => unit,
    };
    // The share itself may begin anywhere.
    let first = share.start.next_multiple_of(unit);
    match share.end.saturating_sub(first) / unit {
        0 => share.start,
        places => first + dice.below(places) * unit,
    }
}

fn len(dice: &mut Dice, unit: usize) -> usize {
    let step = LENGTHS.iter().find(|(_, one_in)| dice.one_in(*one_in));
    let (bytes_max, _) = step.unwrap_or(&LENGTHS[1]);
    let units = 1 + dice.below((bytes_max / unit).max(1));
    units * unit
}

/// To map pages for a buffer costs more than all the rest, so the guarded ones are few.
fn memory(dice: &mut Dice, action: IOAction, unit: usize) -> Memory {
    let kind = dice.below(8);
    if unit > 1 {
        return [Memory::Guarded, Memory::Aligned][usize::from(kind > 0)];
    }
    match kind {
        0 => Memory::Guarded,
        1 | 2 => Memory::Aligned,
        3 => Memory::BytesMut,
        4 if action == IOAction::Write => Memory::Bytes,
        _ => Memory::Vec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(unit: usize) -> Abilities {
        Abilities {
            unit,
            allocations: vec![IOAction::PunchHole, IOAction::ZeroRange],
        }
    }

    #[test]
    fn the_same_dice_give_the_same_script_and_others_another() {
        let script = |seed| operations(&mut Dice::new(seed), &(100..9000), 500, &abilities(1));
        assert_eq!(script(1), script(1));
        assert_ne!(script(1), script(2));
    }

    #[test]
    fn it_stays_in_its_share_and_on_the_grid() {
        for (unit, share) in [(1, 1001..5003), (512, 512..100_352), (4096, 0..8192)] {
            let script = operations(&mut Dice::new(3), &share, 2000, &abilities(unit));
            assert_eq!(script.len(), 2000);
            for operation in script {
                let Operation { begin, len, .. } = operation;
                assert!(len > 0 && share.start <= begin && begin + len <= share.end);
                assert!(begin % unit == 0 && len % unit == 0, "{operation:?}");
            }
        }
    }

    #[test]
    fn everything_that_the_file_allows_comes_up_and_nothing_else() {
        let script = operations(&mut Dice::new(4), &(0..1 << 20), 20_000, &abilities(1));
        let has = |action| script.iter().any(|operation| operation.action == action);
        for action in [
            IOAction::Read,
            IOAction::Write,
            IOAction::Sync,
            IOAction::DataSync,
            IOAction::PunchHole,
            IOAction::ZeroRange,
            IOAction::Nop,
        ] {
            assert!(has(action), "{action:?}");
        }
        assert!(!has(IOAction::Allocate));
    }
}
