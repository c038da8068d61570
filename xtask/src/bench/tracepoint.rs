//! The number of the tracepoint that counts system calls.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const SYS_ENTER: &str = "events/raw_syscalls/sys_enter/id";
/// Where it mostly is mounted already.
const TRACEFS: &str = "/sys/kernel/tracing";

/// The id of `raw_syscalls:sys_enter`, or why system calls cannot be counted.
pub(crate) fn syscall_id() -> Result<u64, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("that needs root".to_owned());
    }
    read(Path::new(TRACEFS)).or_else(|_| read_mounted())
}

fn read(root: &Path) -> Result<u64, String> {
    let path = root.join(SYS_ENTER);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let id = text.trim().parse();
    id.map_err(|_| format!("{}: {text:?} is no number", path.display()))
}

/// In a folder of its own, and not for longer than it takes to read the number.
fn read_mounted() -> Result<u64, String> {
    let failed = |error| format!("tracefs cannot be mounted: {error}");
    let dir = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tracefs", dir.path(), "tracefs", flags, None)
        .map_err(|error| failed(error.to_string()))?;
    let id = read(dir.path());
    if let Err(error) = unmount(dir.path(), UnmountFlags::DETACH) {
        let path = dir.keep();
        return Err(format!("{} stays mounted: {error}", path.display()));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_or_the_reason_is_told_and_no_mount_stays() {
        let mounts = || {
            fs::read_to_string("/proc/self/mounts")
                .unwrap()
                .matches("tracefs")
                .count()
        };
        let before = mounts();
        match syscall_id() {
            Ok(id) => assert!(id > 0),
            Err(reason) => eprintln!("skipped: counting system calls: {reason}"),
        }
        assert_eq!(mounts(), before);
    }
}
