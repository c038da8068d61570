//! The groups of workloads: what each measures, where, and with which engines.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::cell::Workload;
use super::merge_groups;
use super::options::Selection;
use super::pattern::Pattern;

/// What a group reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// Nothing.
    Nowhere,
    /// A file that the page cache holds.
    PageCache,
    /// A file on the disk, with `O_DIRECT`.
    Disk,
    /// A file on a disk that a log appends to.
    LogFile,
    /// A file in memory.
    Tmpfs,
    /// A block device in memory, with `O_DIRECT`.
    Zram,
}

/// One table: a workload in a place, over depths and engines.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) selection: Selection,
    pub(crate) place: Place,
    pub(crate) workload: Workload,
    pub(crate) pattern: Pattern,
    pub(crate) block: u32,
    pub(crate) depths: Depths,
    /// Engines of the quick run, and what the thorough one adds.
    pub(crate) engines: [&'static [&'static str]; 2],
    /// The numbers of contexts for the engines that know the notion.
    pub(crate) contexts: RangeInclusive<usize>,
    /// Whether the peers join, and whether they do in a quick run. They are many.
    pub(crate) peers: bool,
    pub(crate) quick_peers: bool,
}

/// The depths of a group, in either run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    pub(crate) quick: &'static [usize],
    pub(crate) thorough: &'static [usize],
}

pub(super) const KIB: u32 = 1024;
const ONE_STREAM: Pattern = Pattern {
    streams: 1,
    window: 1,
};
const ONE_CONTEXT: RangeInclusive<usize> = 1..=1;

/// A random read of 4 KiB, which the others are variations of.
pub(super) const RANDOM_READ: Group = Group {
    name: "",
    title: "",
    selection: Selection::Nop,
    place: Place::Nowhere,
    workload: Workload::RandomRead,
    pattern: ONE_STREAM,
    block: 4 * KIB,
    depths: Depths {
        quick: &[1, 32, 128],
        thorough: &[1, 4, 32, 128, 512],
    },
    engines: [&[], &[]],
    contexts: ONE_CONTEXT,
    quick_peers: false,
    peers: true,
};

const NOP: Group = Group {
    name: "nop",
    title: "NOP: the engine alone",
    selection: Selection::Nop,
    workload: Workload::Nop,
    block: 0,
    depths: Depths {
        quick: &[32, 128],
        thorough: &[1, 32, 128, 4096],
    },
    engines: [
        &[
            "raw-uring",
            "raw-uring-batch",
            "loop-uring",
            "inline-uring",
            "channel-uring",
        ],
        &["plain-uring"],
    ],
    peers: false,
    ..RANDOM_READ
};

const PAGE_CACHE: Group = Group {
    name: "page-cache",
    title: "4 KiB random read, page cache",
    selection: Selection::PageCache,
    place: Place::PageCache,
    engines: [
        &[
            "raw-uring",
            "raw-uring-batch",
            "loop-uring",
            "inline-uring",
            "channel-uring",
            "plain-uring",
            "plain-aio",
            "loop-auto",
            "fio-uring",
        ],
        &[
            "raw-aio",
            "raw-pread",
            "raw-pread-pool",
            "loop-aio",
            "loop-threads",
            "inline-aio",
            "inline-auto",
            "channel-aio",
            "channel-threads",
            "channel-auto",
            "fio-libaio",
        ],
    ],
    quick_peers: true,
    ..RANDOM_READ
};

const DIRECT: Group = Group {
    name: "direct",
    title: "4 KiB random read, disk, O_DIRECT",
    selection: Selection::Direct,
    place: Place::Disk,
    depths: Depths {
        quick: &[128],
        thorough: RANDOM_READ.depths.thorough,
    },
    engines: [
        &[
            "raw-uring",
            "raw-uring-batch",
            "raw-aio",
            "loop-uring",
            "inline-uring",
            "inline-aio",
            "channel-uring",
            "plain-uring",
            "plain-aio",
            "fio-uring",
            "fio-libaio",
        ],
        &[
            "raw-pread",
            "raw-pread-pool",
            "loop-aio",
            "loop-threads",
            "loop-auto",
            "inline-auto",
            "channel-aio",
            "channel-threads",
            "channel-auto",
        ],
    ],
    quick_peers: true,
    ..RANDOM_READ
};

const TMPFS: Group = Group {
    name: "tmpfs",
    title: "4 KiB random read, tmpfs",
    selection: Selection::Tmpfs,
    place: Place::Tmpfs,
    depths: Depths {
        quick: &[1, 128],
        thorough: RANDOM_READ.depths.thorough,
    },
    engines: [
        &[
            "raw-uring",
            "raw-aio",
            "raw-pread",
            "raw-pread-pool",
            "loop-auto",
            "inline-auto",
        ],
        &[
            "raw-uring-batch",
            "loop-uring",
            "loop-aio",
            "loop-threads",
            "channel-uring",
            "channel-auto",
        ],
    ],
    peers: false,
    ..RANDOM_READ
};

const ZRAM: Group = Group {
    name: "zram",
    title: "4 KiB random read, block device in memory (zram), O_DIRECT",
    selection: Selection::Zram,
    place: Place::Zram,
    depths: Depths {
        quick: &[32, 128],
        thorough: RANDOM_READ.depths.thorough,
    },
    engines: [
        &[
            "raw-uring",
            "raw-uring-batch",
            "raw-aio",
            "raw-pread-pool",
            "loop-auto",
            "inline-auto",
            "inline-uring",
        ],
        &[
            "raw-pread",
            "loop-uring",
            "loop-aio",
            "loop-threads",
            "channel-uring",
            "channel-auto",
            "fio-uring",
            "fio-libaio",
        ],
    ],
    ..RANDOM_READ
};

const WRITE: Group = Group {
    name: "write",
    title: "4 KiB random write, disk, O_DIRECT",
    selection: Selection::Write,
    place: Place::Disk,
    workload: Workload::RandomWrite,
    depths: Depths {
        quick: &[32],
        thorough: &[1, 32, 128],
    },
    engines: [
        &[
            "raw-uring",
            "raw-aio",
            "inline-uring",
            "inline-aio",
            "channel-uring",
        ],
        &[
            "raw-uring-batch",
            "loop-uring",
            "channel-aio",
            "loop-auto",
            "fio-uring",
            "fio-libaio",
        ],
    ],
    ..RANDOM_READ
};

const SEQUENTIAL_READ: Group = Group {
    name: "sequential-read",
    title: "128 KiB sequential read, disk, O_DIRECT",
    selection: Selection::Sequential,
    workload: Workload::SequentialRead,
    block: 128 * KIB,
    depths: Depths {
        quick: &[8],
        thorough: &[8, 32],
    },
    engines: [
        &["raw-uring", "inline-uring", "channel-uring"],
        &[
            "raw-aio",
            "inline-aio",
            "loop-auto",
            "fio-uring",
            "fio-libaio",
        ],
    ],
    peers: false,
    ..WRITE
};

const SEQUENTIAL_WRITE: Group = Group {
    name: "sequential-write",
    title: "128 KiB sequential write, disk, O_DIRECT",
    workload: Workload::SequentialWrite,
    ..SEQUENTIAL_READ
};

const MIXED: Group = Group {
    name: "mixed",
    title: "4 KiB, 70 % random read, 30 % random write, disk, O_DIRECT",
    selection: Selection::Mixed,
    workload: Workload::Mixed,
    block: 4 * KIB,
    depths: Depths {
        quick: &[32],
        thorough: &[32, 128],
    },
    ..SEQUENTIAL_READ
};

const LOG: Group = Group {
    name: "log",
    title: "4 KiB append and datasync, one I/O is the pair",
    selection: Selection::Log,
    place: Place::LogFile,
    workload: Workload::Log,
    depths: Depths {
        quick: &[8],
        thorough: &[1, 8, 32],
    },
    engines: [
        &[
            "raw-uring",
            "raw-pread-pool",
            "inline-uring",
            "channel-uring",
            "loop-auto",
        ],
        &["raw-pread", "raw-aio", "inline-aio", "loop-threads"],
    ],
    peers: false,
    ..RANDOM_READ
};

const SCALING: Group = Group {
    name: "scaling",
    title: "4 KiB random read, page cache, depth 1 to 4096, several contexts",
    selection: Selection::Scaling,
    place: Place::PageCache,
    depths: Depths {
        quick: &[1, 256, 4096],
        thorough: &[1, 16, 256, 1024, 4096],
    },
    engines: [&["raw-uring", "loop-uring", "channel-uring"], &[]],
    contexts: 1..=4,
    peers: false,
    ..RANDOM_READ
};

const GROUPS: [Group; 11] = [
    NOP,
    PAGE_CACHE,
    DIRECT,
    TMPFS,
    ZRAM,
    WRITE,
    SEQUENTIAL_READ,
    SEQUENTIAL_WRITE,
    MIXED,
    LOG,
    SCALING,
];

/// Every group, in the order of the tables.
pub(crate) fn all() -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().chain(&merge_groups::GROUPS)
}

impl Place {
    /// Whether the page cache is passed by.
    pub(crate) fn is_direct(self) -> bool {
        match self {
            Self::Disk | Self::Zram => true,
            Self::Nowhere | Self::PageCache | Self::LogFile | Self::Tmpfs => false,
        }
    }
}

impl Group {
    /// How many contexts `engine` is measured with.
    pub(crate) fn contexts_of(&self, engine: &str) -> Vec<usize> {
        let with_several = engine.starts_with("channel-");
        let counts = [1, 2, 4].into_iter();
        let counts = counts.filter(|count| self.contexts.contains(count));
        counts.filter(|count| *count == 1 || with_several).collect()
    }
}
