//! What the planner knows of an event: no event, no file and no memory, only numbers.

/// One event of a batch, as the [`Planner`](crate::Planner) sees it.
///
/// ```
/// use io_engine_merge::{Fact, FactKind};
///
/// let write = Fact { file: 3, kind: FactKind::Write, start: 4096, end: 8192 };
/// assert_eq!(write.bytes(), 4096);
/// let sync = Fact { file: 3, kind: FactKind::Fence, start: 0, end: 0 };
/// assert_eq!(sync.bytes(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Which file: equal numbers are one file, as those of file descriptors are.
    pub file: u32,
    /// What it does to the file.
    pub kind: FactKind,
    /// The first byte of the file that it covers.
    pub start: u64,
    /// The byte behind the last that it covers. A transfer that covers none stands in nobody's way
    /// and travels alone.
    pub end: u64,
}

/// What an event does to its file, and whether it may travel with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactKind {
    /// Reads its range, and may become part of a run.
    Read,
    /// Writes its range, and may become part of a run.
    Write,
    /// Reads its range, and travels alone: a transfer that goes on, or a run already.
    LoneRead,
    /// Writes its range, and travels alone.
    LoneWrite,
    /// A sync or an allocation: nothing of its file passes it, in either direction. Its range means
    /// nothing.
    Fence,
    /// Does nothing to the file: it stands in nobody's way. Its range means nothing.
    Bystander,
}

impl Fact {
    /// The bytes that it transfers.
    #[inline]
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        match self.kind {
            FactKind::Read | FactKind::Write | FactKind::LoneRead | FactKind::LoneWrite => {
                self.end.saturating_sub(self.start)
            }
            FactKind::Fence | FactKind::Bystander => 0,
        }
    }

    /// Whether it may become part of a run, unless it is too long for one.
    #[inline]
    pub(crate) const fn may_join(&self) -> bool {
        match self.kind {
            FactKind::Read | FactKind::Write => self.end > self.start,
            FactKind::LoneRead | FactKind::LoneWrite | FactKind::Fence | FactKind::Bystander => {
                false
            }
        }
    }

    /// What it does to the bytes of its range; `None` if it has no range.
    #[inline]
    pub(crate) const fn touch(&self) -> Option<Touch> {
        if self.bytes() == 0 {
            return None;
        }
        match self.kind {
            FactKind::Read | FactKind::LoneRead => Some(Touch::Reads),
            FactKind::Write | FactKind::LoneWrite => Some(Touch::Writes),
            FactKind::Fence | FactKind::Bystander => None,
        }
    }
}

/// What a transfer does to the bytes of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Reads,
    Writes,
}
