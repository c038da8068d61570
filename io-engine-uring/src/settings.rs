//! What a ring can be asked for.

/// How to set a ring up.
///
/// ```
/// use io_engine_uring::UringSettings;
///
/// assert_eq!(UringSettings::with_depth(64).depth, 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UringSettings {
    /// How many requests may be in flight, from 1 to [`DEPTH_MAX`](io_engine_core::DEPTH_MAX).
    ///
    /// A slot costs about 350 bytes: 64 for a submission entry, 32 for two completion entries, the
    /// rest for the request.
    pub depth: usize,
}

impl UringSettings {
    /// The best ring that the kernel offers, for `depth` requests in flight.
    #[must_use]
    pub const fn with_depth(depth: usize) -> Self {
        Self { depth }
    }
}
