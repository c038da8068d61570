//! The program's allocator. Where it is told to, it puts a page-aligned buffer on pages of its own, behind
//! a page that nobody may touch, and takes all access away when the buffer is freed: whoever still uses
//! the address, the kernel included, fails.
//!
//! An address is used once. What lies between the end of a buffer and its last page is filled, and looked
//! at when the buffer is freed.
#![allow(unsafe_code, reason = "it is an allocator, and maps memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};

/// The allocator of this program.
#[global_allocator]
static MEMORY: GuardedMemory = GuardedMemory;

#[derive(Debug)]
struct GuardedMemory;

const PAGE: usize = 4096;
/// What is beside a buffer on its last page.
const CANARY: u8 = 0x5c;
/// Address space without memory behind it: enough for a thousand million buffers.
const RANGE_BYTES: usize = 1 << 43;
/// The page tables of so much address space are given back together.
const CHUNK_BYTES: usize = 1 << 26;
/// Longer buffers are left to the system.
const BUFFER_BYTES_MAX: usize = CHUNK_BYTES / 4;

thread_local! {
    /// Whether this thread asks for guarded pages.
    static IS_WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Where the range begins; 0 while there is none.
static RANGE: AtomicUsize = AtomicUsize::new(0);
static PLACES: Mutex<Places> = Mutex::new(Places {
    next: 0,
    live: [0; RANGE_BYTES / CHUNK_BYTES],
});
static MADE: AtomicU64 = AtomicU64::new(0);
static OVERWRITTEN: AtomicU64 = AtomicU64::new(0);

/// Which places of the range are used.
struct Places {
    /// The first that never was.
    next: usize,
    /// How many buffers live in each chunk.
    live: [u32; RANGE_BYTES / CHUNK_BYTES],
}

impl Places {
    /// A place for pages of so many bytes behind one without access; within one chunk.
    fn take(&mut self, bytes: usize) -> Option<usize> {
        let needed = PAGE + bytes;
        if self.next % CHUNK_BYTES + needed > CHUNK_BYTES - PAGE {
            self.next = self.next.next_multiple_of(CHUNK_BYTES);
        }
        let place = self.next + PAGE;
        *self.live.get_mut(place / CHUNK_BYTES)? += 1;
        self.next += needed;
        Some(place)
    }

    /// The chunk of `place`, if nothing is left in it and nothing more will be.
    fn give_back(&mut self, place: usize) -> Option<usize> {
        let chunk = place / CHUNK_BYTES;
        self.live[chunk] -= 1;
        let is_over = self.live[chunk] == 0 && self.next / CHUNK_BYTES > chunk;
        is_over.then_some(chunk * CHUNK_BYTES)
    }
}

/// Calls `make`, whose page-aligned buffers are guarded, if there is address space for it.
pub(crate) fn on_guarded_pages<T>(make: impl FnOnce() -> T) -> T {
    let before = IS_WANTED.replace(has_range());
    let made = make();
    IS_WANTED.set(before);
    made
}

/// Maps the range if that was not done yet.
fn has_range() -> bool {
    let is_there = || RANGE.load(Ordering::SeqCst) != 0;
    if is_there() {
        return true;
    }
    let _places = places();
    if is_there() {
        return true;
    }
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    let nowhere = ptr::null_mut();
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
    let mapped = unsafe { mmap_anonymous(nowhere, RANGE_BYTES, ProtFlags::empty(), flags) };
    if let Ok(start) = mapped {
        RANGE.store(start.expose_provenance(), Ordering::SeqCst);
    }
    mapped.is_ok()
}

/// How many buffers were guarded so far.
pub(crate) fn made() -> u64 {
    MADE.load(Ordering::SeqCst)
}

/// How many buffers had the bytes behind them overwritten when they were freed.
pub(crate) fn overwritten() -> u64 {
    OVERWRITTEN.load(Ordering::SeqCst)
}

fn places() -> MutexGuard<'static, Places> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place in the range of an address, if it is one of ours.
fn place_of(start: *mut u8) -> Option<usize> {
    let range = RANGE.load(Ordering::Relaxed);
    let place = start.addr().wrapping_sub(range);
    (range != 0 && place < RANGE_BYTES).then_some(place)
}

fn address_of(place: usize) -> *mut u8 {
    ptr::with_exposed_provenance_mut(RANGE.load(Ordering::Relaxed) + place)
}

fn is_to_guard(layout: Layout) -> bool {
    let is_ours = layout.align() == PAGE && layout.size() <= BUFFER_BYTES_MAX;
    is_ours && IS_WANTED.get()
}

/// Zeroed memory on pages of its own; `None` if the system refuses.
fn guarded(len: usize) -> Option<*mut u8> {
    let bytes = len.next_multiple_of(PAGE);
    let place = places().take(bytes)?;
    let start = address_of(place);
    let access = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: these pages belong to our range, and nobody else was or will be given this place.
    if unsafe { mprotect(start.cast(), bytes, access) }.is_err() {
        places().give_back(place);
        return None;
    }
    // SAFETY: `len` is at most the length of the pages that have just become accessible.
    let rest = unsafe { start.add(len) };
    // SAFETY: from `rest` on there are so many bytes to the end of the pages, which are ours alone.
    unsafe { ptr::write_bytes(rest, CANARY, bytes - len) };
    MADE.fetch_add(1, Ordering::Relaxed);
    Some(start)
}

fn release(start: *mut u8, place: usize, len: usize) {
    if !is_intact(start, len) {
        OVERWRITTEN.fetch_add(1, Ordering::SeqCst);
    }
    take_access(start, len.next_multiple_of(PAGE));
    let mut places = places();
    if let Some(chunk) = places.give_back(place) {
        take_access(address_of(chunk), CHUNK_BYTES);
    }
}

/// Whether nobody has written behind a guarded buffer, which was not released yet.
fn is_intact(start: *mut u8, len: usize) -> bool {
    // SAFETY: the buffer has `len` bytes, on pages that are accessible until it is released.
    let rest = unsafe { start.add(len) };
    // SAFETY: these bytes were filled when the buffer was made, and lie on its last page.
    let rest = unsafe { slice::from_raw_parts(rest, len.next_multiple_of(PAGE) - len) };
    rest.iter().all(|byte| *byte == CANARY)
}

/// Gives memory back and takes all access away.
fn take_access(start: *mut u8, bytes: usize) {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    let none = ProtFlags::empty();
    // SAFETY: everything on these pages was freed by its owner; that every later use of the addresses
    // fails is what this is for.
    let mapped = unsafe { mmap_anonymous(start.cast(), bytes, none, flags) };
    // The system may be out of mappings. Then the pages stay as they are, and are not used again.
    let _ = mapped;
}

// SAFETY: guarded buffers are pages of our own range, zeroed by the kernel, aligned to a page and never
// given out twice; everything else is handed on to the system's allocator as it came. By its address
// each is given back to where it came from.
unsafe impl GlobalAlloc for GuardedMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let guarded = is_to_guard(layout).then(|| guarded(layout.size()));
        // SAFETY: our caller keeps the contract, which is the same.
        guarded
            .flatten()
            .unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let guarded = is_to_guard(layout).then(|| guarded(layout.size()));
        // SAFETY: our caller keeps the contract, which is the same.
        guarded
            .flatten()
            .unwrap_or_else(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        match place_of(start) {
            Some(place) => release(start, place, layout.size()),
            // SAFETY: it does not lie in our range, so it came from the system.
            None => unsafe { System.dealloc(start, layout) },
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let is_system = place_of(start).is_none() && layout.align() < PAGE;
        if is_system {
            // SAFETY: it came from the system, and our caller keeps the contract.
            return unsafe { System.realloc(start, layout, size) };
        }
        // SAFETY: the caller promises that `size`, rounded up to the alignment, is no overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `size` is above zero, as the caller promises.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both have at least so many bytes, and one of them is new.
            unsafe { ptr::copy_nonoverlapping(start, moved, layout.size().min(size)) };
            // SAFETY: it was allocated with this layout, and its bytes have moved.
            unsafe { self.dealloc(start, layout) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use io_engine::Buffer;

    use super::*;

    /// Whether the page of `address` can be read, as the kernel sees it.
    fn is_readable(address: usize) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let found = maps.lines().find_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (begin, end) = range.split_once('-')?;
            let begin = usize::from_str_radix(begin, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            (begin..end)
                .contains(&address)
                .then(|| rest.starts_with('r'))
        });
        found.unwrap_or(false)
    }

    #[test]
    fn a_buffer_has_a_closed_page_on_both_sides_and_is_closed_when_it_is_freed() {
        for len in [1, 4095, 4096, 5000, 1 << 20] {
            let mut buffer = on_guarded_pages(|| Buffer::aligned(len).unwrap());
            assert!(buffer.iter().all(|byte| *byte == 0));
            buffer.fill(1);
            let begin = buffer.as_ptr() as usize;
            assert!(is_readable(begin) && !is_readable(begin - 1));
            assert!(!is_readable((begin + len).next_multiple_of(PAGE)));
            drop(buffer);
            assert!(!is_readable(begin));
        }
        assert!(made() >= 5);
    }

    #[test]
    fn a_byte_behind_a_buffer_that_was_overwritten_is_seen() {
        for len in [1, 100, 5000] {
            let mut buffer = on_guarded_pages(|| Buffer::aligned(len).unwrap());
            let start = buffer.as_mut_ptr();
            assert!(is_intact(start, len));
            // SAFETY: the byte lies on the last page of the buffer.
            let behind = unsafe { start.add(len) };
            // SAFETY: as above; only the allocator reads it.
            unsafe { behind.write(1) };
            assert!(!is_intact(start, len));
            // SAFETY: as above.
            unsafe { behind.write(CANARY) };
        }
    }

    #[test]
    fn places_are_never_given_twice_and_lie_within_a_chunk() {
        let mut places = Places {
            next: 0,
            live: [0; RANGE_BYTES / CHUNK_BYTES],
        };
        let mut end = 0;
        let mut over = 0;
        for round in 0..3000 {
            let bytes = (1 + round % 16) * PAGE;
            let place = places.take(bytes).unwrap();
            assert!(place >= end + PAGE);
            assert_eq!(place / CHUNK_BYTES, (place + bytes) / CHUNK_BYTES);
            end = place + bytes;
            over += usize::from(places.give_back(place).is_some());
        }
        assert_eq!(over, 0, "a chunk that still gets buffers is not over");
        let first = places.take(PAGE).unwrap();
        places.next = places.next.next_multiple_of(CHUNK_BYTES);
        assert!(places.give_back(first).is_some());
    }
}
