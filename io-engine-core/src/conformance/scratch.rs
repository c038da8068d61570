//! Files, memory and numbers that the cases work with.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use bytes::BytesMut;
use tempfile::NamedTempFile;

use super::medium::Medium;
use crate::buffer::{Buffer, DEFAULT_ALIGNMENT};

/// A file on a medium, open for reading and writing, gone on drop.
#[derive(Debug)]
pub struct Scratch {
    named: NamedTempFile,
    file: Arc<File>,
    is_direct: bool,
}

impl Scratch {
    pub(super) fn new(medium: &Medium, content: &[u8]) -> Self {
        let mut named = NamedTempFile::new_in(medium.folder()).expect("a file on the medium");
        named.write_all(content).expect("room on the medium");
        let flags = if medium.is_direct() {
            libc::O_DIRECT
        } else {
            0
        };
        let mut options = File::options();
        let options = options.read(true).write(true).custom_flags(flags);
        let file = options.open(named.path()).expect("the file opens again");
        Self {
            named,
            file: Arc::new(file),
            is_direct: medium.is_direct(),
        }
    }

    /// The file, open as the medium demands.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The same file once more, for reading or for writing alone.
    #[must_use]
    pub fn reopen(&self, read: bool, write: bool) -> Arc<File> {
        let flags = if self.is_direct { libc::O_DIRECT } else { 0 };
        let mut options = File::options();
        let options = options.read(read).write(write).custom_flags(flags);
        let file = options.open(self.named.path());
        Arc::new(file.expect("the file opens again"))
    }

    /// The same file through the page cache, whatever the medium.
    #[must_use]
    pub fn plain(&self) -> &File {
        self.named.as_file()
    }

    /// All that is in the file, read by other means than the backend.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        std::fs::read(self.named.path()).expect("the file is readable")
    }

    /// Fails unless the file holds exactly `expected`; names the first byte that differs.
    pub fn assert_content(&self, expected: &[u8]) {
        assert_same(&self.content(), expected);
    }
}

/// Fails unless both are the same; names the first byte that differs, not megabytes of both.
pub(super) fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    if let Some(at) = differs {
        panic!("byte {at}: {} instead of {}", found[at], expected[at]);
    }
}

/// Zeroed memory on both sides of a buffer, to see whether anything writes beside it.
#[must_use = "the guards are there to be looked at"]
#[derive(Debug)]
pub struct Guards {
    before: BytesMut,
    after: BytesMut,
}

const GUARD: u8 = 0xa5;

impl Guards {
    /// Memory of `len` bytes at a page's beginning, each byte `fill`, and what lies around it.
    pub fn around(len: usize, fill: u8) -> (Buffer, Self) {
        let page = DEFAULT_ALIGNMENT;
        let mut before = BytesMut::zeroed(len + 3 * page);
        let start = page + (page - before.as_ptr() as usize % page) % page;
        let mut middle = before.split_off(start);
        let mut after = middle.split_off(len);
        before.fill(GUARD);
        middle.fill(fill);
        after.fill(GUARD);
        (Buffer::from(middle), Self { before, after })
    }

    /// Fails if a byte around the buffer has changed.
    pub fn assert_untouched(&self) {
        let before = self.before.iter().rev().position(|&byte| byte != GUARD);
        let after = self.after.iter().position(|&byte| byte != GUARD);
        assert_eq!(before, None, "bytes before the buffer were written");
        assert_eq!(after, None, "bytes behind the buffer were written");
    }
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next of them.
    pub fn number(&mut self) -> u64 {
        // The mixing function of SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let below = self.number() % bound as u64;
        usize::try_from(below).expect("below a usize")
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Brings `items` into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// An offset in a file as the events want it.
pub(super) fn offset_of(position: usize) -> i64 {
    i64::try_from(position).expect("the files of the suite are small")
}

/// The errno of a result, and nothing else.
pub(super) fn errno_of<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("it must fail");
    let errno = error.raw_os_error();
    errno.unwrap_or_else(|| panic!("an error without errno: {error}"))
}
