//! Limits, filters, a group and a user for one program: set on this process, which then becomes it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::str::FromStr;

use anyhow::{Context, anyhow};
use clap::Args;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// The arguments of the process that becomes the program.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// System calls that fail, as in io_uring_setup=EPERM
    #[arg(long, value_name = "CALL=ERRNO")]
    forbid: Vec<Forbidden>,

    /// Limits of the process, as in fsize=65536
    #[arg(long, value_name = "LIMIT=N")]
    limit: Vec<Limit>,

    /// How many descriptors it may have beside those that it inherits
    #[arg(long, value_name = "N")]
    free_files: Option<usize>,

    /// A group of processes that it joins
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,

    /// The user that it becomes, without any capability
    #[arg(long, value_name = "UID")]
    user: Option<u32>,

    /// The program and its arguments
    #[arg(trailing_var_arg = true, required = true)]
    program: Vec<OsString>,
}

/// A call that fails, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forbidden {
    call: i64,
    errno: u32,
}

/// A limit of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    resource: Resource,
    value: u64,
}

const CALLS: [(&str, libc::c_long); 7] = [
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("io_setup", libc::SYS_io_setup),
    ("io_submit", libc::SYS_io_submit),
    ("io_getevents", libc::SYS_io_getevents),
    ("io_destroy", libc::SYS_io_destroy),
];

const ERRNOS: [(&str, i32); 2] = [("EPERM", libc::EPERM), ("ENOSYS", libc::ENOSYS)];

const LIMITS: [(&str, Resource); 4] = [
    ("fsize", Resource::RLIMIT_FSIZE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("nproc", Resource::RLIMIT_NPROC),
];

impl FromStr for Forbidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (call, errno) = text.split_once('=').ok_or("write CALL=ERRNO")?;
        let call = named(&CALLS, call)?;
        let errno = named(&ERRNOS, errno)?.cast_unsigned();
        Ok(Self { call, errno })
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (resource, value) = text.split_once('=').ok_or("write LIMIT=N")?;
        let resource = named(&LIMITS, resource)?;
        let value = value
            .parse()
            .map_err(|error| format!("{value:?} is no number: {error}"))?;
        Ok(Self { resource, value })
    }
}

fn named<T: Copy>(known: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("{name:?} is none of {}", names.join(", "))
    })
}

/// Does not return if all went well: the program takes the place of this one.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(group) = &options.cgroup {
        let list = group.join("cgroup.procs");
        // 0 means whoever writes it.
        fs::write(&list, "0").with_context(|| list.display().to_string())?;
    }
    if let Some(free) = options.free_files {
        let limit = nofile_limit(&open_files()?, free);
        setrlimit(Resource::RLIMIT_NOFILE, limit, limit).context("RLIMIT_NOFILE")?;
    }
    for limit in &options.limit {
        setrlimit(limit.resource, limit.value, limit.value)
            .with_context(|| format!("{:?} of {}", limit.resource, limit.value))?;
    }
    let (name, arguments) = options.program.split_first().context("a program")?;
    let mut program = Command::new(name);
    program.args(arguments);
    if let Some(user) = options.user {
        program.uid(user).gid(user);
    }
    // Last, as what is forbidden is forbidden to this process as well.
    filter(&options.forbid)?;
    let error = program.exec();
    Err(anyhow!(error).context(format!("{}", name.display())))
}

/// The numbers of open descriptors, that of the list itself among them, which is as good as free.
fn open_files() -> anyhow::Result<Vec<usize>> {
    let entries = fs::read_dir("/proc/self/fd")?;
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<usize> = numbers.collect();
    // Opened last, so it has the lowest number that was free.
    let listing = (0..).find(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_err());
    numbers.retain(|number| Some(*number) != listing);
    Ok(numbers)
}

/// The limit below which so many numbers are free.
fn nofile_limit(open: &[usize], free: usize) -> u64 {
    let is_free = |number: &usize| !open.contains(number);
    let last = (0..).filter(is_free).nth(free.saturating_sub(1));
    last.map_or(u64::MAX, |last| last as u64 + 1)
}

fn filter(forbidden: &[Forbidden]) -> anyhow::Result<()> {
    let mut by_errno: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for Forbidden { call, errno } in forbidden {
        by_errno.entry(*errno).or_default().push(*call);
    }
    for (errno, calls) in by_errno {
        let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
        let arch = std::env::consts::ARCH.try_into()?;
        let action = SeccompAction::Errno(errno);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program).context("seccomp")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_open_do_not_count_as_free() {
        assert_eq!(nofile_limit(&[0, 1, 2], 1), 4);
        assert_eq!(nofile_limit(&[0, 1, 2, 3, 5], 2), 7);
    }

    #[test]
    fn what_is_forbidden_and_what_is_limited_is_read_from_words() {
        let forbidden: Forbidden = "io_uring_setup=ENOSYS".parse().unwrap();
        assert_eq!(forbidden.call, libc::SYS_io_uring_setup);
        assert_eq!(forbidden.errno, libc::ENOSYS.cast_unsigned());
        let limit: Limit = "fsize=65536".parse().unwrap();
        assert_eq!(limit.value, 65536);
        for wrong in ["io_uring_setup", "read=EPERM", "io_setup=EIO"] {
            assert!(wrong.parse::<Forbidden>().is_err(), "{wrong}");
        }
        let error = "files=3".parse::<Limit>().unwrap_err();
        assert!(error.contains("nofile"), "{error}");
        assert!("fsize=much".parse::<Limit>().is_err());
    }
}
