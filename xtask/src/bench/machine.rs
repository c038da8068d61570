//! What the numbers were measured on: machine, kernel, file system, commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::workspace;

/// The machine and its kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_kib: u64,
    pub(crate) kernel: String,
    pub(crate) architecture: String,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) id: String,
    /// Whether files differ from it.
    pub(crate) dirty: bool,
}

/// What a folder is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) file_system: String,
    pub(crate) device: String,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    pub(crate) fn this() -> Self {
        let uname = rustix::system::uname();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cpu: cpu_model(&cpuinfo).unwrap_or(UNKNOWN).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: meminfo("MemTotal").unwrap_or(0),
            kernel: uname.release().to_string_lossy().into_owned(),
            architecture: uname.machine().to_string_lossy().into_owned(),
        }
    }
}

impl Commit {
    /// `None` outside a git repository.
    pub(crate) fn current() -> Option<Self> {
        let id = git(&["rev-parse", "--short=12", "HEAD"])?;
        let changes = git(&["status", "--porcelain"])?;
        Some(Self {
            id,
            dirty: !changes.is_empty(),
        })
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(workspace::root())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Memory that can be had without swapping.
pub(crate) fn available_kib() -> anyhow::Result<u64> {
    meminfo("MemAvailable").context("/proc/meminfo does not say MemAvailable")
}

fn meminfo(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_matches([':', ' '])
        .split(' ')
        .next()?
        .parse()
        .ok()
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let (_, model) = lines.find(|(key, _)| key.trim() == "model name")?;
    Some(model.trim())
}

/// The mount that `dir` is on.
pub(crate) fn mount_of(dir: &Path) -> anyhow::Result<Mount> {
    let dir = fs::canonicalize(dir).with_context(|| dir.display().to_string())?;
    let table = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
    mount_in(&table, &dir)
        .with_context(|| format!("/proc/self/mountinfo has no mount above {}", dir.display()))
}

fn mount_in(table: &str, dir: &Path) -> Option<Mount> {
    let mounts = table.lines().filter_map(mount_point);
    let above = mounts.filter(|(point, _)| dir.starts_with(point));
    // Of two mounts on one point the later hides the other, and `max_by_key` takes the last.
    let (_, mount) = above.max_by_key(|(point, _)| point.components().count())?;
    Some(mount)
}

/// The fifth field is the mount point; behind the dash are file system and device.
fn mount_point(line: &str) -> Option<(PathBuf, Mount)> {
    let (before, behind) = line.split_once(" - ")?;
    let point = before.split(' ').nth(4)?.replace("\\040", " ");
    let mut behind = behind.split(' ');
    let mount = Mount {
        file_system: behind.next()?.to_owned(),
        device: behind.next()?.to_owned(),
    };
    Some((PathBuf::from(point), mount))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        25 22 0:22 / /dev rw shared:2 - devtmpfs devtmpfs rw\n\
        26 25 0:23 / /dev/shm rw - tmpfs tmpfs rw\n\
        27 22 0:24 / /a\\040b rw - xfs /dev/vdb rw\n\
        28 22 0:25 / /a\\040b rw - btrfs /dev/vdc rw\n";

    #[test]
    fn a_folder_is_on_the_deepest_and_latest_mount_above_it() {
        let of = |dir: &str| mount_in(TABLE, Path::new(dir)).unwrap().file_system;
        assert_eq!(of("/dev/shm/x"), "tmpfs");
        assert_eq!(of("/devices"), "ext4");
        assert_eq!(of("/a b/c"), "btrfs");
    }

    #[test]
    fn this_machine_is_known() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && machine.memory_kib > 0, "{machine:?}");
        assert!(!machine.kernel.is_empty());
        assert!(available_kib().unwrap() > 0);
        mount_of(Path::new("/")).unwrap();
    }

    #[test]
    fn the_model_is_behind_its_name() {
        let text = "processor\t: 0\nmodel name\t: A: B 3000\nmodel name\t: C\n";
        assert_eq!(cpu_model(text), Some("A: B 3000"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }
}
