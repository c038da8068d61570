//! The buffer of a slot as a slice, for the APIs of the peers.
#![allow(
    unsafe_code,
    reason = "the shared page buffer hands out addresses, the peers take slices"
)]

use std::ops::{Deref, DerefMut};

use super::cell::CellSpec;
use super::page_buffer::PageBuffer;

/// Owned memory of one block that starts on a page. Its bytes do not move when it does.
#[derive(Debug)]
pub struct Memory(PageBuffer);

impl Memory {
    /// One block of the cell, full of bytes that differ from slot to slot.
    pub fn of(spec: &CellSpec, slot: usize) -> Self {
        Self(PageBuffer::filled(
            spec.block as usize,
            spec.seed ^ slot as u64,
        ))
    }
}

impl Deref for Memory {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the pages behind the address belong to the buffer, hold at least `len` bytes, and
        // were written when it was made; nobody writes to them while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }
}

impl DerefMut for Memory {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and the address is that of a buffer borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr(), self.0.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executable::tests::spec;

    #[test]
    fn a_block_starts_on_a_page_and_keeps_what_is_written() {
        let mut memory = Memory::of(&spec(), 3);
        assert_eq!((memory.len(), memory.as_ptr() as usize % 4096), (4096, 0));
        assert_ne!(*memory, *Memory::of(&spec(), 4));
        let last = memory.len() - 1;
        memory[last] = memory[last].wrapping_add(1);
        assert_ne!(*memory, *Memory::of(&spec(), 3));
    }
}
