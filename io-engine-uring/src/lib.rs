//! The io_uring backend of io-engine, usable alone.
//!
//! One ring, driven by one thread at a time: no lock, no channel, no thread of its own. The ring
//! is set up with everything that makes a single driving thread fast (`SINGLE_ISSUER`,
//! `DEFER_TASKRUN`, `SUBMIT_ALL`, `NO_SQARRAY`), stepping down flag by flag on older kernels.
//!
//! ```
//! use io_engine_uring::{
//!     Backend, Buffer, ClosureCb, IOAction, IOEvent, Request, UringBackend, UringSettings, Wait,
//! };
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = Arc::new(tempfile::tempfile()?);
//! let mut event = IOEvent::new(file, Buffer::from(b"hello".to_vec()), IOAction::Write, 0);
//! event.set_callback(ClosureCb(Box::new(|event| event.get_write_result().unwrap())));
//!
//! let mut ring = UringBackend::new(UringSettings::with_depth(64))?;
//! ring.push(Request::from(event))?;
//! let mut done = Vec::with_capacity(ring.capacity());
//! ring.drive(Wait::For(1), &mut done)?;
//! for completion in done.drain(..) {
//!     completion.finish(); // calls the callback here
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `finish` reports what the kernel gave. To carry short transfers on, as the event loop of the
//! facade does, call [`Completion::settle`] and push what it asks for again.

mod backend;
mod entry;
mod gathering;
mod held_ring;
mod promptness;
mod ring;
mod settings;

pub use backend::UringBackend;
pub use io_engine_core::{
    AlignedPart, Backend, Buffer, ClosureCb, Completion, DEPTH_MAX, FileHandle, Full, IOAction,
    IOCallback, IOEvent, InvalidRequest, MergedEvents, Request, StartError, TRANSFER_BYTES_MAX,
    Wait, Waker,
};
pub use settings::UringSettings;
