//! Threads for io-engine: a pool that calls callbacks, and a backend of blocking calls.
//!
//! [`IOWorkers`] is a pool of threads that call the callbacks of finished events. Each context
//! reaches it through a [`Lane`] of its own, a bounded queue, so contexts of different callback
//! types share one pool and none of them blocks on it.
//!
//! [`BlockingBackend`] carries requests out with `pread`, `pwrite` and the like on a few threads of
//! its own. It works where io_uring and AIO are forbidden, and it carries the operations that a
//! kernel interface lacks.
//!
//! [`SharedCalls`] makes calls that take no longer than a copy on the thread that wants their answers,
//! with helpers beside it.
//!
//! They have nothing to do with each other. No queue here is unbounded, and no thread uses a processor
//! while it has nothing to do.

mod announcement;
mod blocking_backend;
mod blocking_call;
mod blocking_threads;
mod idle_latch;
mod job;
mod lane;
mod pool;
mod run_queue;
mod seats;
mod settings;
mod shared_calls;
mod shield;
mod team;
mod this_thread;
mod worker;

pub use blocking_backend::BlockingBackend;
pub use blocking_call::read_at_once;
pub use lane::{AroundBatch, BeforeEach, Lane, LaneHooks, OnRoom};
pub use pool::IOWorkers;
pub use settings::BlockingSettings;
pub use shared_calls::SharedCalls;
