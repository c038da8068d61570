//! One operation of the model check: all that is needed to do it again.

use bytes::{Bytes, BytesMut};
use io_engine::Buffer;
use io_engine::sim::Dice;
use io_engine::tasks::IOAction;
use serde::{Deserialize, Serialize};

use super::guarded_memory::on_guarded_pages;

/// What is asked for, where, and with which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    #[serde(with = "ActionName")]
    pub(crate) action: IOAction,
    /// Offset in the file, in bytes.
    pub(crate) begin: usize,
    pub(crate) len: usize,
    pub(crate) memory: Memory,
    /// What a write writes follows from it, so that every write writes other bytes.
    pub(crate) tag: u64,
}

/// Where the bytes of an event are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Memory {
    /// On guarded pages, at the beginning of one.
    Guarded,
    /// At a multiple of what any disk demands, among other memory.
    Aligned,
    Vec,
    /// At an odd address.
    BytesMut,
    /// Shared memory, which only a write can use.
    Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "IOAction", rename_all = "snake_case")]
enum ActionName {
    Read,
    Write,
    Sync,
    DataSync,
    Allocate,
    AllocateKeepSize,
    PunchHole,
    ZeroRange,
    Nop,
}

/// What a read finds in its buffer, to be told from what it should have brought.
const UNREAD: u8 = 0xa7;

/// What lies in a buffer behind the bytes that are asked for, and how much of it.
const CANARY: u8 = 0x6b;
const CANARY_BYTES: usize = 32;

const NO_MEMORY: &str = "lengths are above 0, and there is memory";

/// Enough for direct I/O to every disk with sectors of up to this.
const ALIGNMENT: usize = 512;

impl Operation {
    /// Whether it is about the bytes of its range; the others are about the file, or about nothing.
    pub(crate) fn is_about_bytes(&self) -> bool {
        self.action.moves_bytes() || self.action.allocate_mode().is_some()
    }

    /// Whether both cannot be under way at the same time with a result that is certain.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let apart = self.begin + self.len <= other.begin || other.begin + other.len <= self.begin;
        let both_read = self.action == IOAction::Read && other.action == IOAction::Read;
        !apart && !both_read && self.is_about_bytes() && other.is_about_bytes()
    }

    /// Where the file ends at the latest afterwards, if this can make it longer.
    pub(crate) fn grows_to(&self) -> Option<usize> {
        let grows = matches!(
            self.action,
            IOAction::Write | IOAction::Allocate | IOAction::ZeroRange
        );
        grows.then_some(self.begin + self.len)
    }

    /// Fills `bytes` with what a write writes.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        Dice::new(self.tag).fill(bytes);
    }

    /// The buffer, if it needs one.
    pub(crate) fn buffer(&self) -> Option<Buffer> {
        if !self.action.moves_bytes() {
            return None;
        }
        let space = self.len + CANARY_BYTES;
        let mut buffer = match self.memory {
            Memory::Guarded => on_guarded_pages(|| Buffer::aligned(space)).expect(NO_MEMORY),
            Memory::Aligned => Buffer::aligned_by(space, ALIGNMENT).expect(NO_MEMORY),
            Memory::Vec => Buffer::from(vec![0; space]),
            Memory::BytesMut => Buffer::from(BytesMut::zeroed(space + 1).split_off(1)),
            Memory::Bytes => {
                let mut bytes = vec![0; self.len];
                self.fill(&mut bytes);
                return Some(Buffer::from(Bytes::from(bytes)));
            }
        };
        buffer[self.len..].fill(CANARY);
        buffer.set_len(self.len).expect("less than there is");
        if self.action == IOAction::Write {
            self.fill(&mut buffer);
        } else {
            buffer.fill(UNREAD);
        }
        Some(buffer)
    }

    /// Whether nothing was written behind the bytes that were asked for.
    pub(crate) fn is_intact(&self, buffer: &mut Buffer) -> bool {
        if self.memory == Memory::Bytes {
            return true;
        }
        let len = buffer.len();
        let is_whole = buffer.set_len(self.len + CANARY_BYTES).is_ok();
        let is_intact = is_whole && buffer[self.len..].iter().all(|byte| *byte == CANARY);
        is_intact && buffer.set_len(len).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(action: IOAction, begin: usize, len: usize) -> Operation {
        Operation {
            action,
            begin,
            len,
            memory: Memory::Guarded,
            tag: 7,
        }
    }

    #[test]
    fn reads_share_bytes_and_nothing_else_does() {
        let read = operation(IOAction::Read, 0, 10);
        let write = operation(IOAction::Write, 9, 10);
        let hole = operation(IOAction::PunchHole, 18, 1);
        assert!(!read.excludes(&read));
        assert!(read.excludes(&write) && write.excludes(&read) && hole.excludes(&write));
        assert!(!read.excludes(&hole));
        assert!(!operation(IOAction::Sync, 0, 100).excludes(&write));
    }

    #[test]
    fn every_memory_has_the_bytes_of_the_tag() {
        let mut expected = [0; 100];
        operation(IOAction::Write, 0, 100).fill(&mut expected);
        for memory in [
            Memory::Guarded,
            Memory::Aligned,
            Memory::Vec,
            Memory::BytesMut,
            Memory::Bytes,
        ] {
            let mut write = operation(IOAction::Write, 0, 100);
            write.memory = memory;
            let mut buffer = write.buffer().unwrap();
            assert_eq!(*buffer, expected);
            assert!(write.is_intact(&mut buffer));
            assert_eq!(buffer.len(), 100);
        }
    }

    #[test]
    fn a_byte_behind_what_was_asked_for_is_seen() {
        let read = operation(IOAction::Read, 0, 100);
        let mut buffer = read.buffer().unwrap();
        buffer.set_len(101).unwrap();
        buffer[100] = 0;
        buffer.set_len(50).unwrap();
        assert!(!read.is_intact(&mut buffer));
    }

    #[test]
    fn it_is_written_down_and_read_again() {
        let one = operation(IOAction::AllocateKeepSize, 5, 6);
        let text = serde_json::to_string(&one).unwrap();
        assert!(text.contains("\"allocate_keep_size\""), "{text}");
        assert_eq!(serde_json::from_str::<Operation>(&text).unwrap(), one);
    }
}
