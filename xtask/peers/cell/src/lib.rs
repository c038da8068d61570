//! What the executable of every peer is made of: the protocol, the meter, its `main`.
//!
//! The protocol and the meter are the very files that `xtask` measures the product with, so that
//! every engine is asked, measured and reported in the same way.

#[path = "../../../src/bench/cell.rs"]
pub mod cell;
#[path = "../../../src/bench/meter.rs"]
pub mod meter;
#[path = "../../../src/bench/page_buffer.rs"]
pub mod page_buffer;
#[path = "../../../src/bench/pattern.rs"]
pub mod pattern;
#[path = "../../../src/bench/slot.rs"]
pub mod slot;
#[path = "../../../src/bench/usage.rs"]
pub mod usage;

pub mod blocking_call;
mod carrying;
mod executable;
mod memory;
mod ring;
pub mod trial;

pub use carrying::{all_done, keep_busy};
pub use cell::{CellSpec, Workload};
pub use executable::{Engine, run};
pub use memory::Memory;
pub use ring::entries_for;
pub use slot::{Op, OpKind, Slot};
