//! Setting a ring up: flags, probe, and what to say when it fails.
#![allow(unsafe_code, reason = "a queue entry is pushed into the probe's ring")]

use std::fs;
use std::io;

use io_engine_core::StartError;
use io_uring::{Builder, IoUring, Probe, opcode};
use rustix::process::{Resource, getrlimit};

use crate::entry::OPCODES;

/// The flags that the kernel accepts, found once per backend by stepping down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingFlags {
    /// Completions are worked off by the driving thread, in its own `enter`, and by nobody else
    /// (`SINGLE_ISSUER | DEFER_TASKRUN`, Linux 6.1). Before: `COOP_TASKRUN` (5.19) or nothing.
    task_run: TaskRun,
    /// One bad entry does not end the submission of the others (5.18).
    submit_all: bool,
    /// No indirection between the submission ring and its entries (6.6).
    no_sqarray: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskRun {
    Deferred,
    Cooperative,
    Interrupting,
}

/// From all that helps down to nothing, dropping the newest feature first.
const LADDER: [RingFlags; 5] = [
    RingFlags {
        task_run: TaskRun::Deferred,
        submit_all: true,
        no_sqarray: true,
    },
    RingFlags {
        task_run: TaskRun::Deferred,
        submit_all: true,
        no_sqarray: false,
    },
    RingFlags {
        task_run: TaskRun::Cooperative,
        submit_all: true,
        no_sqarray: false,
    },
    RingFlags {
        task_run: TaskRun::Interrupting,
        submit_all: true,
        no_sqarray: false,
    },
    RingFlags {
        task_run: TaskRun::Interrupting,
        submit_all: false,
        no_sqarray: false,
    },
];

/// How often in a row the kernel may put the NOP off before that counts as its answer.
const REFUSALS_MAX: u32 = 8;

/// Finds the flags, and proves with a NOP through a ring of its own that requests get through: a
/// sandbox may allow `io_uring_setup` and forbid `io_uring_enter`.
///
/// The NOP cannot go through the backend's ring: the first `enter` ties a ring to its thread, and
/// the backend may still move.
pub(crate) fn probe_kernel() -> Result<RingFlags, StartError> {
    let (flags, ring) = step_down()?;
    let mut probe = Probe::new();
    let probed = ring.submitter().register_probe(&mut probe);
    if probed.is_err() || !OPCODES.iter().all(|&code| probe.is_supported(code)) {
        return Err(too_old(
            "io_uring without the operations that the engine needs",
        ));
    }
    if !ring.params().is_feature_nodrop() || !ring.params().is_feature_ext_arg() {
        return Err(too_old("io_uring without NODROP or EXT_ARG"));
    }
    round_trip(ring).map_err(|cause| start_error("io_uring_enter", cause, 1))?;
    Ok(flags)
}

/// A ring for `entries` submissions, and twice as many completions. It stays disabled until
/// [`enable`]: the thread that enables it is the one it belongs to.
pub(crate) fn disabled_ring(flags: RingFlags, entries: u32) -> Result<IoUring, StartError> {
    let mut builder = builder(flags);
    builder.setup_r_disabled();
    builder
        .build(entries)
        .map_err(|cause| start_error("io_uring_setup", cause, entries))
}

/// Ties `ring` to the calling thread and lets it work.
pub(crate) fn enable(ring: &IoUring) -> io::Result<()> {
    ring.submitter().register_enable_rings()
}

fn step_down() -> Result<(RingFlags, IoUring), StartError> {
    let mut refused = None;
    for flags in LADDER {
        match builder(flags).build(1) {
            Ok(ring) => return Ok((flags, ring)),
            // An unknown flag is EINVAL; anything else would not get better with fewer flags.
            Err(cause) if cause.raw_os_error() == Some(libc::EINVAL) => refused = Some(cause),
            Err(cause) => return Err(start_error("io_uring_setup", cause, 1)),
        }
    }
    let cause = refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::EINVAL));
    Err(start_error("io_uring_setup", cause, 1))
}

fn builder(flags: RingFlags) -> Builder {
    let mut builder = IoUring::builder();
    // A child after fork would submit into the parent's queue.
    builder.dontfork();
    match flags.task_run {
        TaskRun::Deferred => {
            builder
                .setup_single_issuer()
                .setup_defer_taskrun()
                .setup_taskrun_flag();
        }
        TaskRun::Cooperative => {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        TaskRun::Interrupting => {}
    }
    if flags.submit_all {
        builder.setup_submit_all();
    }
    if flags.no_sqarray {
        builder.setup_no_sqarray();
    }
    builder
}

fn round_trip(mut ring: IoUring) -> io::Result<()> {
    let nop = opcode::Nop::new().build();
    // SAFETY: a NOP holds no memory and no file.
    let pushed = unsafe { ring.submission().push(&nop) };
    pushed.map_err(io::Error::other)?;
    let mut refusals = 0;
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Short of memory for the moment.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY))
                    && refusals < REFUSALS_MAX =>
            {
                refusals += 1;
            }
            Err(error) => return Err(error),
            Ok(_) if ring.completion().next().is_some() => return Ok(()),
            Ok(_) => {}
        }
    }
}

fn too_old(what: &'static str) -> StartError {
    StartError::new(
        what,
        io::Error::from(io::ErrorKind::Unsupported),
        "it needs Linux 5.11 or later; use Driver::Aio or Driver::Threads on this kernel",
    )
}

/// Puts the likely cause and the remedy beside the kernel's answer.
pub(crate) fn start_error(call: &'static str, cause: io::Error, entries: u32) -> StartError {
    let advice = match cause.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => forbidden_advice(),
        Some(libc::ENOSYS) => "the kernel was built without io_uring, or a seccomp filter (container, sandbox) hides it; allow io_uring_setup, io_uring_enter and io_uring_register there".to_owned(),
        Some(libc::ENOMEM) => format!(
            "the rings of {entries} entries are charged to RLIMIT_MEMLOCK, which is {}; raise it (ulimit -l, LimitMEMLOCK=) or ask for a smaller depth",
            limit_text(Resource::Memlock)
        ),
        Some(libc::EMFILE | libc::ENFILE) => format!(
            "no file descriptor is left; RLIMIT_NOFILE is {}; raise it (ulimit -n, LimitNOFILE=) or close files",
            limit_text(Resource::Nofile)
        ),
        Some(libc::EINVAL) => format!(
            "the kernel refuses a ring of {entries} entries with any set of flags; it needs Linux 5.11 or later"
        ),
        _ => "use Driver::Auto to fall back to Linux AIO or threads".to_owned(),
    };
    StartError::new(call, cause, advice)
}

fn forbidden_advice() -> String {
    match fs::read_to_string("/proc/sys/kernel/io_uring_disabled").as_deref().map(str::trim) {
        Ok("2") => "sysctl kernel.io_uring_disabled is 2, which forbids io_uring to everyone; set it to 0".to_owned(),
        Ok("1") => "sysctl kernel.io_uring_disabled is 1, which forbids io_uring outside its group; set it to 0, or add the user to kernel.io_uring_group".to_owned(),
        _ => "a seccomp filter (container, sandbox) forbids it; allow io_uring_setup, io_uring_enter and io_uring_register there".to_owned(),
    }
}

fn limit_text(resource: Resource) -> String {
    getrlimit(resource)
        .current
        .map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(errno: i32) -> String {
        start_error("io_uring_setup", io::Error::from_raw_os_error(errno), 64).to_string()
    }

    #[test]
    fn start_errors_name_the_limit_and_the_remedy() {
        assert!(advice(libc::ENOMEM).contains("RLIMIT_MEMLOCK"));
        assert!(advice(libc::EMFILE).contains("RLIMIT_NOFILE"));
        assert!(advice(libc::ENOSYS).contains("seccomp"));
        let forbidden = advice(libc::EPERM);
        assert!(forbidden.contains("seccomp") || forbidden.contains("io_uring_disabled"));
    }

    #[test]
    fn every_step_of_the_ladder_is_a_ring_on_this_kernel_or_refused_as_unknown() {
        for flags in LADDER {
            match builder(flags).build(1) {
                Ok(ring) => round_trip(ring).unwrap(),
                Err(error) => {
                    let errno = error.raw_os_error();
                    assert!(matches!(
                        errno,
                        Some(libc::EINVAL | libc::EPERM | libc::ENOSYS)
                    ));
                }
            }
        }
    }
}
