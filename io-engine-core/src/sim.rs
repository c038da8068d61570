//! A disk in memory that fails as it is told, and the backend that carries requests to it.
//!
//! For tests of what is built on the engine, and of the engine itself. The requests come the way that
//! they go to a kernel: through [`Backend`](crate::Backend), as addresses and numbers. All that
//! happens, in which order things finish and which of them fail, follows from one seed, so a failure
//! is found again by its number. Nothing here sleeps unless there is nothing to do, reads a clock or
//! starts a thread.
//!
//! - [`SimDisk`]: files by name, with the semantics of a local file system. What was not synced is lost
//!   or torn by a [crash](SimDisk::crash).
//! - [`Fault`]: what can go wrong, the n-th time, from then on, or now and then.
//! - [`SimBackend`]: the queue to the disk.
//! - [`for_each_seed`]: runs a test with many seeds and says which one has failed.
//!
//! ```
//! use io_engine_core::sim::{Fault, SimBackend, SimDisk, Survival};
//! use io_engine_core::{Backend, IOAction, IOEvent, Request, Wait};
//!
//! let disk = SimDisk::new(7);
//! let log = disk.open("log");
//! disk.inject(Fault::Io.nth(1).on(IOAction::Sync));
//!
//! let mut backend = SimBackend::<()>::new(&disk, 4);
//! let mut perform = |event| {
//!     backend.push(Request::from(event)).expect("there is room");
//!     let mut done = Vec::new();
//!     backend.drive(Wait::For(1), &mut done).expect("the queue is not broken");
//!     let mut finished = Vec::new();
//!     done.remove(0).report(&mut finished);
//!     finished.remove(0).get_result()
//! };
//! let write = IOEvent::new(log, b"record".to_vec().into(), IOAction::Write, 0);
//! assert_eq!(perform(write).ok(), Some(6));
//! assert_eq!(perform(IOEvent::sync(log)).unwrap_err().raw_os_error(), Some(5));
//!
//! assert_eq!(disk.injected().of(Fault::Io), 1);
//! assert_eq!(disk.content(log), b"record");
//! assert_eq!(disk.crash(Survival::Nothing).content(log), b"");
//! ```

mod backend;
mod call;
mod dice;
mod disk;
mod faults;
mod files;
mod outcome;
mod real_file;
mod rules;
mod sectors;
mod seeds;
mod user_memory;
mod versions;

pub use backend::SimBackend;
pub use dice::Dice;
pub use disk::{SimDisk, SimFile, Survival};
pub use faults::{Fault, Injected};
pub use rules::Rule;
pub use seeds::{SEED_VARIABLE, for_each_seed};
