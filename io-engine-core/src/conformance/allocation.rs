//! The four modes of `fallocate`, on every backend with the same result.

use std::os::unix::fs::MetadataExt;

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::{Scratch, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::event::IOEvent;

/// The actions that allocate.
pub(super) const ALLOCATIONS: [IOAction; 4] = [
    IOAction::Allocate,
    IOAction::AllocateKeepSize,
    IOAction::PunchHole,
    IOAction::ZeroRange,
];

const MIB: usize = 1 << 20;
const SECTOR: u64 = 512;

/// `Allocate` gives space and grows the file.
pub fn allocating_grows_the_file<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[1; 4096]);
    if !allocate(bench, &scratch, IOAction::Allocate, (0, MIB)) {
        return;
    }
    let metadata = scratch.plain().metadata().expect("metadata");
    assert_eq!(metadata.len(), MIB as u64);
    assert!(
        metadata.blocks() * SECTOR >= MIB as u64,
        "no space was given"
    );
    let mut expected = vec![0; MIB];
    expected[..4096].fill(1);
    scratch.assert_content(&expected);
}

/// `AllocateKeepSize` gives space, and the file keeps its size.
pub fn allocating_can_keep_the_size<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[1; 4096]);
    if !allocate(bench, &scratch, IOAction::AllocateKeepSize, (0, MIB)) {
        return;
    }
    let metadata = scratch.plain().metadata().expect("metadata");
    assert_eq!(metadata.len(), 4096);
    assert!(
        metadata.blocks() * SECTOR >= MIB as u64,
        "no space was given"
    );
    scratch.assert_content(&[1; 4096]);
}

/// `PunchHole` gives the space back; the range reads as zero and its neighbours stay.
pub fn a_punched_hole_reads_as_zero_and_takes_no_space<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&vec![1; MIB]);
    scratch.plain().sync_all().expect("synced");
    let before = scratch.plain().metadata().expect("metadata").blocks();
    if !allocate(bench, &scratch, IOAction::PunchHole, (MIB / 4, MIB / 2)) {
        return;
    }
    let metadata = scratch.plain().metadata().expect("metadata");
    assert!(metadata.blocks() < before, "the space was not given back");
    scratch.assert_content(&with_zeroes(MIB / 4, MIB / 2));
}

/// `ZeroRange` makes zeroes; the range's neighbours stay.
pub fn a_zeroed_range_reads_as_zero<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&vec![1; MIB]);
    if !allocate(bench, &scratch, IOAction::ZeroRange, (MIB / 4, MIB / 2)) {
        return;
    }
    scratch.assert_content(&with_zeroes(MIB / 4, MIB / 2));
}

/// D23: a range of 2 GiB and more is no byte count: the result is 0, as for any other.
pub fn d23_a_range_beyond_two_gib_gives_zero<B: Backend<Probe>>(bench: &Bench<B>) {
    for gib in [2, 3, 5] {
        let scratch = bench.file(&[1; 8192]);
        scratch.plain().set_len(8 << 30).expect("a sparse file");
        if !allocate(bench, &scratch, IOAction::PunchHole, (4096, gib << 30)) {
            return;
        }
        let metadata = scratch.plain().metadata().expect("metadata");
        assert_eq!(metadata.len(), 8 << 30, "the size stays");
        scratch.plain().set_len(8192).expect("cut to be read");
        let mut expected = vec![1; 8192];
        expected[4096..].fill(0);
        scratch.assert_content(&expected);
    }
}

/// An allocation that the file's mode forbids is an error like any other.
pub fn allocating_in_a_read_only_file_is_ebadf<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[1; 4096]);
    let file = scratch.reopen(true, false);
    let mut pump = bench.pump(1);
    for action in ALLOCATIONS {
        let event = IOEvent::new_no_buf(&file, action, 0, 4096);
        let errno = super::scratch::errno_of(pump.perform(event).get_result());
        // Which of the two checks comes first is the kernel's business.
        let known = [libc::EBADF, libc::EOPNOTSUPP];
        assert!(known.contains(&errno), "{action:?}: errno {errno}");
    }
    scratch.assert_content(&[1; 4096]);
}

fn with_zeroes(begin: usize, len: usize) -> Vec<u8> {
    let mut content = vec![1; MIB];
    content[begin..begin + len].fill(0);
    content
}

/// Carries the allocation out; false, and a report, where the file system does not have it.
fn allocate<B: Backend<Probe>>(
    bench: &Bench<B>,
    scratch: &Scratch,
    action: IOAction,
    (offset, len): (usize, usize),
) -> bool {
    let event = IOEvent::new_no_buf(scratch.file(), action, offset_of(offset), len as u64);
    let event = bench.pump(2).perform(event);
    match event.get_result() {
        Ok(bytes) => {
            assert_eq!((bytes, event.res()), (0, 0), "an allocation moves no bytes");
            event.get_write_result().expect("done");
            true
        }
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            bench.skip(&format!("{action:?}"), &error);
            false
        }
        Err(error) => panic!("{action:?}: {error}"),
    }
}
