//! Finding misaligned direct I/O before the kernel does, without a system call per request.

use std::os::fd::RawFd;

use crate::callback::IOCallback;
use crate::event::IOEvent;
use crate::file::DirectAlignment;
use crate::invalid_request::InvalidRequest;
use crate::request::Request;

/// Refuses requests that are misaligned for a file open with `O_DIRECT`.
///
/// What is aligned to 4096 bytes passes at once. For anything else it remembers per descriptor
/// number whether the file is direct, as a hint: before it refuses it asks the kernel again, so a
/// number that has been closed and reused never causes a wrong refusal. A stale hint the other way
/// lets a misaligned request through, which the kernel then refuses harmlessly, with the same
/// [`InvalidRequest`] in its completion.
#[derive(Debug)]
pub struct AlignmentGate {
    hints: [Hint; HINTS],
}

/// One hint per descriptor number modulo this: programs have few files open at a time, and a
/// displaced hint costs two system calls.
const HINTS: usize = 64;

/// What is aligned to this passes unseen: no device in use demands more.
const CERTAINLY_ALIGNED: u64 = 4096;

#[derive(Clone, Copy, Debug)]
struct Hint {
    fd: RawFd,
    alignment: Option<DirectAlignment>,
}

impl Default for AlignmentGate {
    fn default() -> Self {
        Self {
            hints: [Hint {
                fd: -1,
                alignment: None,
            }; HINTS],
        }
    }
}

impl AlignmentGate {
    /// Whether [`check`](Self::check) lets a request of this event pass without looking at its file:
    /// no bytes are moved, or they are aligned to 4096.
    #[inline]
    #[must_use]
    pub fn passes_unseen<C: IOCallback>(event: &IOEvent<C>) -> bool {
        !event.action().moves_bytes() || event.is_aligned_to(CERTAINLY_ALIGNED)
    }

    /// Lets `request` pass, or says what is misaligned.
    ///
    /// # Errors
    /// [`InvalidRequest::Misaligned`].
    pub fn check<C: IOCallback>(&mut self, request: &mut Request<C>) -> Result<(), InvalidRequest> {
        if !request.action().moves_bytes() || request.is_aligned_to(CERTAINLY_ALIGNED) {
            return Ok(());
        }
        let fd = request.fd();
        let Ok(number) = usize::try_from(fd) else {
            return Ok(());
        };
        let hint = &mut self.hints[number % HINTS];
        if hint.fd == fd
            && hint
                .alignment
                .is_none_or(|known| request.check_alignment(known).is_ok())
        {
            return Ok(());
        }
        *hint = Hint {
            fd,
            alignment: DirectAlignment::of(fd),
        };
        hint.alignment
            .map_or(Ok(()), |alignment| request.check_alignment(alignment))
    }
}
