//! The gate refuses what the file refuses, and nothing else, also when a number is reused.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use io_engine_core::{
    AlignedPart, AlignmentGate, Buffer, DirectAlignment, IOAction, IOEvent, InvalidRequest, Request,
};
use rustix::io::fcntl_dupfd_cloexec;

fn request(fd: RawFd, offset: i64, len: usize) -> Request<()> {
    let buffer = Buffer::aligned(len).expect("memory");
    Request::from(IOEvent::new(fd, buffer, IOAction::Read, offset))
}

/// A file on disk, plain and direct, with what the direct one demands; `None`, and a report, where
/// the file system does not say.
fn files() -> Option<(File, File, DirectAlignment)> {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let named = tempfile::NamedTempFile::new_in(folder).expect("a file");
    let mut options = File::options();
    let direct = options
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(named.path());
    let found = direct.ok().and_then(|direct| {
        let alignment = DirectAlignment::of(direct.as_raw_fd())?;
        Some((direct, alignment))
    });
    let Some((direct, alignment)) = found else {
        // Past the harness, which keeps what `eprintln!` says.
        let said = "skipped: the alignment gate: no direct file with a known alignment";
        let _ = writeln!(std::io::stderr(), "{said}");
        return None;
    };
    Some((named.into_file(), direct, alignment))
}

#[test]
fn a_plain_file_demands_nothing() {
    let Some((plain, ..)) = files() else { return };
    let mut gate = AlignmentGate::default();
    for (offset, len) in [(0, 1), (1, 1), (4096, 4096), (513, 77)] {
        for _ in 0..2 {
            assert_eq!(
                gate.check(&mut request(plain.as_raw_fd(), offset, len)),
                Ok(())
            );
        }
    }
}

#[test]
fn a_direct_file_gets_what_it_demands() {
    let Some((_, direct, alignment)) = files() else {
        return;
    };
    let fd = direct.as_raw_fd();
    let unit = usize::try_from(alignment.offset).unwrap();
    let mut gate = AlignmentGate::default();
    for _ in 0..2 {
        assert_eq!(gate.check(&mut request(fd, 0, unit)), Ok(()));
        assert_eq!(
            gate.check(&mut request(fd, i64::try_from(unit).unwrap(), unit)),
            Ok(())
        );
        let misaligned = |what, given| InvalidRequest::Misaligned {
            what,
            required: alignment.offset,
            given,
        };
        let offset = gate.check(&mut request(fd, 1, unit));
        assert_eq!(offset, Err(misaligned(AlignedPart::Offset, 1)));
        let length = gate.check(&mut request(fd, 0, unit + 1));
        assert_eq!(
            length,
            Err(misaligned(AlignedPart::Length, alignment.offset + 1))
        );
    }
}

#[test]
fn what_moves_no_bytes_has_no_alignment() {
    let Some((_, direct, _)) = files() else {
        return;
    };
    let event = IOEvent::<()>::new_no_buf(direct.as_raw_fd(), IOAction::PunchHole, 1, 1);
    let mut gate = AlignmentGate::default();
    assert_eq!(gate.check(&mut Request::from(event)), Ok(()));
}

#[test]
fn a_number_that_is_no_file_passes_for_the_kernel_to_refuse() {
    let mut gate = AlignmentGate::default();
    for fd in [-1, i32::MIN, 99_999] {
        assert_eq!(gate.check(&mut request(fd, 1, 1)), Ok(()));
    }
}

#[test]
fn a_reused_number_is_never_refused_wrongly() {
    let Some((plain, direct, _)) = files() else {
        return;
    };
    let mut gate = AlignmentGate::default();
    let high: OwnedFd = fcntl_dupfd_cloexec(&direct, 700).unwrap();
    let number = high.as_raw_fd();
    gate.check(&mut request(number, 1, 1))
        .expect_err("direct and misaligned");
    drop(high);
    let reused = fcntl_dupfd_cloexec(&plain, number).unwrap();
    assert_eq!(
        reused.as_raw_fd(),
        number,
        "no other test opens numbers this high"
    );
    assert_eq!(gate.check(&mut request(number, 1, 1)), Ok(()));
}

#[test]
fn numbers_that_share_a_hint_do_not_mix() {
    let Some((plain, direct, _)) = files() else {
        return;
    };
    let mut gate = AlignmentGate::default();
    let low = fcntl_dupfd_cloexec(&direct, 500).unwrap();
    let high = fcntl_dupfd_cloexec(&plain, low.as_raw_fd() + 64).unwrap();
    for _ in 0..3 {
        gate.check(&mut request(low.as_raw_fd(), 1, 1))
            .expect_err("direct");
        assert_eq!(gate.check(&mut request(high.as_raw_fd(), 1, 1)), Ok(()));
    }
}
