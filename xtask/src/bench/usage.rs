//! What the process has used so far: CPU time, system calls, memory.
#![allow(unreachable_pub, reason = "public in the library of the peers")]

use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

/// Reads what the process has used.
#[derive(Debug)]
pub struct UsageProbe {
    system_calls: Option<Counter>,
}

/// What was used up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The moment.
    pub at: Instant,
    /// CPU time in user mode, of all threads.
    pub user: Duration,
    /// CPU time in the kernel, of all threads.
    pub system: Duration,
    /// System calls of all threads, if they are counted.
    pub system_calls: Option<u64>,
}

impl UsageProbe {
    /// With a tracepoint it counts system calls: of this thread and of those that it and its
    /// descendants start from now on. So it must come before the first thread.
    pub fn new(syscall_tracepoint: Option<u64>) -> anyhow::Result<Self> {
        let system_calls = syscall_tracepoint.map(count_system_calls).transpose()?;
        Ok(Self { system_calls })
    }

    /// What was used up to now.
    pub fn read(&mut self) -> anyhow::Result<Usage> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage failed")?;
        let system_calls = match &mut self.system_calls {
            Some(counter) => Some(counter.read().context("the system calls cannot be read")?),
            None => None,
        };
        Ok(Usage {
            at: Instant::now(),
            user: duration(usage.user_time()),
            system: duration(usage.system_time()),
            system_calls,
        })
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(time.num_microseconds().unsigned_abs())
}

fn count_system_calls(tracepoint: u64) -> anyhow::Result<Counter> {
    let count = || {
        let mut counter = Builder::new(Tracepoint::with_id(tracepoint))
            .include_kernel()
            .inherit(true)
            .build()?;
        counter.enable()?;
        Ok::<Counter, std::io::Error>(counter)
    };
    count().with_context(|| {
        format!(
            "system calls cannot be counted with tracepoint {tracepoint}: it takes root or CAP_PERFMON, and the id of raw_syscalls:sys_enter"
        )
    })
}

/// The most memory that the process ever had resident.
pub fn peak_rss_kib() -> anyhow::Result<u64> {
    let path = "/proc/self/status";
    let status = std::fs::read_to_string(path).with_context(|| format!("{path} is unreadable"))?;
    high_water_mark(&status).with_context(|| format!("{path} has no VmHWM in kB"))
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_memory_is_the_one_that_the_kernel_states() {
        let status = "Name:\txtask\nVmPeak:\t  9000 kB\nVmHWM:\t    5120 kB\nVmRSS:\t 4000 kB\n";
        assert_eq!(high_water_mark(status), Some(5120));
        assert_eq!(high_water_mark("Name:\txtask\n"), None);
        assert!(peak_rss_kib().unwrap() > 100);
    }

    #[test]
    fn cpu_time_that_is_burnt_is_seen() {
        let mut probe = UsageProbe::new(None).unwrap();
        let before = probe.read().unwrap();
        while before.at.elapsed().as_millis() < 50 {
            std::hint::spin_loop();
        }
        let after = probe.read().unwrap();
        let used = (after.user + after.system) - (before.user + before.system);
        assert!(used > Duration::from_millis(5), "{used:?} of 50 ms");
        assert_eq!(after.system_calls, None);
    }

    #[test]
    fn a_tracepoint_that_does_not_exist_is_an_error_with_advice() {
        let error = UsageProbe::new(Some(u64::MAX)).unwrap_err().to_string();
        assert!(error.contains("raw_syscalls:sys_enter"), "{error}");
    }
}
