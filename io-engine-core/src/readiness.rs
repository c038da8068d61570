//! Sleeping until a descriptor can be read.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Sleeps until `fd` can be read or its other end has hung up; `false` if `deadline` came first. Signals do
/// not end it.
///
/// # Errors
/// Those of [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html): the kernel is short of memory.
///
/// ```
/// use std::io::Write;
/// use std::time::Instant;
///
/// let (reader, mut writer) = std::io::pipe()?;
/// assert!(!io_engine_core::readable_until(&reader, Some(Instant::now()))?);
/// writer.write_all(b"x")?;
/// assert!(io_engine_core::readable_until(&reader, None)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn readable_until(fd: impl AsFd, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()) {
            Ok(readable) => return Ok(readable > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
