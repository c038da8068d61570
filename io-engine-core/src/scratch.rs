//! Memory that the kernel writes to and nobody reads: for the holes between the reads of a run.

use std::io;
use std::sync::Arc;

use crate::aligned::AlignedMemory;
use crate::buffer::DEFAULT_ALIGNMENT;

/// Where the bytes between two reads of a run go when they are read over.
///
/// Cheap to clone; all clones are one piece of memory, and each run that uses it keeps it until the
/// kernel is done with it. Several requests may write to it at the same time: its bytes mean nothing,
/// so nobody ever refers to them and only the address is given out, to the kernel.
///
/// ```
/// use io_engine_core::Scratch;
///
/// let scratch = Scratch::new(5000)?;
/// assert_eq!(scratch.bytes(), 8192);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scratch {
    memory: Arc<AlignedMemory>,
    bytes: usize,
}

impl Scratch {
    /// Memory for holes of up to `bytes`, which is rounded up to a multiple of
    /// [`DEFAULT_ALIGNMENT`], as direct I/O demands.
    ///
    /// # Errors
    /// `InvalidInput` if `bytes` is 0 or near `usize::MAX`, `OutOfMemory` if there is none.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let rounded = bytes.checked_next_multiple_of(DEFAULT_ALIGNMENT);
        let bytes = rounded.unwrap_or(usize::MAX);
        let memory = AlignedMemory::zeroed(bytes, DEFAULT_ALIGNMENT)?;
        Ok(Self {
            memory: Arc::new(memory),
            bytes,
        })
    }

    /// The longest hole that it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the kernel writes to. Nobody else may read or write there.
    pub(crate) fn kernel_ptr(&self) -> *mut u8 {
        self.memory.kernel_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clones_are_the_same_aligned_memory() {
        let scratch = Scratch::new(1).unwrap();
        assert_eq!(scratch.bytes(), DEFAULT_ALIGNMENT);
        assert_eq!(scratch.kernel_ptr() as usize % DEFAULT_ALIGNMENT, 0);
        assert_eq!(scratch.clone().kernel_ptr(), scratch.kernel_ptr());
    }

    #[test]
    fn no_memory_is_an_error() {
        assert!(Scratch::new(0).is_err());
        assert!(Scratch::new(usize::MAX).is_err());
    }
}
