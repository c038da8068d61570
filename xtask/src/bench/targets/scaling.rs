//! The target over depths and contexts: what an I/O costs, and what a slot takes.

use super::super::record::{CellRecord, GroupRecord, Record};
use super::super::statistics::{Line, as_float, ratio};
use super::{Bound, State, Verdict};

const ID: &str = "P11";
const GROUP: &str = "scaling";
const NOP_GROUP: &str = "nop";
const NOP_ENGINE: &str = "loop-uring";
/// Flat, but for what two measurements of the same thing differ by.
const COST: Bound = Bound::AtMost(1.1);
/// How much of the memory a straight line must explain.
const MEMORY_FIT: f64 = 0.98;

pub(super) fn verdicts(record: &Record) -> Vec<Verdict> {
    let group = record.group(GROUP);
    let mut verdicts = Vec::new();
    for engine in ["loop-uring", "channel-uring"] {
        verdicts.push(over_depth(group, engine));
        verdicts.push(memory(group, engine));
    }
    // Without the memory that the reads of a deeper queue go to, which is the larger part of the rise.
    let nop = record.group(NOP_GROUP);
    verdicts.push(Verdict {
        what: format!("NOP, CPU per I/O over depth: {NOP_ENGINE} to its least at a lower depth"),
        ..over_depth(nop, NOP_ENGINE)
    });
    verdicts.push(over_contexts(group, "channel-uring"));
    verdicts
}

/// The cells of an engine with one context that have a result, by depth.
fn cells<'a>(group: Option<&'a GroupRecord>, engine: &str) -> Vec<&'a CellRecord> {
    let all = group.into_iter().flat_map(|group| &group.cells);
    let mut cells: Vec<&CellRecord> = all
        .filter(|cell| cell.engine == engine && cell.contexts == 1 && cell.summary.is_some())
        .collect();
    cells.sort_by_key(|cell| cell.depth);
    cells
}

fn cpu(cell: &CellRecord) -> Option<f64> {
    Some(cell.summary?.cpu_us_per_io.median)
}

/// The steepest rise: what an I/O costs at a depth, to the least it costs at a lower one.
fn steepest(cells: &[&CellRecord]) -> Option<(f64, usize)> {
    let mut least = cpu(cells.first()?)?;
    let mut steepest: Option<(f64, usize)> = None;
    for cell in &cells[1..] {
        let cost = cpu(cell)?;
        let rise = ratio(cost, least)?;
        if steepest.is_none_or(|(most, _)| rise > most) {
            steepest = Some((rise, cell.depth));
        }
        least = least.min(cost);
    }
    steepest
}

fn over_depth(group: Option<&GroupRecord>, engine: &str) -> Verdict {
    let what = format!("CPU per I/O over depth: {engine} to its least at a lower depth");
    let target = COST.text();
    let Some((rise, depth)) = steepest(&cells(group, engine)) else {
        return Verdict::not_measured(ID, what, target, "too few depths");
    };
    // The limit shows what of it is the machine's.
    let raw = steepest(&cells(group, "raw-uring"));
    let beside = raw.map_or(String::new(), |(rise, _)| format!("; raw-uring {rise:.2}"));
    Verdict {
        id: ID,
        what,
        target,
        measured: format!("{rise:.2} at depth {depth}{beside}"),
        state: State::of(COST.is_met(rise)),
    }
}

fn over_contexts(group: Option<&GroupRecord>, engine: &str) -> Verdict {
    let what = format!("CPU per I/O over contexts: {engine} with several to one");
    let target = COST.text();
    let all = || group.into_iter().flat_map(|group| &group.cells);
    let several = all().filter(|cell| cell.engine == engine && cell.contexts > 1);
    let rises = several.filter_map(|cell| {
        let one = group?.cell(engine, cell.depth)?;
        Some((ratio(cpu(cell)?, cpu(one)?)?, cell))
    });
    let Some((rise, cell)) = rises.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return Verdict::not_measured(ID, what, target, "no cells with several contexts");
    };
    Verdict {
        id: ID,
        what,
        target,
        measured: format!("{rise:.2} with {} at depth {}", cell.contexts, cell.depth),
        state: State::of(COST.is_met(rise)),
    }
}

fn memory(group: Option<&GroupRecord>, engine: &str) -> Verdict {
    let what = format!("peak memory over depth: {engine}");
    let target = format!("a line with a fit of at least {MEMORY_FIT}");
    let cells = cells(group, engine);
    let points = cells.iter().filter_map(|cell| {
        let bytes = cell.summary?.peak_mib? * 1024.0 * 1024.0;
        Some((as_float(cell.depth as u64), bytes))
    });
    let points: Vec<(f64, f64)> = points.collect();
    let line = Line::through(&points).filter(|_| points.len() > 2);
    let (Some(line), Some(group)) = (line, group) else {
        return Verdict::not_measured(ID, what, target, "too few depths");
    };
    let beside = line.slope - f64::from(group.block);
    Verdict {
        id: ID,
        what,
        target,
        measured: format!(
            "{:.0} bytes per slot, {beside:.0} beside its buffer; fit {:.3}",
            line.slope, line.fit
        ),
        state: State::of(line.fit >= MEMORY_FIT),
    }
}
