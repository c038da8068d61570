//! Why an event was answered without asking the kernel.

use std::fmt;
use std::io;

/// The most bytes that the kernel moves in one call, `MAX_RW_COUNT` of Linux: 2 GiB less a page.
pub const TRANSFER_BYTES_MAX: usize = 0x7fff_f000;

/// The most buffers in one vectored call, `IOV_MAX` of Linux.
pub const SEGMENTS_MAX: usize = 1024;

/// A request that cannot work, found before the kernel saw it.
///
/// It reaches the caller inside the `io::Error` of the event's result, of kind `InvalidInput`:
///
/// ```
/// use io_engine_core::{Buffer, IOAction, IOEvent, InvalidRequest, Request};
///
/// let event = IOEvent::<()>::new(0, Buffer::aligned(4096)?, IOAction::Read, -1);
/// let invalid = Request::from(event).check().unwrap_err();
/// assert_eq!(invalid, InvalidRequest::NegativeOffset { offset: -1 });
/// assert_eq!(std::io::Error::from(invalid).kind(), std::io::ErrorKind::InvalidInput);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A read or write of no bytes, or an allocation of an empty range: a result of 0 would mean
    /// the end of the file.
    EmptyBuffer,
    /// A read or write without a buffer.
    NoBuffer,
    /// An offset below 0. To the kernel -1 would mean "the current position".
    NegativeOffset {
        /// The offset given.
        offset: i64,
    },
    /// Offset plus length above `i64::MAX`.
    OffsetOverflow {
        /// The offset given.
        offset: i64,
        /// The length given, in bytes.
        len: u64,
    },
    /// More bytes than the kernel moves in one call.
    TooLong {
        /// The length given, in bytes.
        len: u64,
        /// The most that is allowed, [`TRANSFER_BYTES_MAX`].
        max: u64,
    },
    /// A read into memory that others share, as that of a `Bytes`.
    ReadOnlyBuffer,
    /// A file open with `O_DIRECT` demands another alignment.
    Misaligned {
        /// What is misaligned.
        what: AlignedPart,
        /// The number of bytes it must be a multiple of.
        required: u64,
        /// What was given: an address, an offset or a length.
        given: u64,
    },
}

/// The part of a request that direct I/O demands an alignment of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignedPart {
    /// The address of the buffer.
    Address,
    /// The offset in the file.
    Offset,
    /// The length of the buffer.
    Length,
}

impl fmt::Display for AlignedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "buffer address",
            Self::Offset => "offset",
            Self::Length => "length",
        })
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyBuffer => write!(
                f,
                "a request of 0 bytes: give it at least 1 (a buffer made of a Vec or BytesMut covers its len, not its capacity)"
            ),
            Self::NoBuffer => write!(f, "a read or write without a buffer: use IOEvent::new"),
            Self::NegativeOffset { offset } => {
                write!(f, "offset {offset}: it must be 0 or above")
            }
            Self::OffsetOverflow { offset, len } => write!(
                f,
                "offset {offset} + length {len} is above the largest file offset {}",
                i64::MAX
            ),
            Self::TooLong { len, max } => write!(
                f,
                "a request of {len} bytes: the kernel moves at most {max} bytes in one call; split it"
            ),
            Self::ReadOnlyBuffer => write!(
                f,
                "a read into a buffer made of Bytes, which others may share: make it of BytesMut, Vec<u8> or Buffer::aligned"
            ),
            Self::Misaligned {
                what: AlignedPart::Address,
                required,
                given,
            } => write!(
                f,
                "O_DIRECT: the buffer address {given:#x} must be a multiple of {required}; Buffer::aligned_by(len, {required}) gives such memory"
            ),
            Self::Misaligned {
                what,
                required,
                given,
            } => {
                write!(
                    f,
                    "O_DIRECT: the {what} {given} must be a multiple of {required} bytes"
                )
            }
        }
    }
}

impl std::error::Error for InvalidRequest {}

impl From<InvalidRequest> for io::Error {
    fn from(invalid: InvalidRequest) -> Self {
        Self::new(io::ErrorKind::InvalidInput, invalid)
    }
}
