//! Rings: whether this machine has them, and how large one must be.

use std::io;

/// The most entries that the kernel gives a submission queue.
const ENTRIES_MAX: u32 = 1 << 15;
/// Room for what a runtime puts into its ring for itself: a wake-up, a timer.
const ENTRIES_OF_THE_RUNTIME: usize = 4;

/// The entries of a ring that takes `depth` operations at once.
pub fn entries_for(depth: usize) -> u32 {
    let entries = depth.saturating_add(ENTRIES_OF_THE_RUNTIME);
    u32::try_from(entries).map_or(ENTRIES_MAX, |entries| {
        entries.min(ENTRIES_MAX).next_power_of_two()
    })
}

/// Why this machine has no rings, if it has none. Asked before a runtime is, as some runtimes answer
/// with a panic.
pub(crate) fn reason_for_none() -> Option<String> {
    io_uring::IoUring::new(1).err().map(|error| explain(&error))
}

fn explain(error: &io::Error) -> String {
    format!(
        "no io_uring here: {error}; see /proc/sys/kernel/io_uring_disabled, the seccomp filter of a container, and `ulimit -l`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_room_for_the_depth_and_more() {
        assert_eq!(entries_for(1), 8);
        assert_eq!(entries_for(32), 64);
        assert_eq!(entries_for(124), 128);
        assert_eq!(entries_for(1 << 15), ENTRIES_MAX);
        assert_eq!(entries_for(usize::MAX), ENTRIES_MAX);
    }

    #[test]
    fn the_reason_tells_where_to_look() {
        let reason = explain(&io::Error::from_raw_os_error(1));
        assert!(reason.contains("io_uring_disabled"), "{reason}");
    }
}
