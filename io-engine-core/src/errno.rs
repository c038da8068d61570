//! The kernel's error numbers: the only file that gives them a meaning.

use std::io;

/// What an errno asks of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is wrong with the request; it is to be sent again.
    Transient,
    /// The answer to a misaligned request, among others.
    Invalid,
    /// The request has failed.
    Final,
}

pub(crate) fn verdict(errno: i32) -> Verdict {
    match errno {
        // Nobody here cancels. The kernel does where it fails to start a worker of io_uring, as it may when
        // signals keep coming or threads are limited, and where the thread that sent the request ends: the
        // request was not begun. A file that says so for reasons of its own cannot be told from that.
        libc::EINTR | libc::EAGAIN | libc::ECANCELED => Verdict::Transient,
        libc::EINVAL => Verdict::Invalid,
        _ => Verdict::Final,
    }
}

/// What an event fails with whose request got a [transient](Verdict::Transient) errno too often in a row.
pub(crate) fn after_too_many_attempts(errno: i32) -> i32 {
    match errno {
        libc::ECANCELED => errno,
        _ => STAYED_BUSY,
    }
}

// The kernel's numbers end at 4095. Those beyond are the engine's own; they keep `res` a plain
// number and never meet the kernel.

/// A write that moved no byte, though there were bytes to move.
pub(crate) const WRITE_ZERO: i32 = 5001;
/// The kernel asked to try again more often than is sensible.
pub(crate) const STAYED_BUSY: i32 = 5002;
/// The queue to the kernel broke while the request was inside.
pub(crate) const QUEUE_BROKEN: i32 = 5003;
/// The queue to the engine did not take the event, and whoever held it went away.
pub(crate) const QUEUE_CLOSED: i32 = 5004;
/// A direct transfer came to no place beyond the one that it had reached, again and again.
pub(crate) const NO_PROGRESS: i32 = 5005;
/// The engine ended before the request was answered.
pub(crate) const GIVEN_UP: i32 = 5006;
/// The kernel was made to let go of the request before it was carried out, or it may be repeated.
pub(crate) const NOT_CARRIED_OUT: i32 = 5007;

/// How often in a row a request is sent again before its event fails.
pub(crate) const ATTEMPTS_MAX: u32 = 1000;

/// Whether a sync that ends with it may have lost bytes: not if it was not for the file, or never begun.
pub(crate) fn loses_written_bytes(errno: i32) -> bool {
    !matches!(
        errno,
        libc::EBADF
            | libc::EINVAL
            | libc::EROFS
            | libc::ENOSYS
            | libc::EOPNOTSUPP
            | libc::ECANCELED
            | libc::EINTR
            | libc::EAGAIN
            | libc::EPERM
            | STAYED_BUSY
            | QUEUE_CLOSED
            | NOT_CARRIED_OUT
    )
}

pub(crate) fn to_io_error(errno: i32) -> io::Error {
    match errno {
        WRITE_ZERO => io::Error::new(
            io::ErrorKind::WriteZero,
            "the file took none of the remaining bytes and gave no error",
        ),
        STAYED_BUSY => io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "the kernel asked {ATTEMPTS_MAX} times in a row to try again; is the file a pipe or socket with O_NONBLOCK?"
            ),
        ),
        NO_PROGRESS => io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "the file moved {ATTEMPTS_MAX} times in a row no more bytes than it had moved before, and fewer than to the next sector"
            ),
        ),
        QUEUE_BROKEN => io::Error::new(
            io::ErrorKind::BrokenPipe,
            "the queue to the kernel broke while the request was inside; the log names the cause. A buffer that the kernel may still use is not returned",
        ),
        QUEUE_CLOSED => io::Error::new(
            io::ErrorKind::BrokenPipe,
            "the event was never handed to the engine: its queue was closed or refused it, and nobody was left to take it back",
        ),
        GIVEN_UP => io::Error::new(
            io::ErrorKind::BrokenPipe,
            "the engine ended before the request was answered: at the deadline of its shutdown, or on a thread that could not wait for it. A buffer that the kernel may still use is not returned",
        ),
        NOT_CARRIED_OUT => io::Error::new(
            io::ErrorKind::BrokenPipe,
            "the queue to the kernel was forbidden before the request was carried out; the log names the cause. It can be handed to another queue",
        ),
        errno => io::Error::from_raw_os_error(errno),
    }
}
