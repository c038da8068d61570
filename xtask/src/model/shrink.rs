//! From a round that fails to a small one that still does.

use std::time::{Duration, Instant};

use super::round::{Ending, Feed, Merge, Round, Way};

/// How long it may look for a smaller one.
const LIMIT: Duration = Duration::from_secs(20);

/// Simpler settings, the simplest last.
const SIMPLER: [fn(&mut Round); 10] = [
    |round| round.ending = Ending::Drained,
    |round| round.contexts = 1,
    |round| round.feed = Feed::Channel,
    |round| round.merge = Merge::Plain,
    |round| round.merge = Merge::No,
    |round| round.reports_short = false,
    |round| round.way = Way::Inline,
    |round| {
        round.way = Way::Loop;
        round.ending = Ending::Drained;
    },
    |round| round.window = 1,
    |round| round.depth = 1,
];

/// The smallest round that was found in time for which `fails` is true, as it is for `round`.
pub(crate) fn shrink(round: &Round, fails: &mut dyn FnMut(&Round) -> bool) -> Round {
    let mut search = Search {
        smallest: round.clone(),
        fails,
        until: Instant::now() + LIMIT,
    };
    search.simplify();
    search.remove_operations();
    search.simplify();
    search.smallest
}

struct Search<'a> {
    smallest: Round,
    fails: &'a mut dyn FnMut(&Round) -> bool,
    until: Instant,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Keeps `round` if it fails as well.
    fn keeps(&mut self, round: Round) -> bool {
        let is_new = round != self.smallest;
        let keeps = is_new && !self.is_over() && (self.fails)(&round);
        if keeps {
            self.smallest = round;
        }
        keeps
    }

    fn simplify(&mut self) {
        for simplify in SIMPLER {
            let mut simpler = self.smallest.clone();
            simplify(&mut simpler);
            self.keeps(simpler);
        }
    }

    /// Leaves out ever smaller pieces, as long as any can be left out.
    fn remove_operations(&mut self) {
        let mut piece = self.smallest.operation_count().div_ceil(2);
        while piece > 0 && !self.is_over() {
            let has_removed = self.remove_pieces(piece);
            match piece {
                1 if has_removed => {}
                1 => return,
                _ => piece = piece.div_ceil(2),
            }
        }
    }

    fn remove_pieces(&mut self, piece: usize) -> bool {
        let mut has_removed = false;
        let mut begin = 0;
        while begin < self.smallest.operation_count() && !self.is_over() {
            match self.keeps(without(&self.smallest, begin, piece)) {
                true => has_removed = true,
                false => begin += piece,
            }
        }
        has_removed
    }
}

/// The round without `count` operations from the `begin`-th on, counted through all senders.
fn without(round: &Round, begin: usize, count: usize) -> Round {
    let mut smaller = round.clone();
    let mut number = 0;
    for script in &mut smaller.senders {
        script.operations.retain(|_| {
            number += 1;
            !(begin < number && number <= begin + count)
        });
    }
    smaller
}
