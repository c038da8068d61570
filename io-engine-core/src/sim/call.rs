//! What a simulated disk is asked for: one operation, with its memory as numbers.

use std::os::fd::RawFd;

use super::rules::Target;
use super::user_memory::UserMemory;
use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::file::DirectAlignment;
use crate::operation::Operation;
use crate::request::{Request, Run};

/// One call, as a queue entry would carry it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) fd: RawFd,
    pub(super) deed: Deed,
    pub(super) memory: UserMemory,
    action: IOAction,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Read { offset: u64 },
    Write { offset: u64 },
    Sync,
    DataSync,
    Allocate { mode: i32, offset: u64, len: u64 },
    Nop,
}

impl Call {
    /// What `request` asks for next. It stays in its slot until the call has been answered.
    pub(super) fn of<C: IOCallback>(request: &mut Request<C>) -> Self {
        let operation = request.operation();
        let deed = match operation {
            Operation::Read { offset, .. } | Operation::ReadVectored { offset, .. } => {
                Deed::Read { offset }
            }
            Operation::Write { offset, .. } | Operation::WriteVectored { offset, .. } => {
                Deed::Write { offset }
            }
            Operation::Sync => Deed::Sync,
            Operation::DataSync => Deed::DataSync,
            Operation::Allocate { mode, offset, len } => Deed::Allocate { mode, offset, len },
            Operation::Nop => Deed::Nop,
        };
        let scratch = match &request.run {
            Run::One(_) => None,
            Run::Many(merged) => merged.scratch(),
        };
        Self {
            fd: request.fd(),
            deed,
            memory: UserMemory::of(&operation, scratch),
            action: request.action(),
        }
    }

    /// What a rule looks at.
    pub(super) fn target(&self) -> Target {
        Target {
            fd: self.fd,
            action: self.action,
            len: self.memory.len(),
        }
    }

    /// Whether the file takes it: a direct one takes whole sectors.
    pub(super) fn is_aligned(&self) -> bool {
        let (Deed::Read { offset } | Deed::Write { offset }) = self.deed else {
            return true;
        };
        DirectAlignment::of(self.fd).is_none_or(|demanded| {
            offset.is_multiple_of(demanded.offset)
                && self.memory.starts_at_multiples_of(demanded.memory)
                && (self.memory.len() as u64).is_multiple_of(demanded.offset)
        })
    }
}
