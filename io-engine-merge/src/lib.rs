//! Joins contiguous events of one file and one direction into one vectored request.
//!
//! Pure: it touches no file, reads no clock and starts no thread. It takes events and gives
//! events; what it gives may be a *carrier*, one event that holds a run of others.
//!
//! ```text
//!   handed over, in this order                        sent, in this order
//!
//!   write     0 ..  4096  ─┐
//!   write  4096 ..  8192   ├─ each begins where ────> one carrier: three buffers, one request
//!   write  8192 .. 12288  ─┘  the one before ends
//!   write 20480 .. 24576  ─── a gap ────────────────> alone
//!   write 22528 .. 26624  ─── an overlap ───────────> alone
//!   write  0 .. 100 MiB   ─── above the limit ──────> alone
//! ```
//!
//! That is a [`MergeSubmitter`] in front of a sender: one file, one direction, in the order in which
//! events are handed over. A [`Merger`], inside a loop, sees a whole batch, of all files and both
//! directions, and sorts it:
//!
//! ```text
//!   a batch, in this order                            sent, in this order
//!
//!   A  write  8192 .. 12288  ─┐
//!   B  read      0 ..  4096  ─┼─┐
//!   A  write     0 ..  4096  ─┤ │
//!   A  write  4096 ..  8192  ─┘ │ ──────────────────> A: one request of three writes
//!   B  read   4096 ..  8192  ───┘ ──────────────────> B: one request of two reads
//!   A  read   4096 ..  8192  ─── must see the write > alone, after the writes
//!   A  sync                  ─── nothing passes it ─> alone
//!   A  write 12288 .. 16384  ─── nothing passes it ─> alone, after the sync
//! ```
//!
//! # What merges
//! Fresh reads, or fresh writes, of one file, each with a buffer and each beginning exactly where
//! another one ends, within the [`MergeLimits`]. [`can_follow`] is the rule for a run that is handed
//! over in order, and a [`Refusal`] names the reason why not: a gap, an overlap, another file, a sync, a
//! transfer that is to be continued, a read into shared memory, a limit. The [`Planner`] is the rule for
//! a batch; it knows numbers only.
//!
//! Reads may have more, if [`MergeLimits`] says so: a hole between them that is read over, and one read
//! for several of the same bytes.
//!
//! # What stays as it was
//! - **Order.** A submitter sends events in the order in which they were handed over. A merger sends
//!   what may not change places in that order: transfers that overlap, of which one is a write;
//!   everything of a file before and after a sync or an allocation; a read that may meet the end of the
//!   file and the writes that may move it.
//! - **Buffers.** No byte is copied, but for reads that share. The kernel gets the addresses of the
//!   events' own buffers.
//! - **Callbacks.** Each event of a run gets its own share of the bytes and its own callback, or
//!   its own error: one that fails does not take its neighbours with it.
//!
//! # Merging never waits
//! It joins what is there, and no clock delays anything in the hope of more. The price is that a
//! [`MergeSubmitter`] cannot know when you are through: a run is sent when the next event does not fit,
//! when it is full, on [`MergeSubmitter::flush`] and on drop. Flush at the end of each batch, and before
//! you wait for one of its callbacks.
//!
//! # Cost
//! A submitter passes a lone event on as it is, without an allocation; a run of two or more costs three,
//! whatever its length. A merger allocates nothing after warm-up.
//!
//! # Example
//! A submitter in front of a crossbeam channel (feature `crossbeam`, on by default):
//!
//! ```
//! # #[cfg(feature = "crossbeam")] {
//! use std::sync::Arc;
//!
//! use io_engine_core::{Buffer, ClosureCb, IOAction, IOEvent};
//! use io_engine_merge::MergeSubmitter;
//!
//! # let file = Arc::new(std::fs::File::open("Cargo.toml").unwrap());
//! let (tx, rx) = crossbeam_channel::bounded::<IOEvent<ClosureCb>>(128);
//! let mut submitter = MergeSubmitter::new(&file, tx, 64 * 1024, IOAction::Read);
//! for offset in [0, 4096, 8192, 1 << 20] {
//!     let buffer = Buffer::aligned(4096).unwrap();
//!     let mut event = IOEvent::new(&file, buffer, IOAction::Read, offset);
//!     event.set_callback(ClosureCb::new(|event| println!("{:?}", event.get_result())));
//!     submitter.add_event(event).unwrap();
//! }
//! submitter.flush().unwrap();
//!
//! // What the engine gets: the run of three as one request, then the one after the gap.
//! let carrier = rx.try_recv().unwrap();
//! assert_eq!((carrier.offset(), carrier.get_size()), (0, 3 * 4096));
//! let lone = rx.try_recv().unwrap();
//! assert_eq!((lone.offset(), lone.get_size()), (1 << 20, 4096));
//! # }
//! ```

mod contiguity;
mod counters;
#[cfg(feature = "crossbeam")]
mod crossbeam_sender;
mod epoch;
mod fact;
mod file_facts;
mod hazards;
mod limits;
mod merge_buffer;
mod merge_error;
mod merge_submitter;
mod merger;
mod neighbours;
mod open_run;
mod outgoing;
mod plan;
mod planner;
mod sender;
mod sort_key;
mod unsent;

pub use contiguity::{Refusal, Run, can_follow};
pub use counters::MergeCounters;
pub use fact::{Fact, FactKind};
pub use file_facts::FileFacts;
pub use limits::MergeLimits;
pub use merge_buffer::{MergeBuffer, Refused};
pub use merge_error::MergeError;
pub use merge_submitter::MergeSubmitter;
pub use merger::Merger;
pub use outgoing::Outgoing;
pub use plan::{Member, Plan, PlannedRequest};
pub use planner::Planner;
pub use sender::EventSender;
