//! The memory of an event: an owned region of initialised bytes.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

use bytes::{Bytes, BytesMut};

use crate::aligned::AlignedMemory;

/// An owned region of bytes that an event reads into or writes from.
///
/// It is made of zeroed memory with an alignment ([`Buffer::aligned`], for `O_DIRECT`), or of a
/// `Vec<u8>`, a [`BytesMut`] or a [`Bytes`] without a copy; `From<Buffer> for Bytes` leads back
/// without a copy. Every byte of it is initialised, always.
///
/// A buffer belongs to its event, and with it to the engine, from the moment the event is handed
/// over until the callback gets it back.
///
/// `len()` is what the next transfer covers; a read that met the end of the file leaves it at what
/// was read. [`set_len`](Self::set_len) opens the region again up to [`capacity`](Self::capacity).
///
/// A `Bytes` is shared memory: it can be written to a file, while a read into it is refused with
/// [`InvalidRequest::ReadOnlyBuffer`](crate::InvalidRequest::ReadOnlyBuffer). The first mutable
/// access through `DerefMut` takes a copy of it, as [`Arc::make_mut`](std::sync::Arc::make_mut)
/// does.
///
/// ```
/// use io_engine_core::Buffer;
///
/// let mut buffer = Buffer::aligned(4096)?;
/// buffer[0] = 65;
/// assert_eq!(buffer.as_ptr() as usize % 4096, 0);
///
/// let bytes = bytes::Bytes::from(buffer);
/// assert_eq!((bytes.len(), bytes[0]), (4096, 65));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Buffer {
    memory: Memory,
    len: usize,
}

enum Memory {
    Aligned(AlignedMemory),
    Vec(Vec<u8>),
    BytesMut(BytesMut),
    Bytes(Bytes),
}

/// The alignment of [`Buffer::aligned`] in bytes: enough for every logical block size in use,
/// 4096-byte sectors included.
pub const DEFAULT_ALIGNMENT: usize = 4096;

impl Buffer {
    /// Zeroed memory of `len` bytes at a multiple of [`DEFAULT_ALIGNMENT`].
    ///
    /// # Errors
    /// `InvalidInput` if `len` is 0 or above `isize::MAX`, `OutOfMemory` if there is none.
    pub fn aligned(len: usize) -> io::Result<Self> {
        Self::aligned_by(len, DEFAULT_ALIGNMENT)
    }

    /// Zeroed memory of `len` bytes at a multiple of `align` bytes, a power of two.
    ///
    /// # Errors
    /// As [`aligned`](Self::aligned), and `InvalidInput` if `align` is no power of two.
    pub fn aligned_by(len: usize, align: usize) -> io::Result<Self> {
        Ok(Self {
            memory: Memory::Aligned(AlignedMemory::zeroed(len, align)?),
            len,
        })
    }

    /// The bytes of the region, in use or not: the upper bound of [`set_len`](Self::set_len).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.region().len()
    }

    /// Sets how many bytes of the region are in use; what they hold stays as it is.
    ///
    /// # Errors
    /// `InvalidInput` if `len` is above [`capacity`](Self::capacity).
    pub fn set_len(&mut self, len: usize) -> io::Result<()> {
        let capacity = self.capacity();
        if len > capacity {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("set_len({len}): the buffer has a capacity of {capacity} bytes"),
            ));
        }
        self.len = len;
        Ok(())
    }

    /// Whether a read may fill this buffer: true unless it was made of a [`Bytes`].
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !matches!(self.memory, Memory::Bytes(_))
    }

    /// The bytes in use as a `Vec`: no copy if the buffer was made of one, a copy otherwise.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.memory {
            Memory::Vec(mut vec) => {
                vec.truncate(self.len);
                vec
            }
            Memory::Aligned(memory) => memory.as_ref()[..self.len].to_vec(),
            Memory::BytesMut(bytes) => bytes[..self.len].to_vec(),
            Memory::Bytes(bytes) => bytes[..self.len].to_vec(),
        }
    }

    /// Where the kernel reads from or writes to. Only a writable buffer may be written through it.
    pub(crate) fn kernel_ptr(&mut self) -> *mut u8 {
        match &mut self.memory {
            Memory::Aligned(memory) => memory.as_mut_ptr(),
            Memory::Vec(vec) => vec.as_mut_ptr(),
            Memory::BytesMut(bytes) => bytes.as_mut_ptr(),
            Memory::Bytes(bytes) => bytes.as_ptr().cast_mut(),
        }
    }

    /// Copies `len` bytes of `from`, from its byte `skip` on, to the beginning of this buffer, whatever
    /// is in use of either.
    ///
    /// # Panics
    /// If either region is too short.
    pub(crate) fn copy_from(&mut self, from: &Self, skip: usize, len: usize) {
        let bytes = &from.region()[skip..skip + len];
        match &mut self.memory {
            Memory::Aligned(memory) => memory.as_mut()[..len].copy_from_slice(bytes),
            Memory::Vec(vec) => vec[..len].copy_from_slice(bytes),
            Memory::BytesMut(own) => own[..len].copy_from_slice(bytes),
            Memory::Bytes(_) => unreachable!("a read into shared memory joins no run"),
        }
    }

    fn region(&self) -> &[u8] {
        match &self.memory {
            Memory::Aligned(memory) => memory.as_ref(),
            Memory::Vec(vec) => vec,
            Memory::BytesMut(bytes) => bytes,
            Memory::Bytes(bytes) => bytes,
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.region()[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        if let Memory::Bytes(shared) = &mut self.memory {
            self.memory = Memory::BytesMut(BytesMut::from(std::mem::take(shared)));
        }
        match &mut self.memory {
            Memory::Aligned(memory) => &mut memory.as_mut()[..self.len],
            Memory::Vec(vec) => &mut vec[..self.len],
            Memory::BytesMut(bytes) => &mut bytes[..self.len],
            Memory::Bytes(_) => unreachable!("shared bytes were replaced above"),
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = match self.memory {
            Memory::Aligned(_) => "aligned",
            Memory::Vec(_) => "Vec",
            Memory::BytesMut(_) => "BytesMut",
            Memory::Bytes(_) => "Bytes",
        };
        f.debug_struct("Buffer")
            .field("memory", &memory)
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(vec: Vec<u8>) -> Self {
        Self {
            len: vec.len(),
            memory: Memory::Vec(vec),
        }
    }
}

impl From<BytesMut> for Buffer {
    fn from(bytes: BytesMut) -> Self {
        Self {
            len: bytes.len(),
            memory: Memory::BytesMut(bytes),
        }
    }
}

impl From<Bytes> for Buffer {
    fn from(bytes: Bytes) -> Self {
        Self {
            len: bytes.len(),
            memory: Memory::Bytes(bytes),
        }
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        let mut bytes = match buffer.memory {
            Memory::Aligned(memory) => Self::from_owner(memory),
            Memory::Vec(vec) => Self::from(vec),
            Memory::BytesMut(bytes) => bytes.freeze(),
            Memory::Bytes(bytes) => bytes,
        };
        bytes.truncate(buffer.len);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind(len: usize) -> [Buffer; 4] {
        [
            Buffer::aligned(len).unwrap(),
            Buffer::from(vec![0; len]),
            Buffer::from(BytesMut::zeroed(len)),
            Buffer::from(Bytes::from(vec![0; len])),
        ]
    }

    #[test]
    fn d8_set_len_beyond_the_capacity_is_refused_and_exposes_nothing() {
        for mut buffer in every_kind(100) {
            assert!(buffer.set_len(101).is_err(), "{buffer:?}");
            assert!(buffer.set_len(1 << 31).is_err(), "{buffer:?}");
            assert_eq!(buffer.len(), 100);
            buffer.set_len(10).unwrap();
            assert_eq!(&*buffer, &[0; 10]);
            buffer.set_len(100).unwrap();
            assert_eq!(&*buffer, &[0; 100]);
        }
    }

    #[test]
    fn spare_capacity_of_a_vec_is_never_readable() {
        let mut vec = Vec::with_capacity(64);
        vec.extend_from_slice(b"abc");
        let mut buffer = Buffer::from(vec);
        assert_eq!(buffer.capacity(), 3);
        assert!(buffer.set_len(4).is_err());
    }

    #[test]
    fn the_way_into_bytes_copies_nothing() {
        for buffer in every_kind(4096) {
            let address = buffer.as_ptr();
            let bytes = Bytes::from(buffer);
            assert_eq!(bytes.as_ptr(), address);
        }
    }

    #[test]
    fn a_cut_buffer_becomes_bytes_of_the_cut_length() {
        for mut buffer in every_kind(4096) {
            buffer.set_len(10).unwrap();
            assert_eq!(Bytes::from(buffer).len(), 10);
        }
    }

    #[test]
    fn a_vec_comes_back_as_the_same_vec() {
        let vec = vec![7; 100];
        let address = vec.as_ptr();
        let back = Buffer::from(vec).into_vec();
        assert_eq!((back.as_ptr(), back.len()), (address, 100));
    }

    #[test]
    fn writing_to_shared_bytes_leaves_the_other_owner_alone() {
        let shared = Bytes::from(vec![1, 2, 3]);
        let mut buffer = Buffer::from(shared.clone());
        assert!(!buffer.is_writable());
        buffer[0] = 9;
        assert!(buffer.is_writable());
        assert_eq!((&*buffer, &*shared), (&[9, 2, 3][..], &[1, 2, 3][..]));
    }

    #[test]
    fn an_alignment_that_is_no_power_of_two_is_refused() {
        assert!(Buffer::aligned_by(4096, 100).is_err());
        assert!(Buffer::aligned_by(4096, 0).is_err());
        assert!(Buffer::aligned(0).is_err());
        assert!(Buffer::aligned(usize::MAX).is_err());
        let buffer = Buffer::aligned_by(100, 65536).unwrap();
        assert_eq!(buffer.as_ptr() as usize % 65536, 0);
    }
}
