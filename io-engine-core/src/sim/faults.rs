//! What can go wrong, and how often it did.

use std::fmt;

use crate::action::IOAction;

/// What a simulated disk does to a request.
///
/// [`nth`](Self::nth), [`from_nth`](Self::from_nth) and [`one_in`](Self::one_in) make a
/// [`Rule`](super::Rule) of it, which says when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A read or write moves fewer bytes than it could, at least one; how many is up to the dice, and
    /// need not be a multiple of anything.
    Short,
    /// A read or write moves no byte and gives no error: to a read, the end of the file.
    Nothing,
    /// `EIO`. A write that fails with it, or with one of the next three, may have written none of its
    /// bytes, some or all. A sync that fails like this gives up for ever the bytes that it should have
    /// saved, as Linux does: the next sync succeeds, and only a crash shows what is missing.
    Io,
    /// `ENOSPC`, whatever space there is.
    NoSpace,
    /// `EDQUOT`.
    Quota,
    /// `ECANCELED`; nothing was done. Linux answers so on its own account where it cannot start a worker
    /// for a request because signals keep coming.
    Cancelled,
    /// `EAGAIN`; nothing was done.
    Again,
    /// `EINTR`; nothing was done.
    Interrupted,
    /// The answer comes later, and what was sent after it may overtake it.
    Delay,
    /// The answer does not come before the disk is [healed](super::SimDisk::heal): a device that hangs.
    /// Whoever waits for it sleeps until then, or until the doorbell is rung.
    Hang,
    /// Of what is to be sent, only what comes before this request is accepted now, and at least one.
    Prefix,
    /// The disk does not accept the request now: `EAGAIN` on submission.
    Busy,
    /// The disk does not accept the request at all: `EFAULT` on submission, before anything is done.
    Rejected,
    /// An answer comes that belongs to no request. Not to be survived but to be noticed: it panics.
    UnknownTicket,
    /// An answer comes twice. Not to be survived but to be noticed: it panics.
    RepeatedTicket,
    /// The queue breaks for good, with all that is in it.
    BrokenQueue,
}

/// When in the life of a request a fault strikes. A request may be struck once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Queue,
    Sending,
    CarryingOut,
    Timing,
    Answering,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Short,
        Self::Nothing,
        Self::Io,
        Self::NoSpace,
        Self::Quota,
        Self::Cancelled,
        Self::Again,
        Self::Interrupted,
        Self::Delay,
        Self::Hang,
        Self::Prefix,
        Self::Busy,
        Self::Rejected,
        Self::UnknownTicket,
        Self::RepeatedTicket,
        Self::BrokenQueue,
    ];

    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Short
            | Self::Nothing
            | Self::Io
            | Self::NoSpace
            | Self::Quota
            | Self::Cancelled
            | Self::Again
            | Self::Interrupted => Stage::CarryingOut,
            Self::Delay | Self::Hang => Stage::Timing,
            Self::Prefix | Self::Busy | Self::Rejected => Stage::Sending,
            Self::UnknownTicket | Self::RepeatedTicket => Stage::Answering,
            Self::BrokenQueue => Stage::Queue,
        }
    }

    /// Whether it can happen to a request that moves so many bytes.
    pub(super) fn can_strike(self, action: IOAction, len: usize) -> bool {
        match self {
            Self::Short => action.moves_bytes() && len > 1,
            Self::Nothing => action.moves_bytes(),
            Self::Io
            | Self::NoSpace
            | Self::Quota
            | Self::Cancelled
            | Self::Again
            | Self::Interrupted
            | Self::Delay
            | Self::Hang
            | Self::Prefix
            | Self::Busy
            | Self::Rejected
            | Self::UnknownTicket
            | Self::RepeatedTicket
            | Self::BrokenQueue => true,
        }
    }

    /// The answer, if it is an error of the disk.
    pub(super) fn errno(self) -> Option<i32> {
        match self {
            Self::Io => Some(libc::EIO),
            Self::NoSpace => Some(libc::ENOSPC),
            Self::Quota => Some(libc::EDQUOT),
            Self::Cancelled => Some(libc::ECANCELED),
            Self::Again | Self::Busy => Some(libc::EAGAIN),
            Self::Interrupted => Some(libc::EINTR),
            Self::Rejected => Some(libc::EFAULT),
            Self::Short
            | Self::Nothing
            | Self::Delay
            | Self::Hang
            | Self::Prefix
            | Self::UnknownTicket
            | Self::RepeatedTicket
            | Self::BrokenQueue => None,
        }
    }
}

/// How often each fault has struck.
///
/// A test of faults that has injected none has tested nothing, so it had better ask.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected([u64; Fault::ALL.len()]);

impl Injected {
    /// How often `fault` has struck.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// How often any has.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds what `other` has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    pub(super) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }
}

impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let struck = Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)));
        f.debug_map()
            .entries(struck.filter(|(_, count)| *count > 0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_counter_of_its_own() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
        let mut injected = Injected::default();
        injected.count(Fault::BrokenQueue);
        let once = injected;
        injected.add(&once);
        assert_eq!((injected.of(Fault::BrokenQueue), injected.total()), (2, 2));
        assert_eq!(format!("{injected:?}"), "{BrokenQueue: 2}");
    }
}
