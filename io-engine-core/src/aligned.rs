//! Memory with an alignment of the caller's choice, zeroed, freed on drop.
#![allow(unsafe_code, reason = "raw allocation with a chosen alignment")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;

/// Owned bytes at an address that is a multiple of the alignment. Never empty.
#[derive(Debug)]
pub(crate) struct AlignedMemory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory is owned by this value alone, as in a `Box<[u8]>`; nothing in it is bound to
// a thread.
unsafe impl Send for AlignedMemory {}
// SAFETY: a shared reference only allows reading the bytes.
unsafe impl Sync for AlignedMemory {}

impl AlignedMemory {
    pub(crate) fn zeroed(len: usize, align: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(len, align).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("no buffer of {len} bytes aligned to {align}: the alignment must be a power of two and the length below isize::MAX"),
            )
        })?;
        if len == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a buffer of 0 bytes: ask for at least 1",
            ));
        }
        // SAFETY: the layout has a size above zero, checked above.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("no memory for a buffer of {len} bytes aligned to {align}"),
            )
        })?;
        Ok(Self { start, layout })
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The address for the kernel of memory that several requests write to and nobody refers to.
    pub(crate) fn kernel_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl AsRef<[u8]> for AlignedMemory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `start` points to `layout.size()` bytes, initialised by `alloc_zeroed` and owned
        // by `self` until drop; `&self` keeps every writer out for the life of the slice.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl AsMut<[u8]> for AlignedMemory {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_ref`; `&mut self` makes this the only way to the bytes.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for AlignedMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` by the same allocator with this very layout, freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
