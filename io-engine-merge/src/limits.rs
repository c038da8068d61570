//! How long a run may become.

use io_engine_core::{SEGMENTS_MAX, TRANSFER_BYTES_MAX};

/// How many bytes and how many events one merged request may hold.
///
/// Both are clamped to what the kernel takes in one call, so a limit of `usize::MAX` means "as much
/// as it takes". An event that is longer than [`bytes_max`](Self::bytes_max) on its own is not cut:
/// it is sent alone.
///
/// ```
/// use io_engine_merge::MergeLimits;
///
/// let limits = MergeLimits::default().with_bytes_max(256 * 1024).with_events_max(16);
/// assert_eq!((limits.bytes_max(), limits.events_max()), (256 * 1024, 16));
///
/// // A number alone is the byte limit.
/// assert_eq!(MergeLimits::from(4096).bytes_max(), 4096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MergeLimits {
    bytes_max: usize,
    events_max: usize,
}

impl MergeLimits {
    /// The default for [`bytes_max`](Self::bytes_max): 512 KiB.
    ///
    /// Measured with direct reads: throughput has levelled off here, beyond it only the latency
    /// of the request grows.
    pub const BYTES_DEFAULT: usize = 512 * 1024;

    /// The default for [`events_max`](Self::events_max): 128.
    ///
    /// It makes [`BYTES_DEFAULT`](Self::BYTES_DEFAULT) of 4 KiB events. Cached reads cost least
    /// here, and common NVMe devices take no more than about this many segments in one command.
    pub const EVENTS_DEFAULT: usize = 128;

    /// Sets the most bytes in one merged request, clamped to 1 ..= [`TRANSFER_BYTES_MAX`].
    #[must_use]
    pub const fn with_bytes_max(self, bytes_max: usize) -> Self {
        Self {
            bytes_max: clamp_from_one(bytes_max, TRANSFER_BYTES_MAX),
            events_max: self.events_max,
        }
    }

    /// Sets the most events in one merged request, clamped to 1 ..= [`SEGMENTS_MAX`]. With 1
    /// nothing is merged.
    #[must_use]
    pub const fn with_events_max(self, events_max: usize) -> Self {
        Self {
            bytes_max: self.bytes_max,
            events_max: clamp_from_one(events_max, SEGMENTS_MAX),
        }
    }

    /// The most bytes in one merged request.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        self.bytes_max
    }

    /// The most events in one merged request.
    #[must_use]
    pub const fn events_max(self) -> usize {
        self.events_max
    }
}

impl Default for MergeLimits {
    fn default() -> Self {
        Self {
            bytes_max: Self::BYTES_DEFAULT,
            events_max: Self::EVENTS_DEFAULT,
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
    }

    #[test]
    fn a_number_alone_limits_the_bytes_and_leaves_the_events_to_the_kernel() {
        let limits = MergeLimits::from(16 * 1024 * 1024);
        assert_eq!(limits.bytes_max(), 16 * 1024 * 1024);
        assert_eq!(limits.events_max(), SEGMENTS_MAX);
    }
}
