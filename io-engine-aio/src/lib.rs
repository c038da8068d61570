//! The native AIO of Linux as a [`Backend`] of io-engine, complete on its own.
//!
//! It makes the system calls itself, without libaio, starts no thread and has no channel. What a
//! program needs to use it alone is re-exported here.
//!
//! ```
//! use std::sync::Arc;
//!
//! use io_engine_aio::{
//!     AioBackend, AioSettings, Backend, Buffer, ClosureCb, IOAction, IOEvent, Request, Wait,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = Arc::new(tempfile::tempfile()?);
//! let mut buffer = Buffer::aligned(4096)?;
//! buffer[..5].copy_from_slice(b"hello");
//! let mut event = IOEvent::new(&file, buffer, IOAction::Write, 0);
//! event.set_callback(ClosureCb::new(|event| {
//!     event.get_write_result().expect("written");
//! }));
//!
//! let mut ring = AioBackend::new(AioSettings::with_depth(64))?;
//! ring.push(Request::from(event))?;
//! let mut done = Vec::with_capacity(ring.capacity());
//! ring.drive(Wait::For(1), &mut done)?;
//! for completion in done.drain(..) {
//!     completion.finish(); // calls the callback here
//! }
//! # let mut bytes = [0; 5];
//! # std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, 0)?;
//! # assert_eq!(&bytes, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! [`Completion::finish`] reports a short transfer as it is. [`Completion::settle`] carries it on:
//! push what it returns in `again`.

mod allocation;
mod backend;
mod control_block;
mod kernel_context;
mod queue;
#[cfg(test)]
mod queue_on_script;
#[cfg(test)]
mod scripted_bench;
#[cfg(test)]
mod scripted_kernel;
mod settings;
mod syscall;

pub use backend::AioBackend;
pub use settings::AioSettings;

pub use io_engine_core::{
    AlignedPart, Backend, Buffer, CallbackPanicked, ClosureCb, Completion, DEPTH_MAX,
    DirectAlignment, FileHandle, Full, IOAction, IOCallback, IOEvent, InvalidRequest, MergedEvents,
    NotContiguous, Operation, Request, SEGMENTS_MAX, StartError, TRANSFER_BYTES_MAX, Wait, Waker,
    block_signals_in_this_thread, deliver,
};
