//! What the planner knows of an event: no event, no file and no memory, only numbers.

use io_engine_core::{IOAction, IOCallback, IOEvent};

use crate::contiguity::{Refusal, Run};

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
    /// What there is to know of `event`. Its file is the number of the descriptor.
    ///
    /// What [never merges](Refusal::never_merges) into any run is lone, a fence or a bystander.
    ///
    /// ```
    /// use io_engine_core::{IOAction, IOEvent};
    /// use io_engine_merge::{Fact, FactKind};
    ///
    /// let write = IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Write, 8192);
    /// let fact = Fact { file: 3, kind: FactKind::Write, start: 8192, end: 12288 };
    /// assert_eq!(Fact::of(&write), fact);
    /// assert_eq!(Fact::of(&IOEvent::<()>::sync(3)).kind, FactKind::Fence);
    /// ```
    #[inline]
    #[must_use]
    pub fn of<C: IOCallback>(event: &IOEvent<C>) -> Self {
        let kind = match Run::of_any_length(event) {
            Ok(_) if event.action() == IOAction::Read => FactKind::Read,
            Ok(_) => FactKind::Write,
            Err(refusal) => kind_of_refused(event, refusal),
        };
        let start = u64::try_from(event.offset()).unwrap_or(0);
        Self {
            file: event.fd().cast_unsigned(),
            kind,
            start,
            end: start.saturating_add(event.get_size()),
        }
    }

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

    /// What it does to which bytes of a file that has at least `size_min`; `None` if it does nothing.
    #[inline]
    pub(crate) const fn touch(&self, size_min: u64) -> Option<Touch> {
        let (start, end) = (self.start, self.end);
        if self.bytes() == 0 {
            return None;
        }
        match self.kind {
            // How much it gets depends on what is written anywhere behind it.
            FactKind::Read | FactKind::LoneRead if end > size_min => Some(Touch::Reads(Extent {
                start,
                end: u64::MAX,
            })),
            FactKind::Read | FactKind::LoneRead => Some(Touch::Reads(Extent { start, end })),
            FactKind::Write | FactKind::LoneWrite => Some(Touch::Writes(Extent { start, end })),
            FactKind::Fence | FactKind::Bystander => None,
        }
    }
}

#[cold]
fn kind_of_refused<C: IOCallback>(event: &IOEvent<C>, refusal: Refusal) -> FactKind {
    match refusal {
        Refusal::NoTransfer if event.action() == IOAction::Nop => FactKind::Bystander,
        Refusal::NoTransfer => FactKind::Fence,
        // What cannot work is refused before it does anything to the file.
        Refusal::Empty | Refusal::NegativeOffset | Refusal::OffsetOverflow => FactKind::Bystander,
        Refusal::NoBuffer
        | Refusal::NotFresh
        | Refusal::ReadOnlyBuffer
        | Refusal::TooLong
        | Refusal::OtherFile
        | Refusal::OtherAction
        | Refusal::Gap
        | Refusal::Overlap
        | Refusal::Behind
        | Refusal::EventsLimit
        | Refusal::BytesLimit => {
            if event.action() == IOAction::Read {
                FactKind::LoneRead
            } else {
                FactKind::LoneWrite
            }
        }
    }
}

/// What a transfer does to the bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Reads(Extent),
    Writes(Extent),
}

/// From `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) end: u64,
}
