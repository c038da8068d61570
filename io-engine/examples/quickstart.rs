//! Writes a block and reads it back, on every driver that this machine has.
//!
//! `cargo run -p io-engine --example quickstart`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs::File;
use std::sync::Arc;

use io_engine::callback_worker::IOWorkers;
use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
use io_engine::{Buffer, Driver, IOContext};

fn main() -> Result<(), Box<dyn Error>> {
    let file = Arc::new(tempfile::tempfile()?);
    for driver in [Driver::Uring, Driver::Aio, Driver::Threads] {
        // One thread that calls the callbacks; a pool can serve any number of contexts.
        let workers = IOWorkers::new(1);
        let (tx, rx) = crossbeam_channel::bounded(128);
        let context = match IOContext::<ClosureCb, _>::new(16, rx, &workers, driver) {
            Ok(context) => context,
            Err(error) => {
                println!("skipped: {driver}: {error}");
                continue;
            }
        };

        let mut buffer = Buffer::aligned(4096)?;
        buffer.fill(b'A');
        let event = carry_out(&tx, &file, buffer, IOAction::Write)?;
        assert!(event.is_done());
        event.get_write_result()?;

        let event = carry_out(&tx, &file, Buffer::aligned(4096)?, IOAction::Read)?;
        let buffer: Buffer = event.get_read_result()?;
        assert_eq!(*buffer, [b'A'; 4096]);
        println!(
            "{}: {} bytes written and read back",
            context.driver(),
            buffer.len()
        );

        // Finishes what was accepted, though `tx` is still there. Dropping it would do the same.
        context.shutdown()?;
    }
    Ok(())
}

/// Hands an event over and waits until its callback has sent it back.
fn carry_out(
    tx: &crossbeam_channel::Sender<IOEvent<ClosureCb>>,
    file: &Arc<File>,
    buffer: Buffer,
    action: IOAction,
) -> Result<IOEvent<ClosureCb>, Box<dyn Error>> {
    let (done_tx, done_rx) = crossbeam_channel::bounded(1);
    // The event keeps the file open until its callback has been called.
    let mut event = IOEvent::new(file, buffer, action, 0);
    event.set_callback(ClosureCb(Box::new(move |event| {
        let _ = done_tx.send(event);
    })));
    tx.send(event)?;
    Ok(done_rx.recv()?)
}
