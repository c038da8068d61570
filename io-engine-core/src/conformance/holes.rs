//! Runs with holes between the reads, and with reads that lie within another one.

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::{Guards, Random, assert_same, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::event::IOEvent;
use crate::run_pool::RunPool;
use crate::scratch::Scratch;

/// One read, in units of a block.
struct Part {
    at: usize,
    len: usize,
    leader: Option<usize>,
}

const fn own(at: usize, len: usize) -> Part {
    Part {
        at,
        len,
        leader: None,
    }
}

const fn within(leader: usize, at: usize, len: usize) -> Part {
    Part {
        at,
        len,
        leader: Some(leader),
    }
}

const PARTS: [Part; 7] = [
    own(1, 2),
    own(3, 1),
    own(6, 4),
    own(11, 1),
    within(2, 7, 2),
    within(0, 1, 2),
    within(3, 11, 1),
];

/// Each read has its bytes and no other, wherever the file ends, and the memory of the run and of the
/// holes is used by several at once and again.
pub fn a_run_with_holes_and_shared_reads_gives_each_its_own_bytes<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let block = bench.fit(1000);
    let scratch = Scratch::new(3 * block).expect("there is memory");
    let pool = RunPool::with_capacity(4);
    let mut random = Random::new(12);
    for blocks in [20, 12, 11, 9, 8, 5, 2, 0] {
        let content = random.bytes(blocks * block);
        let file = bench.file(&content);
        let mut pump = bench.pump(3);
        let mut all = Vec::new();
        for _ in 0..4 {
            let mut run = pool.take().expect("there is memory");
            for part in &PARTS {
                let (buffer, guards) = Guards::around(part.len * block, 0xee);
                let offset = offset_of(part.at * block);
                let mut read = IOEvent::new(file.file(), buffer, IOAction::Read, offset);
                all.push((pump.attach(&mut read), part, guards));
                let pushed = match part.leader {
                    Some(leader) => run.push_sharing(read, leader),
                    None => run.push_over_hole(read, &scratch),
                };
                pushed.expect("it joins the run");
            }
            pump.submit_request(run.into_request().expect("it has events"));
        }
        pump.run();
        for (id, part, guards) in all {
            let event = pump.take(id);
            let (at, len) = (part.at * block, part.len * block);
            let there = content.len().saturating_sub(at).min(len);
            assert_eq!(event.get_result().ok(), Some(there), "{blocks} blocks");
            assert_eq!(event.is_end_of_file(), there < len);
            let buffer = event.get_read_result().expect("no error");
            assert_same(&buffer, content.get(at..at + there).unwrap_or_default());
            guards.assert_untouched();
        }
    }
}
