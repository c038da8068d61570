//! What an experiment stands on: a folder, the drivers, and the books of all that was put into the
//! machine, so that nothing of it stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use io_engine::EventLoop;
use tempfile::TempDir;

use super::scene::Named;

/// Where the experiments of one run take place.
#[derive(Debug)]
pub(crate) struct Ground {
    folder: TempDir,
    /// Each that starts here.
    pub(crate) drivers: Vec<Named>,
    /// Fewer combinations.
    pub(crate) quick: bool,
    /// How often a process is killed.
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    made: Mutex<Vec<Made>>,
}

/// Something that would stay if nobody took it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Mount(PathBuf),
    /// Its number.
    LoopDevice(PathBuf),
    Zram(PathBuf),
    Cgroup(PathBuf),
    Process(u32),
}

impl Ground {
    pub(crate) fn new(dir: &Path, quick: bool, kills: u64, seed: u64) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(dir)?;
        // Processes of other users work in it.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        let all = [Named::Uring, Named::Aio, Named::Threads];
        let starts = |named: &Named| EventLoop::<()>::new(4, named.driver()).is_ok();
        Ok(Self {
            folder,
            drivers: all.into_iter().filter(starts).collect(),
            quick,
            kills,
            seed,
            made: Mutex::new(Vec::new()),
        })
    }

    /// A name for a file or folder of an experiment.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new folder.
    pub(crate) fn new_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// A new file that anybody may read and write, and nobody has written to.
    pub(crate) fn new_file(&self, name: &str, bytes: u64) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        let file = fs::File::create(&path).with_context(|| path.display().to_string())?;
        file.set_len(bytes)?;
        file.set_permissions(PermissionsExt::from_mode(0o666))?;
        Ok(path)
    }

    /// Whether a driver starts on this machine.
    pub(crate) fn has(&self, driver: Named) -> bool {
        self.drivers.contains(&driver)
    }

    /// Takes note of something that has to go away again.
    pub(crate) fn note(&self, made: Made) {
        let mut all = self
            .made
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        all.push(made);
    }

    /// What is still there of all that was made, in words.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let all = self
            .made
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        all.iter().filter_map(Made::still_there).collect()
    }
}

impl Made {
    fn still_there(&self) -> Option<String> {
        let (there, said) = match self {
            Self::Mount(path) => (
                mounts().contains(path),
                format!("{} is still mounted: umount -l it", path.display()),
            ),
            Self::LoopDevice(backing) => {
                let device = loop_device_on(backing);
                let device = device.unwrap_or_default();
                (
                    !device.is_empty(),
                    format!(
                        "{device} is still on {}: losetup -d {device}",
                        backing.display()
                    ),
                )
            }
            Self::Zram(path) => (path.exists(), format!("{} is still there", path.display())),
            Self::Cgroup(path) => (
                path.exists(),
                format!("{} is still there: rmdir it", path.display()),
            ),
            Self::Process(number) => (
                is_our_child(*number),
                format!("process {number} still runs: kill -9 {number}"),
            ),
        };
        there.then_some(said)
    }
}

/// Every place where something is mounted.
pub(crate) fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = text.lines().filter_map(|line| line.split(' ').nth(1));
    places.map(PathBuf::from).collect()
}

fn loop_device_on(backing: &Path) -> Option<String> {
    let devices = fs::read_dir("/sys/block").ok()?;
    devices.flatten().find_map(|device| {
        let file = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        // A backing file that is removed has a note behind its name.
        let same = file.trim_end().trim_end_matches(" (deleted)") == backing.to_str()?;
        same.then(|| format!("/dev/{}", device.file_name().display()))
    })
}

/// Numbers are given out again, but not to children of this process.
fn is_our_child(number: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{number}/status")) else {
        return false;
    };
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.is_some_and(|parent| parent.trim() == std::process::id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_told_and_what_stays_is() {
        let dir = tempfile::tempdir().unwrap();
        let ground = Ground::new(dir.path(), true, 1, 1).unwrap();
        ground.note(Made::Cgroup(ground.path("gone")));
        ground.note(Made::Mount(ground.path("gone")));
        ground.note(Made::LoopDevice(ground.path("gone")));
        ground.note(Made::Process(u32::MAX));
        assert_eq!(ground.left_behind(), Vec::<String>::new());
        ground.note(Made::Cgroup(ground.new_folder("stays").unwrap()));
        ground.note(Made::Mount(PathBuf::from("/proc")));
        assert_eq!(ground.left_behind().len(), 2);
    }

    #[test]
    fn a_child_that_runs_is_found() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert!(is_our_child(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_our_child(child.id()));
    }
}
