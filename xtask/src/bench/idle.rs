//! What an idle context costs: it is opened, left alone, and its CPU time is read.

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use io_engine::callback_worker::Inline;
use io_engine::tasks::ClosureCb;
use io_engine::{Driver, IOContext};

use super::record::Idle;
use super::usage::{Usage, UsageProbe};

/// The arguments of the process that is left alone.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Milliseconds for which nothing happens.
    milliseconds: u64,
}

const DEPTH: usize = 128;
/// A context may still be starting, or spinning before its first sleep.
const SETTLES: Duration = Duration::from_millis(100);

/// Prints one line of JSON.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let idle = measure(Duration::from_millis(options.milliseconds))?;
    writeln!(
        std::io::stdout().lock(),
        "{}",
        serde_json::to_string(&idle)?
    )?;
    Ok(ExitCode::SUCCESS)
}

fn measure(time: Duration) -> anyhow::Result<Idle> {
    let mut probe = UsageProbe::new(None)?;
    let (sender, queue) = io_engine::channel::<ClosureCb>(DEPTH);
    let context = IOContext::<ClosureCb, _>::new(DEPTH, queue, &Inline, Driver::Uring)?;
    rest(SETTLES);
    let before = probe.read()?;
    rest(time);
    let after = probe.read()?;
    let cpu = |usage: Usage| (usage.user + usage.system).as_secs_f64() * 1e6;
    let idle = Idle {
        cpu_us: cpu(after) - cpu(before),
        seconds: after.at.duration_since(before.at).as_secs_f64(),
    };
    drop(sender);
    context.shutdown()?;
    Ok(idle)
}

/// The thing to measure is that nothing happens, so there is no event to wait for.
fn rest(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resting_takes_its_time_and_is_measured() {
        match measure(Duration::from_millis(50)) {
            Ok(idle) => assert!(idle.seconds >= 0.05 && idle.cpu_us >= 0.0, "{idle:?}"),
            Err(error) => eprintln!("skipped: idle context: {error:#}"),
        }
    }
}
