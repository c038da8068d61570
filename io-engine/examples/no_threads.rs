//! The engine without a thread of its own: the caller runs the loop, and callbacks submit again.
//!
//! `cargo run -p io-engine --example no_threads`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Wait};

const BLOCK_BYTES: usize = 16 * 1024;
const BLOCKS: u64 = 512;
const DEPTH: usize = 32;

/// What the callbacks share.
#[derive(Default)]
struct Scan {
    next_block: AtomicU64,
    sum: AtomicU64,
    errors: AtomicU64,
}

/// Adds a block up and reads the next one with the same buffer.
struct AddUp {
    scan: Arc<Scan>,
    file: Arc<File>,
}

impl AddUp {
    /// An event for the next block, or `None` at the end.
    fn next(self, buffer: Buffer) -> Option<IOEvent<Self>> {
        let block = self.scan.next_block.fetch_add(1, Ordering::Relaxed);
        if block >= BLOCKS {
            return None;
        }
        let offset = i64::try_from(block * BLOCK_BYTES as u64).ok()?;
        let mut event = IOEvent::new(&self.file, buffer, IOAction::Read, offset);
        event.set_callback(self);
        Some(event)
    }
}

impl IOCallback for AddUp {
    fn call(self, event: IOEvent<Self>) {
        let scan = Arc::clone(&self.scan);
        let again = event.get_read_result().map(|buffer| {
            let sum = buffer.iter().map(|byte| u64::from(*byte)).sum();
            scan.sum.fetch_add(sum, Ordering::Relaxed);
            self.next(buffer)
        });
        match again {
            // Goes straight into the loop's own queue: no channel, no lock, and there is always
            // room for one event in place of the one that is finished.
            Ok(Some(event)) => {
                if let Err(refused) = io_engine::resubmit(event) {
                    eprintln!("{refused}");
                    scan.errors.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(None) => {}
            Err(error) => {
                eprintln!("{error}");
                scan.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = Arc::new(tempfile::tempfile()?);
    let bytes = [3; BLOCK_BYTES];
    for block in 0..BLOCKS {
        file.write_all_at(&bytes, block * BLOCK_BYTES as u64)?;
    }

    let mut engine = EventLoop::<AddUp>::new(DEPTH, Driver::Auto)?;
    let scan = Arc::new(Scan::default());
    for _ in 0..DEPTH {
        let reader = AddUp {
            scan: Arc::clone(&scan),
            file: Arc::clone(&file),
        };
        if let Some(event) = reader.next(Buffer::aligned(BLOCK_BYTES)?) {
            engine.submit(event)?;
        }
    }
    let mut called = 0;
    while engine.in_flight() > 0 {
        called += engine.run(Wait::For(1))?;
    }

    assert_eq!(called as u64, BLOCKS);
    assert_eq!(scan.errors.load(Ordering::Relaxed), 0);
    assert_eq!(
        scan.sum.load(Ordering::Relaxed),
        3 * BLOCKS * BLOCK_BYTES as u64
    );
    println!(
        "{called} blocks added up on one thread through {}",
        engine.driver()
    );
    Ok(())
}
