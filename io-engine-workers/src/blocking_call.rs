//! One request, one blocking system call.
#![allow(
    unsafe_code,
    reason = "the addresses of a request are raw, and its descriptor may be none that is open"
)]

use std::io;

use io_engine_core::{IOCallback, Operation, Request};

/// Carries out an operation of a request that the caller holds until this returns, with one blocking
/// system call on this thread; returns bytes from 0 on, below 0 a negated errno.
pub(crate) fn make_call(fd: i32, operation: Operation) -> i64 {
    loop {
        let result = call_once(fd, operation);
        if result >= 0 {
            return result;
        }
        // The errno of this thread, set by the call above.
        let errno = io::Error::last_os_error().raw_os_error();
        let errno = errno.unwrap_or(libc::EIO);
        if errno != libc::EINTR {
            return -i64::from(errno);
        }
    }
}

/// Reads what is left of `request`, a lone read, if its bytes can be had without waiting for a device;
/// returns bytes from 0 on, below 0 a negated errno. `None` if it would have to wait, if the kernel
/// cannot tell, or if it is anything else.
///
/// One system call, [`preadv2(2)`] with `RWF_NOWAIT`. It may bring only the first part, where the rest
/// is not in the page cache. Not for files open with `O_DIRECT`, which always wait.
///
/// # Panics
/// As [`Request::operation`]: what fails [`Request::check`] may not come here.
///
/// [`preadv2(2)`]: https://man7.org/linux/man-pages/man2/readv.2.html
#[inline]
pub fn read_at_once<C: IOCallback>(request: &mut Request<C>) -> Option<i64> {
    let Operation::Read { start, len, offset } = request.operation() else {
        return None;
    };
    let segment = libc::iovec {
        iov_base: start.cast(),
        iov_len: len as usize,
    };
    let offset = offset.cast_signed();
    // SAFETY: the request, which our caller holds until this returns, owns `len` writable bytes at
    // `start`: `Request::operation` gives none out that are not. The segment is of this frame.
    let bytes = unsafe {
        libc::preadv2(
            request.fd(),
            &raw const segment,
            1,
            offset,
            libc::RWF_NOWAIT,
        )
    };
    if bytes >= 0 {
        return Some(bytes as i64);
    }
    match io::Error::last_os_error().raw_os_error() {
        None
        | Some(libc::EAGAIN | libc::EINTR | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS) => None,
        Some(errno) => Some(-i64::from(errno)),
    }
}

/// Bytes, or -1 with the thread's errno. The addresses in `operation` must be those of a request
/// that the caller holds.
fn call_once(fd: i32, operation: Operation) -> i64 {
    match operation {
        Operation::Read { start, len, offset } => {
            let (len, offset) = (len as usize, offset.cast_signed());
            // SAFETY: the request, which our caller holds until this returns, owns `len` writable
            // bytes at `start`: `Request::operation` gives none out that are not.
            let bytes = unsafe { libc::pread64(fd, start.cast(), len, offset) };
            bytes as i64
        }
        Operation::Write { start, len, offset } => {
            let (len, offset) = (len as usize, offset.cast_signed());
            // SAFETY: the request, which our caller holds until this returns, owns `len`
            // initialised bytes at `start`, and nobody changes them while it does.
            let bytes = unsafe { libc::pwrite64(fd, start.cast(), len, offset) };
            bytes as i64
        }
        Operation::ReadVectored {
            segments,
            count,
            offset,
        } => {
            let (count, offset) = (count.cast_signed(), offset.cast_signed());
            // SAFETY: the request, which our caller holds until this returns, owns the `count`
            // segments and the writable bytes that they lead to, and lays them out anew only for
            // the next operation.
            let bytes = unsafe { libc::preadv64(fd, segments, count, offset) };
            bytes as i64
        }
        Operation::WriteVectored {
            segments,
            count,
            offset,
        } => {
            let (count, offset) = (count.cast_signed(), offset.cast_signed());
            // SAFETY: the request, which our caller holds until this returns, owns the `count`
            // segments and the initialised bytes that they lead to, and lays them out anew only
            // for the next operation.
            let bytes = unsafe { libc::pwritev64(fd, segments, count, offset) };
            bytes as i64
        }
        Operation::Sync => {
            // SAFETY: it takes no pointer; a number that is not open is answered with EBADF.
            i64::from(unsafe { libc::fsync(fd) })
        }
        Operation::DataSync => {
            // SAFETY: it takes no pointer; a number that is not open is answered with EBADF.
            i64::from(unsafe { libc::fdatasync(fd) })
        }
        Operation::Allocate { mode, offset, len } => {
            let (offset, len) = (offset.cast_signed(), len.cast_signed());
            // SAFETY: it takes no pointer; a number that is not open is answered with EBADF.
            i64::from(unsafe { libc::fallocate64(fd, mode, offset, len) })
        }
        Operation::Nop => 0,
    }
}
