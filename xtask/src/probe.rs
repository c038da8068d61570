//! `probe`: what this machine offers the engine.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use io_engine::callback_worker::Inline;
use io_engine::{Driver, IOContext};
use io_engine_core::DirectAlignment;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Resource, getrlimit};

use crate::usage_error::UsageError;

/// The arguments of the probe.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Folder whose direct I/O is looked at; the system's temporary folder if left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Depth with which each driver is started
    #[arg(long, value_name = "N", default_value_t = 128)]
    depth: usize,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let dir = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    if !fs::metadata(&dir).is_ok_and(|found| found.is_dir()) {
        return Err(UsageError(format!("--dir: {} is not a folder", dir.display())).into());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.add_rows(kernel());
    table.add_rows(limits());
    for driver in [Driver::Uring, Driver::Aio, Driver::Threads, Driver::Auto] {
        table.add_row([format!("{driver:?}"), start(driver, options.depth)]);
    }
    table.add_row([format!("O_DIRECT in {}", dir.display()), direct_io(&dir)]);
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

fn kernel() -> [[String; 2]; 4] {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    [
        ["kernel".to_owned(), release],
        [
            "kernel.io_uring_disabled".to_owned(),
            match sysctl("kernel/io_uring_disabled").as_str() {
                "0" => "0: allowed".to_owned(),
                "1" => "1: only with CAP_SYS_ADMIN or in kernel.io_uring_group".to_owned(),
                "2" => "2: forbidden".to_owned(),
                other => other.to_owned(),
            },
        ],
        ["fs.aio-max-nr".to_owned(), sysctl("fs/aio-max-nr")],
        ["fs.aio-nr, in use".to_owned(), sysctl("fs/aio-nr")],
    ]
}

fn sysctl(path: &str) -> String {
    match fs::read_to_string(Path::new("/proc/sys").join(path)) {
        Ok(value) => value.trim().to_owned(),
        Err(error) => format!("unknown: {error}"),
    }
}

fn limits() -> [[String; 2]; 2] {
    let of = |resource| {
        let limit = getrlimit(resource);
        let said = |value: Option<u64>| value.map_or("unlimited".to_owned(), |n| n.to_string());
        format!("{}, hard {}", said(limit.current), said(limit.maximum))
    };
    [
        ["RLIMIT_MEMLOCK, bytes".to_owned(), of(Resource::Memlock)],
        ["RLIMIT_NOFILE".to_owned(), of(Resource::Nofile)],
    ]
}

/// Starts a context and ends it again.
fn start(driver: Driver, depth: usize) -> String {
    let (tx, rx) = io_engine::channel::<()>(1);
    let context = match IOContext::<(), _>::new(depth, rx, &Inline, driver) {
        Ok(context) => context,
        Err(error) => return error.to_string(),
    };
    let mut said = match driver {
        Driver::Auto => format!("takes {}", context.driver()),
        Driver::Uring | Driver::Aio | Driver::Threads => "starts".to_owned(),
    };
    if let Some(reason) = context.fallback_reason() {
        said.push_str(&format!(": {reason}"));
    }
    drop(tx);
    if let Err(error) = context.shutdown() {
        said.push_str(&format!("; its end failed: {error}"));
    }
    said
}

/// What direct I/O demands in a folder, tried with a file without a name.
fn direct_io(dir: &Path) -> String {
    let asked = tempfile::tempfile_in(dir).map(|file| {
        let flags = fcntl_getfl(&file)?;
        fcntl_setfl(&file, flags | OFlags::DIRECT)?;
        Ok::<_, rustix::io::Errno>(DirectAlignment::of(file.as_raw_fd()))
    });
    match asked {
        Ok(Ok(Some(demanded))) => format!(
            "memory aligned to {}, offset and length to {} bytes",
            demanded.memory, demanded.offset
        ),
        Ok(Ok(None)) => "allowed; STATX_DIOALIGN does not say what it demands".to_owned(),
        Ok(Err(error)) => format!("not allowed: {error}"),
        Err(error) => format!("no file can be made: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_said_and_nothing_else_fails() {
        assert!(direct_io(Path::new("no such folder")).starts_with("no file can be made"));
        assert!(sysctl("no/such/value").starts_with("unknown: "));
    }

    #[test]
    fn a_driver_that_cannot_start_says_why() {
        assert_eq!(start(Driver::Threads, 8), "starts");
        assert!(start(Driver::Threads, 0).contains("depth 0"));
    }
}
