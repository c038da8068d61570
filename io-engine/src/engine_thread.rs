//! Starting the engine's own threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use io_engine_core::block_signals_in_this_thread;

/// Starts a thread that no signal handler of the program runs on.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        block_signals_in_this_thread();
        run();
    })
}
