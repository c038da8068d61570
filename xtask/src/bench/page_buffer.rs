//! Memory for one I/O that starts on a page: what `O_DIRECT` and every engine can take.
#![allow(unreachable_pub, reason = "public in the library of the peers")]
#![allow(unsafe_code, reason = "pages as a slice of bytes")]

use std::ops::{Deref, DerefMut};
use std::slice;

/// Owned memory that starts on a page, full of bytes that do not compress.
#[derive(Debug)]
pub struct PageBuffer {
    pages: Vec<Page>,
    len: usize,
}

const PAGE: usize = 4096;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

const _: () = assert!(size_of::<Page>() == PAGE);

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Page")
    }
}

impl PageBuffer {
    /// `len` bytes, the same for the same seed; at least one page is kept.
    pub fn filled(len: usize, seed: u64) -> Self {
        let mut pages = vec![Page([0; PAGE]); len.div_ceil(PAGE).max(1)];
        let mut random = RandomNumbers::new(seed);
        for page in &mut pages {
            fill(&mut page.0, &mut random);
        }
        Self { pages, len }
    }

    /// Where the bytes are; they stay there for as long as the buffer lives, wherever it moves.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.pages.as_mut_ptr().cast()
    }
}

impl Deref for PageBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the pages lie one behind the other with nothing in between, and `len` is at most
        // their sum; `&self` keeps them alive and unchanged for the life of the slice.
        unsafe { slice::from_raw_parts(self.pages.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for PageBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes this the only way to the bytes.
        unsafe { slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast(), self.len) }
    }
}

/// Fills memory of another kind with such bytes.
pub fn fill(bytes: &mut [u8], random: &mut RandomNumbers) {
    for chunk in bytes.chunks_mut(8) {
        let number = random.next().to_ne_bytes();
        chunk.copy_from_slice(&number[..chunk.len()]);
    }
}

/// Random numbers at the cost of a few instructions each: splitmix64.
#[derive(Clone, Debug)]
pub struct RandomNumbers(u64);

impl RandomNumbers {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_on_a_page_and_stays_there_when_it_moves() {
        for len in [0, 1, 4096, 4097, 131_072] {
            let mut buffer = PageBuffer::filled(len, 1);
            let address = buffer.as_mut_ptr();
            assert_eq!((address as usize % PAGE, buffer.len()), (0, len));
            let moved = Box::new(buffer);
            assert_eq!(moved.as_ptr(), address.cast_const());
        }
    }

    #[test]
    fn the_bytes_depend_on_the_seed_and_fill_every_page() {
        let bytes = |seed| PageBuffer::filled(8000, seed).to_vec();
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
        let last_page = &bytes(1)[4096..];
        assert!(last_page.iter().filter(|byte| **byte == 0).count() < 64);
    }

    #[test]
    fn the_last_byte_can_be_written() {
        let mut buffer = PageBuffer::filled(4097, 1);
        buffer[4096] = 7;
        assert_eq!(buffer.last(), Some(&7));
    }
}
