//! What to see at the first glance: a few numbers, large.

use maud::{Markup, html};

use super::super::engine_name::Kind;
use super::super::record::{Record, Summary};
use super::super::statistics::ratio;
use super::super::targets::{State, Verdict};
use super::super::units::{percent, short};

struct Tile {
    number: String,
    what: String,
}

pub(crate) fn tiles(record: &Record, verdicts: &[Verdict]) -> Markup {
    let tiles = [
        Some(targets(verdicts)),
        of_raw(record, "page-cache", "page cache"),
        of_raw(record, "direct", "disk, O_DIRECT"),
        fastest(record),
        nop(record),
        calls(record),
    ];
    html! {
        div.tiles {
            @for tile in tiles.into_iter().flatten() {
                div.tile { p.number { (tile.number) } p { (tile.what) } }
            }
        }
    }
}

fn targets(verdicts: &[Verdict]) -> Tile {
    let count = |state| {
        verdicts
            .iter()
            .filter(|verdict| verdict.state == state)
            .count()
    };
    let (met, missed) = (count(State::Met), count(State::Missed));
    Tile {
        number: format!("{met} of {}", met + missed),
        what: format!(
            "targets met, {} not measured in this run",
            count(State::NotMeasured)
        ),
    }
}

const DEPTH: usize = 128;

fn summary(record: &Record, group: &str, engine: &str) -> Option<Summary> {
    record.group(group)?.cell(engine, DEPTH)?.summary
}

fn of_raw(record: &Record, group: &str, place: &str) -> Option<Tile> {
    let own = summary(record, group, "inline-uring")?.iops.median;
    let raw = summary(record, group, "raw-uring")?.iops.median;
    Some(Tile {
        number: percent(ratio(own, raw)?),
        what: format!(
            "of a bare ring's IOPS: {place}, depth {DEPTH}, callback on the engine's thread"
        ),
    })
}

/// The most that any path of ours did with real reads or writes.
fn fastest(record: &Record) -> Option<Tile> {
    let own = record
        .cells()
        .filter(|(group, cell)| cell.kind == Kind::Own && group.block > 0);
    let valued = own.filter_map(|(group, cell)| Some((group, cell, cell.summary?.iops.median)));
    let (group, cell, iops) = valued.max_by(|(_, _, a), (_, _, b)| a.total_cmp(b))?;
    Some(Tile {
        number: short(iops),
        what: format!(
            "IOPS at best: {}, {}, depth {}",
            cell.label(),
            group.name,
            cell.depth
        ),
    })
}

fn nop(record: &Record) -> Option<Tile> {
    let own = ratio(1e9, summary(record, "nop", "inline-uring")?.iops.median)?;
    let raw = ratio(1e9, summary(record, "nop", "raw-uring")?.iops.median)?;
    Some(Tile {
        number: format!("{:.0} ns", own - raw),
        what: format!("the engine's own cost of an I/O: NOP above a bare ring, depth {DEPTH}"),
    })
}

fn calls(record: &Record) -> Option<Tile> {
    let calls = summary(record, "page-cache", "channel-uring")?.calls_per_io?;
    Some(Tile {
        number: short(calls),
        what: format!("system calls per I/O: page cache through a channel, depth {DEPTH}"),
    })
}
