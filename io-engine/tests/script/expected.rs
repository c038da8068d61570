//! What an event may come to: which errors, and which ends of the file.

use std::io;
use std::ops::Range;

use io_engine::sim::Fault;
use io_engine::tasks::IOAction;

use super::step::DIRECT;

/// An event whose callback was not called yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) handle: usize,
    pub(crate) action: IOAction,
    pub(crate) range: Range<usize>,
    pub(crate) begun: u64,
    /// The file had at least so many bytes when it was submitted.
    pub(crate) len_min: usize,
    pub(crate) exposed: Exposure,
    pub(crate) is_valid: bool,
    /// A callback has it still, to hand it over.
    pub(crate) is_with_callback: bool,
}

/// What may have happened to an event in its life.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exposure(u32);

impl Exposure {
    /// Faults came again and again, so that a request may have had one at each attempt.
    const LASTING: u32 = 1 << 29;
    /// The disk was small.
    const TIGHT: u32 = 1 << 30;
    /// The engine was ended before all was answered, or its queue has broken.
    const ENDED: u32 = 1 << 31;

    pub(crate) fn to(fault: Fault) -> Self {
        Self(1 << fault as u32)
    }

    pub(crate) const fn to_lasting_faults() -> Self {
        Self(Self::LASTING)
    }

    pub(crate) const fn to_little_space() -> Self {
        Self(Self::TIGHT)
    }

    pub(crate) const fn to_an_end() -> Self {
        Self(Self::ENDED)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn has(self, fault: Fault) -> bool {
        self.0 & Self::to(fault).0 != 0
    }

    fn has_any(self, faults: &[Fault]) -> bool {
        faults.iter().any(|fault| self.has(*fault))
    }
}

/// The errors that are the disk's own, with the fault behind each.
const ERRORS: [(i32, Fault); 4] = [
    (libc::EIO, Fault::Io),
    (libc::ENOSPC, Fault::NoSpace),
    (libc::EDQUOT, Fault::Quota),
    (libc::EFAULT, Fault::Rejected),
];

/// After these the kernel has forgotten bytes, and a sync has to fail again until it is acknowledged.
pub(crate) fn loses_bytes(errno: i32) -> bool {
    [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EFAULT].contains(&errno)
}

impl Pending {
    /// Whether this error can have come about; `kept` is that of an earlier sync.
    pub(crate) fn explains(&self, error: &io::Error, kept: Option<i32>) -> bool {
        let Some(errno) = error.raw_os_error() else {
            return self.explains_kind(error.kind());
        };
        if !self.is_valid {
            return errno == libc::EBADF || self.was_struck_by(errno);
        }
        let is_full = errno == libc::ENOSPC && self.exposed.0 & Exposure::TIGHT != 0;
        let is_told_again = self.action.is_sync() && kept == Some(errno);
        is_full || is_told_again || self.was_struck_by(errno)
    }

    fn was_struck_by(&self, errno: i32) -> bool {
        // The engine gets over it, unless it goes on.
        if errno == libc::ECANCELED {
            return self.may_be_asked_for_ever(&[Fault::Cancelled]);
        }
        let known = ERRORS.iter().find(|(number, _)| *number == errno);
        known.is_some_and(|(_, fault)| self.exposed.has(*fault))
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "there are forty kinds of errors, and the engine has four of its own"
    )]
    fn explains_kind(&self, kind: io::ErrorKind) -> bool {
        match kind {
            io::ErrorKind::InvalidInput => !self.is_valid,
            io::ErrorKind::WriteZero => {
                self.action == IOAction::Write && self.exposed.has(Fault::Nothing)
            }
            io::ErrorKind::TimedOut => {
                let asked_again = [Fault::Again, Fault::Interrupted, Fault::Busy];
                self.may_be_asked_for_ever(&asked_again) || self.makes_no_progress()
            }
            io::ErrorKind::BrokenPipe => self.exposed.0 & Exposure::ENDED != 0,
            _ => false,
        }
    }

    fn may_be_asked_for_ever(&self, faults: &[Fault]) -> bool {
        self.exposed.0 & Exposure::LASTING != 0 && self.exposed.has_any(faults)
    }

    /// A direct transfer that ends within a sector, again and again.
    fn makes_no_progress(&self) -> bool {
        self.handle == DIRECT && self.exposed.has_any(&[Fault::Short, Fault::Nothing])
    }

    /// Whether a read may have been told that the file ends where it does not.
    pub(crate) fn may_be_lied_to(&self) -> bool {
        self.exposed.has(Fault::Nothing) || self.makes_no_progress()
    }
}
