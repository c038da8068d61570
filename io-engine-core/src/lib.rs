//! Events, callbacks, buffers and the [`Backend`] trait of io-engine.
//!
//! What the other crates have in common. It starts no thread, has no channel and makes no I/O of
//! its own. Users of the engine find all of it re-exported by the facade `io-engine`; embedded
//! builds find it re-exported by the one backend crate they use.
//!
//! An [`IOEvent`] is what a caller asks for. A [`Request`] is what the kernel is asked for: a run
//! of one or more contiguous events. A [`Backend`] owns a request from `push` until it yields it as
//! a [`Completion`], which shares the bytes out over its events.

mod action;
mod aligned;
mod alignment_gate;
mod backend;
mod buffer;
mod callback;
mod completion;
#[cfg(feature = "testing")]
pub mod conformance;
mod delivery;
mod errno;
mod event;
mod file;
mod file_identity;
mod file_nature;
mod in_flight;
mod invalid_request;
mod merged;
mod operation;
mod readiness;
mod refusal;
mod request;
mod rescue;
mod run_pool;
mod scratch;
mod signals;
#[cfg(feature = "sim")]
pub mod sim;
mod simulated_number;
mod start_error;
mod storage;
pub mod sync;
mod sync_failure;
mod waker;

pub use action::IOAction;
pub use alignment_gate::AlignmentGate;
pub use backend::{Answered, Backend, Wait};
pub use buffer::{Buffer, DEFAULT_ALIGNMENT};
pub use callback::{ClosureCb, IOCallback};
pub use completion::Completion;
pub use delivery::{CallbackPanicked, Delivered, Serves, deliver, deliver_all};
pub use event::IOEvent;
pub use file::{DirectAlignment, FileHandle};
pub use file_identity::FileIdentity;
pub use file_nature::FileNature;
pub use in_flight::{InFlight, Ticket};
pub use invalid_request::{AlignedPart, InvalidRequest, SEGMENTS_MAX, TRANSFER_BYTES_MAX};
pub use merged::{MergedEvents, NotContiguous};
pub use operation::Operation;
pub use readiness::readable_until;
pub use refusal::Full;
pub use request::Request;
pub use rescue::dropped_events;
pub use run_pool::{RunBuilder, RunPool};
pub use scratch::Scratch;
pub use signals::block_signals_in_this_thread;
pub use start_error::{DEPTH_MAX, StartError, check_depth};
pub use storage::Storage;
pub use sync_failure::SyncFailure;
pub use waker::Waker;
