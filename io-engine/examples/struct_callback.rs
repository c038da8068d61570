//! Callbacks that cost no allocation: a struct, and an enum where events mean different things.
//!
//! `cargo run -p io-engine --example struct_callback`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Sender, bounded};
use io_engine::callback_worker::Inline;
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, IOContext};

const PAGES: u8 = 64;
const PAGE_BYTES: i64 = 4096;

/// A struct: the callback travels inside the event, and so does what it needs.
struct CountBytes {
    total: Arc<AtomicU64>,
}

impl IOCallback for CountBytes {
    fn call(self, event: IOEvent<Self>) {
        match event.get_result() {
            Ok(bytes) => {
                self.total.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Err(error) => eprintln!("offset {}: {error}", event.offset()),
        }
    }
}

/// An enum: one context, several kinds of events.
enum Page {
    Loaded {
        number: u8,
        reply: Sender<(u8, Buffer)>,
    },
    Synced,
}

impl IOCallback for Page {
    fn call(self, event: IOEvent<Self>) {
        match self {
            Self::Loaded { number, reply } => match event.get_read_result() {
                Ok(buffer) => {
                    // There is a place for every page, so this never blocks the loop's thread.
                    let _ = reply.send((number, buffer));
                }
                Err(error) => eprintln!("page {number}: {error}"),
            },
            Self::Synced => match event.get_write_result() {
                Ok(()) => println!("synced"),
                Err(error) => eprintln!("sync: {error}"),
            },
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = Arc::new(tempfile::tempfile()?);
    let written = write_pages(&file)?;
    println!("{written} bytes written");
    load_pages(&file)
}

fn write_pages(file: &Arc<File>) -> Result<u64, Box<dyn Error>> {
    let (tx, rx) = io_engine::channel::<CountBytes>(128);
    // The callbacks run inline, on the thread of the loop: they are short.
    let context = IOContext::<CountBytes, _>::new(32, rx, &Inline, Driver::Auto)?;
    let total = Arc::new(AtomicU64::new(0));
    for number in 0..PAGES {
        let mut buffer = Buffer::aligned(4096)?;
        buffer.fill(number);
        let offset = i64::from(number) * PAGE_BYTES;
        let mut event = IOEvent::new(file, buffer, IOAction::Write, offset);
        event.set_callback(CountBytes {
            total: Arc::clone(&total),
        });
        tx.send(event)?;
    }
    context.shutdown()?;
    Ok(total.load(Ordering::Relaxed))
}

fn load_pages(file: &Arc<File>) -> Result<(), Box<dyn Error>> {
    let (tx, rx) = io_engine::channel::<Page>(128);
    let context = IOContext::<Page, _>::new(32, rx, &Inline, Driver::Auto)?;
    let mut sync = IOEvent::data_sync(file);
    sync.set_callback(Page::Synced);
    tx.send(sync)?;

    let (reply, pages) = bounded(usize::from(PAGES));
    for number in 0..PAGES {
        let buffer = Buffer::aligned(4096)?;
        let offset = i64::from(number) * PAGE_BYTES;
        let mut event = IOEvent::new(file, buffer, IOAction::Read, offset);
        let reply = reply.clone();
        event.set_callback(Page::Loaded { number, reply });
        tx.send(event)?;
    }
    drop(reply);
    let mut loaded = 0;
    for (number, buffer) in pages {
        assert!(buffer.iter().all(|byte| *byte == number), "page {number}");
        loaded += 1;
    }
    assert_eq!(loaded, PAGES);
    println!("{loaded} pages loaded through {}", context.driver());
    context.shutdown()?;
    Ok(())
}
