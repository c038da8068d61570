//! The targets that compare two engines at one depth.

use super::super::engine_name::Kind;
use super::super::merge_groups::DEPTH as MERGE_DEPTH;
use super::super::record::{CellRecord, GroupRecord, Record};
use super::super::statistics::ratio;
use super::{Bound, State, Verdict};

/// One of our engines against the best of some others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratio {
    id: &'static str,
    group: &'static str,
    depth: usize,
    of: Quantity,
    own: &'static str,
    others: Others,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Iops,
    CpuPerIo,
}

#[derive(Clone, Copy, Debug)]
enum Others {
    /// Those of them that are in the run.
    Named(&'static [&'static str]),
    /// Every engine of the run, ours as well.
    All,
}

const fn iops(
    id: &'static str,
    (group, depth): (&'static str, usize),
    own: &'static str,
    others: &'static [&'static str],
    least: f64,
) -> Ratio {
    Ratio {
        id,
        group,
        depth,
        of: Quantity::Iops,
        own,
        others: Others::Named(others),
        bound: Bound::AtLeast(least),
    }
}

const fn cpu(
    id: &'static str,
    place: (&'static str, usize),
    own: &'static str,
    others: &'static [&'static str],
    most: f64,
) -> Ratio {
    Ratio {
        of: Quantity::CpuPerIo,
        bound: Bound::AtMost(most),
        ..iops(id, place, own, others, 0.0)
    }
}

const CACHE: &str = "page-cache";
const RAW: &[&str] = &["raw-uring"];
const AHEAD_OF: &[&str] = &["compio", "tokio-uring", "monoio", "fio-uring"];
const BEFORE_US: &[&str] = &["io-engine-0.12-uring"];
const WORKERS_BEFORE_US: [&[&str]; 2] = [
    &["io-engine-0.12-workers-uring"],
    &["io-engine-0.12-workers-aio"],
];

const MERGED_WRITE: (&str, usize) = ("merge-write", MERGE_DEPTH);
const MERGED_READ: (&str, usize) = ("merge-read", MERGE_DEPTH);
const MERGING: &str = "loop-merge-uring";
const UNMERGED: &[&str] = &["loop-uring"];
const IN_MEBIBYTES: &[&str] = &["raw-uring-1m"];
const MERGED_BEFORE_US: &[&str] = &["io-engine-0.12-merge-uring", "io-engine-0.12-merge-aio"];

pub(super) const RATIOS: [Ratio; 37] = [
    iops("P1", (CACHE, 32), "inline-uring", RAW, 0.95),
    iops("P1", (CACHE, 128), "inline-uring", RAW, 0.95),
    iops("P1", (CACHE, 32), "inline-uring", AHEAD_OF, 1.0),
    iops("P1", (CACHE, 128), "inline-uring", AHEAD_OF, 1.0),
    iops("P2", (CACHE, 1), "loop-auto", RAW, 0.90),
    iops("P2", (CACHE, 1), "loop-uring", RAW, 0.90),
    iops("P3", (CACHE, 1), "channel-uring", BEFORE_US, 10.0),
    iops("P3", (CACHE, 32), "channel-uring", BEFORE_US, 1.5),
    iops("P3", (CACHE, 128), "channel-uring", BEFORE_US, 1.15),
    cpu("P3", (CACHE, 1), "channel-uring", BEFORE_US, 1.0),
    cpu("P3", (CACHE, 32), "channel-uring", BEFORE_US, 1.0),
    cpu("P3", (CACHE, 128), "channel-uring", BEFORE_US, 1.0),
    iops(
        "P4",
        ("direct", 128),
        "inline-uring",
        &["raw-uring", "raw-uring-batch", "fio-uring"],
        0.97,
    ),
    cpu("P4", ("direct", 128), "inline-uring", RAW, 1.15),
    iops("P5", ("direct", 128), "inline-aio", &["fio-libaio"], 0.97),
    cpu("P5", ("direct", 128), "inline-aio", &["raw-aio"], 1.3),
    Ratio {
        others: Others::All,
        ..iops("P6", ("zram", 128), "inline-auto", &[], 0.95)
    },
    iops(
        "P10",
        (CACHE, 128),
        "plain-uring",
        WORKERS_BEFORE_US[0],
        1.0,
    ),
    iops(
        "P10",
        ("direct", 128),
        "plain-uring",
        WORKERS_BEFORE_US[0],
        1.0,
    ),
    iops("P10", (CACHE, 128), "plain-aio", WORKERS_BEFORE_US[1], 1.0),
    iops(
        "P10",
        ("direct", 128),
        "plain-aio",
        WORKERS_BEFORE_US[1],
        1.0,
    ),
    iops("M1", MERGED_WRITE, MERGING, IN_MEBIBYTES, 0.85),
    iops("M1", MERGED_READ, MERGING, IN_MEBIBYTES, 0.85),
    iops("M2", MERGED_WRITE, MERGING, UNMERGED, 3.0),
    iops("M2", MERGED_READ, MERGING, UNMERGED, 1.8),
    cpu("M3", MERGED_WRITE, MERGING, UNMERGED, 1.0),
    cpu("M3", MERGED_READ, MERGING, UNMERGED, 1.0),
    iops("M4", MERGED_WRITE, MERGING, MERGED_BEFORE_US, 1.5),
    iops("M4", MERGED_READ, MERGING, MERGED_BEFORE_US, 1.5),
    iops("M5", ("merge-random", 128), MERGING, UNMERGED, 0.97),
    iops("M5", ("merge-random-cached", 128), MERGING, UNMERGED, 0.97),
    iops("M6", ("merge-write-4", MERGE_DEPTH), MERGING, UNMERGED, 1.0),
    iops(
        "M6",
        ("merge-write-16", MERGE_DEPTH),
        MERGING,
        UNMERGED,
        1.0,
    ),
    iops(
        "M6",
        ("merge-write-256", MERGE_DEPTH),
        MERGING,
        UNMERGED,
        1.0,
    ),
    iops(
        "M6",
        ("merge-read-256", MERGE_DEPTH),
        MERGING,
        UNMERGED,
        1.0,
    ),
    iops(
        "M7",
        ("merge-write-shuffled", MERGE_DEPTH),
        MERGING,
        IN_MEBIBYTES,
        0.85,
    ),
    iops(
        "M7",
        ("merge-read-shuffled", MERGE_DEPTH),
        MERGING,
        IN_MEBIBYTES,
        0.85,
    ),
];

impl Ratio {
    pub(super) fn verdict(&self, record: &Record) -> Verdict {
        let Self {
            id,
            group,
            depth,
            own,
            ..
        } = *self;
        let quantity = match self.of {
            Quantity::Iops => "IOPS",
            Quantity::CpuPerIo => "CPU per I/O",
        };
        let against = self.against();
        let what = format!("{group}, depth {depth}, {quantity}: {own} to {against}");
        let target = self.bound.text();
        let group = record.group(group);
        let own = group.and_then(|group| self.value(group.cell(own, depth)?));
        let (Some(group), Some(own)) = (group, own) else {
            return Verdict::not_measured(id, what, target, &format!("no result of {}", self.own));
        };
        let best = self.best(group);
        let Some((best, part)) = best.and_then(|(best, value)| Some((best, ratio(own, value)?)))
        else {
            return Verdict::not_measured(id, what, target, "none of the others has a result");
        };
        let missing = self.missing(group);
        let mut measured = format!("{part:.2}");
        // Of several, the one that counts; and a victory over half of them says so.
        if !matches!(self.others, Others::Named([_])) {
            measured.push_str(&format!(" of {}", best.engine));
        }
        if !missing.is_empty() {
            measured.push_str(&format!(", without {}", missing.join(", ")));
        }
        Verdict {
            id,
            what,
            target,
            measured,
            state: State::of(self.bound.is_met(part)),
        }
    }

    fn against(&self) -> String {
        match self.others {
            Others::All => "the best engine".to_owned(),
            Others::Named([one]) => (*one).to_owned(),
            Others::Named(several) => format!("the best of {}", several.join(", ")),
        }
    }

    fn value(&self, cell: &CellRecord) -> Option<f64> {
        let summary = cell.summary?;
        Some(match self.of {
            Quantity::Iops => summary.iops.median,
            Quantity::CpuPerIo => summary.cpu_us_per_io.median,
        })
    }

    fn best<'a>(&self, group: &'a GroupRecord) -> Option<(&'a CellRecord, f64)> {
        let here = group.cells.iter().filter(|cell| cell.depth == self.depth);
        let counting = here.filter(|cell| match self.others {
            Others::All => true,
            Others::Named(names) => names.contains(&cell.engine.as_str()),
        });
        let valued = counting.filter_map(|cell| Some((cell, self.value(cell)?)));
        match self.of {
            Quantity::Iops => valued.max_by(|(_, a), (_, b)| a.total_cmp(b)),
            Quantity::CpuPerIo => valued.min_by(|(_, a), (_, b)| a.total_cmp(b)),
        }
    }

    /// The others that have no result in this run. A limit that does not fit the depth is none.
    fn missing(&self, group: &GroupRecord) -> Vec<&'static str> {
        let Others::Named(names) = self.others else {
            return Vec::new();
        };
        let has_result = |name: &str| {
            let cell = group.cell(name, self.depth);
            cell.is_some_and(|cell| cell.summary.is_some())
        };
        let names = names.iter().copied();
        names
            .filter(|name| Kind::of(name) != Kind::Limit && !has_result(name))
            .collect()
    }
}
