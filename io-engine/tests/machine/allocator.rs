//! An allocator that counts.
#![allow(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with the number of allocations so far and of those not freed yet.
#[derive(Debug)]
pub(crate) struct Counting {
    made: AtomicUsize,
    freed: AtomicUsize,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        Self {
            made: AtomicUsize::new(0),
            freed: AtomicUsize::new(0),
        }
    }

    /// Allocations so far; one that grows or shrinks counts once more.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// Allocations that are not freed.
    pub(crate) fn live(&self) -> usize {
        self.made()
            .saturating_sub(self.freed.load(Ordering::SeqCst))
    }
}

// SAFETY: every call is handed on to the system's allocator as it came; growing is built on these
// by the trait itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.made.fetch_add(1, Ordering::Relaxed);
        // SAFETY: our caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.made.fetch_add(1, Ordering::Relaxed);
        // SAFETY: our caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        self.freed.fetch_add(1, Ordering::Relaxed);
        // SAFETY: our caller keeps the contract, which is the same.
        unsafe { System.dealloc(start, layout) }
    }
}
