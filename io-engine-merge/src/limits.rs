//! How long a run may become.

use io_engine_core::{SEGMENTS_MAX, TRANSFER_BYTES_MAX};

use crate::file_facts::FileFacts;

/// How many bytes and how many events one merged request may hold, and what reads may do beyond
/// plain joining.
///
/// Both numbers are clamped to what the kernel takes in one call, so a limit of `usize::MAX` means "as
/// much as it takes". An event that is longer than [`bytes_max`](Self::bytes_max) on its own is not
/// cut: it is sent alone.
///
/// ```
/// use io_engine_merge::MergeLimits;
///
/// let limits = MergeLimits::default().with_bytes_max(256 * 1024).with_events_max(16);
/// assert_eq!((limits.bytes_max(), limits.events_max()), (256 * 1024, 16));
///
/// // A number alone is the byte limit.
/// assert_eq!(MergeLimits::from(4096).bytes_max(), 4096);
///
/// // For a scan with small holes, by several readers.
/// let scan = MergeLimits::default().with_gap_bytes_max(4096).sharing_reads();
/// assert_eq!((scan.gap_bytes_max(), scan.shares_reads()), (4096, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MergeLimits {
    bytes_max: usize,
    events_max: usize,
    gap_bytes_max: usize,
    shares_reads: bool,
}

impl MergeLimits {
    /// The default for [`bytes_max`](Self::bytes_max): 1 MiB.
    ///
    /// Measured with direct I/O on a disk: 4 KiB events in requests of this size have the throughput
    /// of one buffer of this size, and beyond it only the latency of the request grows.
    pub const BYTES_DEFAULT: usize = 1024 * 1024;

    /// The default for [`events_max`](Self::events_max): 256.
    ///
    /// It makes [`BYTES_DEFAULT`](Self::BYTES_DEFAULT) of 4 KiB events.
    pub const EVENTS_DEFAULT: usize = 256;

    /// The most that [`with_gap_bytes_max`](Self::with_gap_bytes_max) takes: 64 KiB. To transfer more
    /// takes longer than a second request, on every disk that is not asleep.
    pub const GAP_BYTES_LIMIT: usize = 64 * 1024;

    /// Sets the most bytes in one merged request, clamped to 1 ..= [`TRANSFER_BYTES_MAX`].
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = clamp_from_one(bytes_max, TRANSFER_BYTES_MAX);
        self
    }

    /// Sets the most events in one merged request, clamped to 1 ..= [`SEGMENTS_MAX`]. A hole that is
    /// read over counts as one, because it is a segment for the device as well. With 1 nothing is
    /// merged.
    #[must_use]
    pub const fn with_events_max(mut self, events_max: usize) -> Self {
        self.events_max = clamp_from_one(events_max, SEGMENTS_MAX);
        self
    }

    /// Joins reads with a hole of at most so many bytes between them: it is read as well, and thrown
    /// away. 0, the default, joins only what touches; more than
    /// [`GAP_BYTES_LIMIT`](Self::GAP_BYTES_LIMIT) is taken as that. Writes never have holes.
    ///
    /// All holes go to one piece of memory of this size, rounded up to 4 KiB, which is kept until the
    /// merger and all its requests are gone.
    #[must_use]
    pub const fn with_gap_bytes_max(mut self, gap_bytes_max: usize) -> Self {
        self.gap_bytes_max = if gap_bytes_max > Self::GAP_BYTES_LIMIT {
            Self::GAP_BYTES_LIMIT
        } else {
            gap_bytes_max
        };
        self
    }

    /// Reads a range once of which a batch has several reads: one that lies within another one gets
    /// its bytes by a copy from the buffer of that. Off unless called.
    ///
    /// It needs no memory beyond the buffers of the events, which come back together with that of the
    /// longest: at most [`events_max`](Self::events_max) for each request.
    #[must_use]
    pub const fn sharing_reads(mut self) -> Self {
        self.shares_reads = true;
        self
    }

    /// The most bytes in one merged request.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        self.bytes_max
    }

    /// The most events in one merged request, with its holes.
    #[must_use]
    pub const fn events_max(self) -> usize {
        self.events_max
    }

    /// The most bytes between two reads that are read over.
    #[must_use]
    pub const fn gap_bytes_max(self) -> usize {
        self.gap_bytes_max
    }

    /// Whether reads of the same bytes become one.
    #[must_use]
    pub const fn shares_reads(self) -> bool {
        self.shares_reads
    }
}

impl Default for MergeLimits {
    fn default() -> Self {
        Self {
            bytes_max: Self::BYTES_DEFAULT,
            events_max: Self::EVENTS_DEFAULT,
            gap_bytes_max: 0,
            shares_reads: false,
        }
    }
}

/// The byte limit alone. As many events as the kernel takes may share it.
impl From<usize> for MergeLimits {
    fn from(bytes_max: usize) -> Self {
        Self::default()
            .with_bytes_max(bytes_max)
            .with_events_max(SEGMENTS_MAX)
    }
}

impl MergeLimits {
    /// The smaller of both.
    pub(crate) const fn within(self, file: FileFacts) -> Self {
        self.with_bytes_max(if file.bytes_max < self.bytes_max {
            file.bytes_max
        } else {
            self.bytes_max
        })
        .with_events_max(if file.segments_max < self.events_max {
            file.segments_max
        } else {
            self.events_max
        })
    }

    /// Whether only what touches is joined.
    pub(crate) const fn joins_only_neighbours(self) -> bool {
        self.gap_bytes_max == 0 && !self.shares_reads
    }
}

const fn clamp_from_one(given: usize, max: usize) -> usize {
    if given == 0 {
        1
    } else if given > max {
        max
    } else {
        given
    }
}

const _: () = assert!(MergeLimits::BYTES_DEFAULT <= TRANSFER_BYTES_MAX);
const _: () = assert!(MergeLimits::EVENTS_DEFAULT <= SEGMENTS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_clamped_to_what_the_kernel_takes() {
        let most = MergeLimits::from(usize::MAX).with_events_max(usize::MAX);
        assert_eq!(most.bytes_max(), TRANSFER_BYTES_MAX);
        assert_eq!(most.events_max(), SEGMENTS_MAX);

        let least = MergeLimits::from(0).with_events_max(0);
        assert_eq!((least.bytes_max(), least.events_max()), (1, 1));
    }

    #[test]
    fn each_limit_is_set_without_touching_the_other() {
        let limits = MergeLimits::default().with_bytes_max(1000);
        assert_eq!(limits.events_max(), MergeLimits::EVENTS_DEFAULT);
        let limits = MergeLimits::default().with_events_max(2);
        assert_eq!(limits.bytes_max(), MergeLimits::BYTES_DEFAULT);
        assert_eq!((limits.gap_bytes_max(), limits.shares_reads()), (0, false));
        let limits = limits.sharing_reads().with_gap_bytes_max(usize::MAX);
        assert_eq!(limits.gap_bytes_max(), MergeLimits::GAP_BYTES_LIMIT);
        assert_eq!((limits.events_max(), limits.shares_reads()), (2, true));
    }

    #[test]
    fn of_the_wish_and_the_device_the_smaller_holds() {
        let wish = MergeLimits::from(1000).with_events_max(50).sharing_reads();
        assert_eq!(wish.within(FileFacts::UNKNOWN), wish);
        let small = FileFacts {
            bytes_max: 999,
            segments_max: 49,
            ..FileFacts::UNKNOWN
        };
        let both = wish.within(small);
        assert_eq!((both.bytes_max(), both.events_max()), (999, 49));
        assert!(both.shares_reads());
        assert_eq!(wish.within(FileFacts::NEVER_JOIN).events_max(), 1);
    }

    #[test]
    fn a_number_alone_limits_the_bytes_and_leaves_the_events_to_the_kernel() {
        let limits = MergeLimits::from(16 * 1024 * 1024);
        assert_eq!(limits.bytes_max(), 16 * 1024 * 1024);
        assert_eq!(limits.events_max(), SEGMENTS_MAX);
    }
}
