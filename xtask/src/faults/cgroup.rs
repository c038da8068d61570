//! A group of processes with limits, in the first version of the interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::finding::Skip;
use super::ground::{Ground, Made};

/// Removed when dropped; its processes have to be gone by then.
#[derive(Debug)]
pub(crate) struct Cgroup {
    dir: PathBuf,
}

/// The number of the process that made it follows.
const PREFIX: &str = "io-engine-faults-";
const ALL: &str = "/sys/fs/cgroup";
/// A process that has just ended is in its group for a moment longer.
const REMOVAL_TAKES: Duration = Duration::from_secs(5);

impl Cgroup {
    /// A group below `controller`, as in `blkio` or `memory`.
    pub(crate) fn new(ground: &Ground, controller: &str) -> anyhow::Result<Self> {
        let parent = Path::new(ALL).join(controller);
        if !parent.join("cgroup.procs").exists() {
            let parent = parent.display();
            return Err(Skip(format!("no {parent}: cgroup v1 has no {controller} here")).into());
        }
        let dir = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| dir.display().to_string())?;
        ground.note(Made::Cgroup(dir.clone()));
        Ok(Self { dir })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Sets a value of the group.
    pub(crate) fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, value).with_context(|| format!("{}: {value}", path.display()))
    }

    /// What the group says of itself.
    pub(crate) fn text(&self, name: &str) -> anyhow::Result<String> {
        let path = self.dir.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// A number that the group counts.
    pub(crate) fn number(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.text(name)?;
        text.trim()
            .parse()
            .with_context(|| format!("{name}: {text:?}"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + REMOVAL_TAKES;
        while let Err(error) = fs::remove_dir(&self.dir) {
            if Instant::now() > deadline {
                let dir = self.dir.display();
                return eprintln!("{dir} stays: {error}; rmdir {dir}");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Removes the groups of processes that are gone.
pub(crate) fn sweep() {
    for controller in ["blkio", "memory"] {
        let Ok(entries) = fs::read_dir(Path::new(ALL).join(controller)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
                // One that is not empty is still used.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}
