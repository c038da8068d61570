//! Block I/O for storage engines: io_uring, Linux AIO or threads behind one API.
//!
//! Hand over an [`IOEvent`](tasks::IOEvent) (file, offset, buffer, callback); the engine submits
//! it, resumes short transfers, and calls the callback exactly once, with the buffer.
//!
//! ```
//! use io_engine::callback_worker::IOWorkers;
//! use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
//! use io_engine::{Buffer, Driver, IOContext};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (tx, rx) = crossbeam_channel::bounded(128);
//! let ctx = IOContext::<ClosureCb, _>::new(16, rx, &IOWorkers::new(1), Driver::Auto)?;
//!
//! let file = std::sync::Arc::new(tempfile::tempfile()?);
//! let mut event = IOEvent::new(file, Buffer::from(b"hello".to_vec()), IOAction::Write, 0);
//! event.set_callback(ClosureCb(Box::new(|event| match event.get_write_result() {
//!     Ok(()) => println!("written"),
//!     Err(error) => eprintln!("{error}"),
//! })));
//! tx.send(event)?;
//! ctx.shutdown()?; // every callback has been called
//! # Ok(())
//! # }
//! ```
//!
//! # Which way
//! - [`IOContext`] with a plain crossbeam channel: the shortest way from existing code.
//! - [`IOContext`] with [`channel()`]: faster, a sender wakes the loop itself.
//! - [`EventLoop`]: no thread at all; the caller runs the loop.
//! - Callbacks on the loop's thread ([`Inline`](callback_worker::Inline)) or on a pool
//!   (`callback_worker::IOWorkers`).
//!
//! # What is promised
//! Each accepted event gets exactly one callback: on success, on error, when the request is
//! refused, when another callback panics, at shutdown, and when the context or all senders are
//! dropped. What is refused comes back to the sender. `Ok` means all bytes, or the end of the file
//! with the buffer cut to what was read.

mod callback_scope;
mod callback_watch;
#[cfg(all(any(feature = "aio", feature = "uring"), feature = "threads"))]
mod carried;
mod channel;
mod context;
mod context_loop;
mod crowd;
mod cycle;
mod cycle_settings;
mod doorbell;
mod driver;
mod driver_report;
mod engine_thread;
mod event_loop;
mod event_queue;
#[cfg(any(
    feature = "merge",
    all(any(feature = "aio", feature = "uring"), feature = "threads")
))]
mod file_table;
mod forwarder;
mod idle;
mod knot;
#[cfg(all(any(feature = "aio", feature = "uring"), feature = "threads"))]
mod lone_read;
#[cfg(feature = "merge")]
mod loop_merging;
mod outlet;
#[cfg(all(feature = "uring", feature = "threads"))]
mod ring_successor;
#[cfg(all(any(feature = "aio", feature = "uring"), feature = "threads"))]
mod routes;
mod running;
mod seal;
mod settings;
mod shutdown_error;
#[cfg(feature = "sim")]
mod simulation;
mod sleep_handshake;
mod stuck_io;
mod submit_error;
mod sync_failures;
#[cfg(feature = "workers")]
mod worker_outlet;

pub use callback_scope::resubmit;
pub use channel::{CHANNEL_CAPACITY_MAX, SubmissionQueue, Submitter, channel};
pub use context::IOContext;
pub use cycle::ShortTransfers;
pub use driver::Driver;
pub use event_loop::EventLoop;
pub use event_queue::EventQueue;
pub use idle::Idle;
pub use io_engine_core::{
    AlignedPart, Backend, Buffer, Completion, DEFAULT_ALIGNMENT, DEPTH_MAX, DirectAlignment,
    FileHandle, Full, InvalidRequest, Request, SEGMENTS_MAX, StartError, TRANSFER_BYTES_MAX, Wait,
    Waker,
};
pub use settings::{ContextBuilder, LoopBuilder};
pub use shutdown_error::ShutdownError;
pub use submit_error::SubmitError;

/// Events and what happens when they are finished.
pub mod tasks {
    pub use io_engine_core::{ClosureCb, IOAction, IOCallback, IOEvent};
}

/// Where callbacks are called.
pub mod callback_worker {
    pub use crate::outlet::{CallbackWorker, Inline};
    #[cfg(feature = "workers")]
    pub use io_engine_workers::IOWorkers;
}

/// A disk in memory that fails as it is told, for tests of what is built on the engine: give it to
/// [`LoopBuilder::simulated`] or [`ContextBuilder::simulated`].
#[cfg(feature = "sim")]
pub mod sim {
    pub use io_engine_core::sim::*;
}

/// Merging of contiguous events into one vectored request.
#[cfg(feature = "merge")]
pub mod merge {
    pub use io_engine_merge::*;
}

/// What the page on merging shows, compiled and run.
#[cfg(all(doctest, feature = "merge"))]
#[doc = include_str!("../../docs/merging.md")]
struct MergingPage;
