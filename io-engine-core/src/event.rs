//! What a caller asks for: one operation on one file, with one buffer and one callback.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use crate::action::IOAction;
use crate::buffer::Buffer;
use crate::callback::IOCallback;
use crate::errno;
use crate::file::FileHandle;
use crate::invalid_request::InvalidRequest;
use crate::merged::MergedEvents;
use crate::rescue;

mod ending;
mod renewal;
mod taking;

/// One operation on one file at one offset with one buffer and one callback.
///
/// The caller owns it until it is handed over; the engine owns it, its buffer and its file until
/// the callback gets it back. Dropping an event that was not handed over calls no callback.
///
/// # Result
/// [`res`](Self::res) starts as `i32::MIN`, "not done". From 0 on it counts the bytes transferred
/// so far; an event handed over with such a `res` is *continued*: address, length and offset move
/// on by it. Below 0 it is a negated errno, and handing the event over again starts it anew.
/// [`transferred`](Self::transferred) keeps the byte count when an error ends a transfer half way.
///
/// # Without a callback
/// An event without a callback is carried out like any other; then it is dropped with its buffer.
/// If it failed, the error is logged through `tracing`, as nobody else can hear of it.
///
/// ```
/// use io_engine_core::{Buffer, ClosureCb, IOAction, IOEvent};
///
/// let file = std::sync::Arc::new(std::fs::File::open("Cargo.toml")?);
/// let mut event = IOEvent::new(file, Buffer::aligned(4096)?, IOAction::Read, 0);
/// event.set_callback(ClosureCb(Box::new(|event| {
///     match event.get_read_result() {
///         Ok(buffer) => println!("{} bytes", buffer.len()),
///         Err(error) => eprintln!("{error}"),
///     }
/// })));
/// assert!(!event.is_done());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct IOEvent<C: IOCallback> {
    payload: Payload<C>,
    /// What was asked for, in bytes; the buffer's own length is cut at the end of the file.
    size: u64,
    file: FileHandle,
    offset: i64,
    callback: Option<C>,
    invalid: Option<Box<InvalidRequest>>,
    res: i32,
    transferred: u32,
    action: IOAction,
    end_of_file: bool,
}

enum Payload<C: IOCallback> {
    Buffer(Buffer),
    /// No memory: a sync, an allocation, or a buffer that was taken.
    Nothing,
    /// Several events that travel as one.
    Merged(Box<MergedEvents<C>>),
}

// It moves by value from the caller to the slot and back: two cache lines at most, with a small callback.
const _: () = assert!(size_of::<IOEvent<()>>() == 104 || size_of::<usize>() != 8);

/// `res` of an event that is not done.
const NOT_DONE: i32 = i32::MIN;

impl<C: IOCallback> IOEvent<C> {
    /// A read into `buffer` or a write of it, `offset` bytes from the start of the file.
    ///
    /// Covers `buffer.len()` bytes, which must be from 1 to
    /// [`TRANSFER_BYTES_MAX`](crate::TRANSFER_BYTES_MAX). Nothing is checked here: what cannot
    /// work comes back through the callback as an [`InvalidRequest`].
    ///
    /// With an action that moves no bytes the buffer only travels along; its length is the range
    /// of an allocation.
    #[inline]
    pub fn new(file: impl Into<FileHandle>, buffer: Buffer, action: IOAction, offset: i64) -> Self {
        let size = buffer.len() as u64;
        Self::with_payload(Payload::Buffer(buffer), size, file.into(), action, offset)
    }

    /// An event that needs no buffer: a sync, or an allocation of `len` bytes from `offset` on.
    #[inline]
    pub fn new_no_buf(
        file: impl Into<FileHandle>,
        action: IOAction,
        offset: i64,
        len: u64,
    ) -> Self {
        Self::with_payload(Payload::Nothing, len, file.into(), action, offset)
    }

    /// `fsync` of the file.
    pub fn sync(file: impl Into<FileHandle>) -> Self {
        Self::new_no_buf(file, IOAction::Sync, 0, 0)
    }

    /// `fdatasync` of the file.
    pub fn data_sync(file: impl Into<FileHandle>) -> Self {
        Self::new_no_buf(file, IOAction::DataSync, 0, 0)
    }

    /// An event that does nothing, [`IOAction::Nop`].
    pub fn nop() -> Self {
        Self::new_no_buf(-1, IOAction::Nop, 0, 0)
    }

    #[inline]
    fn with_payload(
        payload: Payload<C>,
        size: u64,
        file: FileHandle,
        action: IOAction,
        offset: i64,
    ) -> Self {
        Self {
            payload,
            size,
            file,
            offset,
            callback: None,
            invalid: None,
            res: NOT_DONE,
            transferred: 0,
            action,
            end_of_file: false,
        }
    }

    /// Sets what is called with the finished event, in place of what was set before.
    #[inline]
    pub fn set_callback(&mut self, callback: C) {
        // Mostly there was none, and nothing to drop.
        match &mut self.callback {
            Some(before) => *before = callback,
            none => *none = Some(callback),
        }
    }

    /// The operation.
    #[must_use]
    pub fn action(&self) -> IOAction {
        self.action
    }

    /// The offset in the file, in bytes.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &FileHandle {
        &self.file
    }

    /// The number of the file descriptor.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// The bytes that were asked for; for an allocation the length of the range.
    #[must_use]
    pub fn get_size(&self) -> u64 {
        self.size
    }

    /// The buffer, unless the event has none.
    #[must_use]
    pub fn buffer(&self) -> Option<&Buffer> {
        match &self.payload {
            Payload::Buffer(buffer) => Some(buffer),
            Payload::Nothing | Payload::Merged(_) => None,
        }
    }

    /// Takes the buffer, whatever the result; `None` if the event has none.
    #[must_use]
    #[inline]
    pub fn into_buffer(mut self) -> Option<Buffer> {
        self.take_buffer()
    }

    /// The raw result: `i32::MIN`, bytes so far, or a negated errno.
    #[must_use]
    pub fn res(&self) -> i32 {
        self.res
    }

    /// Whether there is a result.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.res != NOT_DONE
    }

    /// Whether a read met the end of the file before the buffer was full.
    #[must_use]
    pub fn is_end_of_file(&self) -> bool {
        self.end_of_file
    }

    /// The bytes transferred so far, also after an error that ended the transfer half way.
    #[must_use]
    pub fn transferred(&self) -> usize {
        self.transferred as usize
    }

    /// The bytes transferred so far; 0 for an action that moves none.
    ///
    /// # Errors
    /// What ended the event: the kernel's errno, an [`InvalidRequest`], or `WouldBlock` if it is
    /// not done.
    #[inline]
    pub fn get_result(&self) -> io::Result<usize> {
        if let Some(invalid) = &self.invalid {
            return Err(io::Error::from(**invalid));
        }
        match self.res {
            NOT_DONE => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the event has no result yet: its callback has not been called",
            )),
            errno if errno < 0 => Err(errno::to_io_error(-errno)),
            _ => Ok(self.transferred()),
        }
    }

    /// `Ok` if every byte was written, or the sync or allocation done.
    ///
    /// # Errors
    /// As [`get_result`](Self::get_result), and `WriteZero` for a short write that was reported
    /// instead of resumed.
    pub fn get_write_result(&self) -> io::Result<()> {
        let done = self.get_result()?;
        if self.action.moves_bytes() && (done as u64) < self.get_size() {
            return Err(self.short_transfer(io::ErrorKind::WriteZero));
        }
        Ok(())
    }

    /// The buffer with what was read: all bytes, or as many as there were before the end of the
    /// file, which is then its `len()`.
    ///
    /// # Errors
    /// As [`get_result`](Self::get_result); `UnexpectedEof` for a short read that was reported
    /// instead of resumed; `InvalidInput` if the event has no buffer. The buffer is dropped then;
    /// [`into_buffer`](Self::into_buffer) keeps it.
    pub fn get_read_result(mut self) -> io::Result<Buffer> {
        let done = self.get_result()?;
        if self.action.moves_bytes() && (done as u64) < self.get_size() && !self.end_of_file {
            return Err(self.short_transfer(io::ErrorKind::UnexpectedEof));
        }
        self.take_buffer()
            .ok_or_else(|| io::Error::from(InvalidRequest::NoBuffer))
    }

    fn short_transfer(&self, kind: io::ErrorKind) -> io::Error {
        io::Error::new(
            kind,
            format!(
                "{} of {} bytes were transferred; hand the event over again to continue",
                self.transferred,
                self.get_size()
            ),
        )
    }

    #[inline]
    fn take_buffer(&mut self) -> Option<Buffer> {
        match std::mem::replace(&mut self.payload, Payload::Nothing) {
            Payload::Buffer(buffer) => Some(buffer),
            Payload::Nothing | Payload::Merged(_) => None,
        }
    }

    /// Moves everything into a new event and leaves an empty one behind.
    pub(crate) fn take(&mut self) -> Self {
        let vacant = Self::new_no_buf(-1, self.action, 0, 0);
        std::mem::replace(self, vacant)
    }

    /// The callback, which is called at most once because it is taken.
    pub(crate) fn take_callback(&mut self) -> Option<C> {
        self.callback.take()
    }

    pub(crate) fn has_callback(&self) -> bool {
        self.callback.is_some()
    }
}

/// Events that travel as one.
impl<C: IOCallback> IOEvent<C> {
    /// An event that carries a run of contiguous events as one vectored request.
    ///
    /// The engine calls the callbacks of the events inside; the carrier itself has none. If its
    /// handing over fails, [`into_events`](Self::into_events) gives the events back.
    #[must_use]
    pub fn from_merged(merged: MergedEvents<C>) -> Self {
        let (file, action, offset) = merged.target();
        let size = merged.total_bytes();
        Self::with_payload(
            Payload::Merged(Box::new(merged)),
            size,
            file,
            action,
            offset,
        )
    }

    /// The events that this one carries: itself, unless it was made by
    /// [`from_merged`](Self::from_merged).
    pub fn into_events(mut self) -> impl Iterator<Item = Self> {
        let (lone, merged) = match self.take_merged() {
            Some(merged) => (None, merged.into_events()),
            None => (Some(self), Vec::new()),
        };
        lone.into_iter().chain(merged)
    }

    /// How many events it carries: 1, unless it was made by [`from_merged`](Self::from_merged).
    #[inline]
    #[must_use]
    pub fn event_count(&self) -> usize {
        match &self.payload {
            Payload::Merged(merged) => merged.event_count(),
            Payload::Buffer(_) | Payload::Nothing => 1,
        }
    }

    pub(crate) fn carries_events(&self) -> bool {
        matches!(self.payload, Payload::Merged(_))
    }

    pub(crate) fn take_merged(&mut self) -> Option<Box<MergedEvents<C>>> {
        if !self.carries_events() {
            return None;
        }
        match std::mem::replace(&mut self.payload, Payload::Nothing) {
            Payload::Merged(merged) => Some(merged),
            Payload::Buffer(_) | Payload::Nothing => None,
        }
    }
}

impl<C: IOCallback> Drop for IOEvent<C> {
    fn drop(&mut self) {
        if self.has_callback() || !self.is_done() {
            rescue::offer(self);
        }
    }
}

impl<C: IOCallback> fmt::Debug for IOEvent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IOEvent")
            .field("action", &self.action)
            .field("fd", &self.fd())
            .field("offset", &self.offset)
            .field("size", &self.get_size())
            .field("res", &self.res)
            .field("transferred", &self.transferred)
            .finish_non_exhaustive()
    }
}
