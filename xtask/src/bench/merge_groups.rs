//! What merging is worth: 4 KiB sequential I/O, merged and not, and what it costs where nothing merges.

use super::cell::Workload;
use super::groups::{Depths, Group, Place, RANDOM_READ};
use super::options::Selection;
use super::pattern::Pattern;

/// As many blocks as are four requests of 1 MiB.
pub(super) const DEPTH: usize = 1024;

const WRITE: Group = Group {
    name: "merge-write",
    title: "4 KiB sequential write, merged and not, disk, O_DIRECT",
    selection: Selection::Merge,
    place: Place::Disk,
    workload: Workload::SequentialWrite,
    depths: Depths {
        quick: &[DEPTH],
        thorough: &[DEPTH],
    },
    engines: [
        &[
            "raw-uring-1m",
            "loop-uring",
            "loop-merge-uring",
            "channel-merge-uring",
        ],
        &[
            "raw-uring-batch",
            "loop-aio",
            "loop-merge-aio",
            "channel-uring",
            "channel-merge-aio",
            "fio-uring",
            "fio-uring-1m",
        ],
    ],
    ..RANDOM_READ
};

const READ: Group = Group {
    name: "merge-read",
    title: "4 KiB sequential read, merged and not, disk, O_DIRECT",
    workload: Workload::SequentialRead,
    ..WRITE
};

/// Only in a thorough run.
const THOROUGH: Depths = Depths {
    quick: &[],
    thorough: &[DEPTH],
};

const STREAMS: [&[&str]; 2] = [
    &[
        "raw-uring-1m",
        "loop-uring",
        "loop-merge-uring",
        "channel-merge-uring",
    ],
    &["loop-merge-aio"],
];

const fn streams(of: &Group, name: &'static str, title: &'static str, streams: u32) -> Group {
    Group {
        name,
        title,
        workload: of.workload,
        pattern: Pattern { streams, window: 1 },
        depths: THOROUGH,
        engines: STREAMS,
        peers: false,
        ..WRITE
    }
}

const fn shuffled(of: &Group, name: &'static str, title: &'static str) -> Group {
    Group {
        pattern: Pattern {
            streams: 1,
            window: 64,
        },
        ..streams(of, name, title, 1)
    }
}

/// Where nothing can merge, merging only costs.
const RANDOM: Group = Group {
    name: "merge-random",
    title: "4 KiB random read, merging on and off, disk, O_DIRECT",
    workload: Workload::RandomRead,
    depths: Depths {
        quick: &[],
        thorough: &[32, 128],
    },
    engines: [
        &["loop-uring", "loop-merge-uring"],
        &["loop-aio", "loop-merge-aio"],
    ],
    peers: false,
    ..WRITE
};

const RANDOM_CACHED: Group = Group {
    name: "merge-random-cached",
    title: "4 KiB random read, merging on and off, page cache",
    place: Place::PageCache,
    ..RANDOM
};

pub(super) const GROUPS: [Group; 12] = [
    WRITE,
    READ,
    streams(
        &WRITE,
        "merge-write-4",
        "4 KiB write, 4 streams in turns, disk, O_DIRECT",
        4,
    ),
    streams(
        &READ,
        "merge-read-4",
        "4 KiB read, 4 streams in turns, disk, O_DIRECT",
        4,
    ),
    streams(
        &WRITE,
        "merge-write-16",
        "4 KiB write, 16 streams in turns, disk, O_DIRECT",
        16,
    ),
    streams(
        &READ,
        "merge-read-16",
        "4 KiB read, 16 streams in turns, disk, O_DIRECT",
        16,
    ),
    streams(
        &WRITE,
        "merge-write-256",
        "4 KiB write, 256 streams in turns, disk, O_DIRECT",
        256,
    ),
    streams(
        &READ,
        "merge-read-256",
        "4 KiB read, 256 streams in turns, disk, O_DIRECT",
        256,
    ),
    shuffled(
        &WRITE,
        "merge-write-shuffled",
        "4 KiB write, shuffled within 64 blocks, disk, O_DIRECT",
    ),
    shuffled(
        &READ,
        "merge-read-shuffled",
        "4 KiB read, shuffled within 64 blocks, disk, O_DIRECT",
    ),
    RANDOM,
    RANDOM_CACHED,
];
