//! What is known of a file, and limits the merging of its events.

use io_engine_core::{SEGMENTS_MAX, TRANSFER_BYTES_MAX};

/// What is known of a file: what its device takes in one request, and where its end cannot be.
///
/// Whoever uses a [`Planner`](crate::Planner) or a [`Merger`](crate::Merger) can ask the system; they
/// touch no file themselves. Of the limits here and the [`MergeLimits`](crate::MergeLimits) the smaller
/// holds.
///
/// ```
/// use io_engine_merge::FileFacts;
///
/// // From `max_sectors_kb` and `max_segments` of the device's queue, and the size of the file.
/// let data = FileFacts { bytes_max: 1280 * 1024, segments_max: 127, size_min: 1 << 30 };
/// assert!(data.segments_max < FileFacts::UNKNOWN.segments_max);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileFacts {
    /// The most bytes that the device takes in one request.
    pub bytes_max: usize,
    /// The most segments that it takes: events, and holes that are read over.
    pub segments_max: usize,
    /// The file has at least so many bytes. May be less than is true, and 0 if it is not known.
    ///
    /// A read that ends beyond it may meet the end of the file, and where that is depends on the
    /// writes behind it. So it changes places with none of those: where a batch has both, less is
    /// merged than could be.
    pub size_min: u64,
}

impl FileFacts {
    /// Nothing is known: the [`MergeLimits`](crate::MergeLimits) alone hold, and any read may meet
    /// the end of the file.
    pub const UNKNOWN: Self = Self {
        bytes_max: TRANSFER_BYTES_MAX,
        segments_max: SEGMENTS_MAX,
        size_min: 0,
    };

    /// Nothing of the file is joined, and nothing changes places. For files in which the offset does
    /// not say where the bytes go: those open with `O_APPEND`, pipes, sockets, terminals.
    pub const NEVER_JOIN: Self = Self {
        bytes_max: 1,
        segments_max: 1,
        size_min: 0,
    };
}
