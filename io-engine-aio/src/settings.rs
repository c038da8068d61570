//! How a backend is set up.

/// What [`AioBackend::new`](crate::AioBackend::new) is told.
///
/// ```
/// use io_engine_aio::AioSettings;
///
/// let settings = AioSettings::with_depth(64);
/// assert_eq!(settings.depth, 64);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AioSettings {
    /// How many requests the backend owns at once, from 1 to
    /// [`DEPTH_MAX`](io_engine_core::DEPTH_MAX). It takes one more than this of `fs.aio-max-nr`,
    /// a budget that all processes of the system share: 65536 unless an administrator changed it.
    pub depth: usize,
}

impl AioSettings {
    /// A queue for `depth` requests in flight.
    #[must_use]
    pub const fn with_depth(depth: usize) -> Self {
        Self { depth }
    }
}
