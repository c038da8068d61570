//! The bytes of a file in memory.

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// What is in a file of the failing file system.
#[derive(Debug, Default)]
pub(crate) struct Content(Vec<u8>);

/// A part of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// More would only be a mistake of the workload: it is in the memory of this process.
const SIZE_MAX: u64 = 1 << 30;

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        self.0.resize(place(size), 0);
    }

    /// What there is of the bytes asked for.
    pub(crate) fn read(&self, offset: u64, bytes: u32) -> &[u8] {
        let begin = place(offset).min(self.0.len());
        let end = begin.saturating_add(bytes as usize).min(self.0.len());
        &self.0[begin..end]
    }

    /// How many bytes were taken: all for which there is room.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> u32 {
        let begin = place(offset);
        let end = place(offset.saturating_add(bytes.len() as u64));
        let taken = &bytes[..end - begin];
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        self.0[begin..end].copy_from_slice(taken);
        u32::try_from(taken.len()).unwrap_or(u32::MAX)
    }

    /// What `fallocate` with these flags does, as far as it can be seen.
    pub(crate) fn allocate(&mut self, range: Range, mode: i32) -> Result<(), Errno> {
        let flags = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        let known =
            FallocateFlags::KEEP_SIZE | FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE;
        if !known.contains(flags) {
            return Err(Errno::OPNOTSUPP);
        }
        let end = range.offset.saturating_add(range.length);
        if end > SIZE_MAX {
            return Err(Errno::FBIG);
        }
        if !flags.contains(FallocateFlags::KEEP_SIZE) && self.size() < end {
            self.set_size(end);
        }
        if flags.intersects(FallocateFlags::PUNCH_HOLE | FallocateFlags::ZERO_RANGE) {
            let last = place(end).min(self.0.len());
            let first = place(range.offset).min(last);
            self.0[first..last].fill(0);
        }
        Ok(())
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset.min(SIZE_MAX)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_lies_between_is_zero() {
        let mut content = Content::default();
        assert_eq!(content.write(10, b"abc"), 3);
        assert_eq!(content.size(), 13);
        assert_eq!(content.read(8, 4), b"\0\0ab");
        assert_eq!(content.read(12, 100), b"c");
        assert_eq!(content.read(13, 1), b"");
        assert_eq!(content.write(SIZE_MAX - 1, b"xy"), 1);
    }

    #[test]
    fn allocating_grows_punches_and_zeroes_as_the_flags_say() {
        let mut content = Content::from(vec![7; 100]);
        let range = |offset, length| Range { offset, length };
        let mode = |flags: FallocateFlags| flags.bits().cast_signed();
        content.allocate(range(50, 100), 0).unwrap();
        assert_eq!(content.size(), 150);
        let keep = FallocateFlags::KEEP_SIZE;
        content.allocate(range(0, 1000), mode(keep)).unwrap();
        assert_eq!(content.size(), 150);
        let punch = mode(keep | FallocateFlags::PUNCH_HOLE);
        content.allocate(range(1, 2), punch).unwrap();
        assert_eq!(content.read(0, 4), [7, 0, 0, 7]);
        let zero = mode(FallocateFlags::ZERO_RANGE);
        content.allocate(range(140, 20), zero).unwrap();
        assert_eq!(content.size(), 160);
        assert!(
            content
                .allocate(range(0, 1), mode(FallocateFlags::COLLAPSE_RANGE))
                .is_err()
        );
        assert_eq!(content.allocate(range(SIZE_MAX, 1), 0), Err(Errno::FBIG));
    }
}
