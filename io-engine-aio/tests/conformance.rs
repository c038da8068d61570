//! What every backend must do, on every medium of the machine.

use std::thread;
use std::time::{Duration, Instant};

use io_engine_aio::{AioBackend, AioSettings, StartError};
use io_engine_core::conformance::{self, Probe};

/// How long other processes may keep the system's budget of AIO requests.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(depth: usize) -> Result<AioBackend<Probe>, StartError> {
    let asked = Instant::now();
    loop {
        match AioBackend::new(AioSettings::with_depth(depth)) {
            Err(error)
                if error.raw_os_error() == Some(libc::EAGAIN) && asked.elapsed() < PATIENCE =>
            {
                thread::yield_now();
            }
            answer => return answer,
        }
    }
}

#[test]
fn aio_keeps_the_contract_of_a_backend() {
    if let Err(reason) = start(1) {
        return conformance::require_or_skip("aio", &reason);
    }
    conformance::run_all("aio", |depth| start(depth).expect("it started before"));
}
