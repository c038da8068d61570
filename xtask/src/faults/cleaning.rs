//! What a run that was killed has left in the machine: found by its folder and taken away.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, unmount};

use super::cgroup;
use super::ground::mounts;
use crate::usage_error::UsageError;

/// The folder of a run, which no other run uses for as long as this is kept.
#[derive(Debug)]
pub(crate) struct OwnFolder {
    /// Without links, as the kernel names what is mounted in it.
    pub(crate) path: PathBuf,
    _lock: File,
}

/// Takes the folder for this run and sweeps it. A run in another folder is left alone.
pub(crate) fn take(dir: &Path) -> anyhow::Result<OwnFolder> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let path = dir.canonicalize()?;
    let lock = File::create(path.join("lock")).with_context(|| path.display().to_string())?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let path = path.display();
        UsageError(format!(
            "{path} is in use by another run; --dir names another folder"
        ))
    })?;
    sweep(&path)?;
    Ok(OwnFolder { path, _lock: lock })
}

fn sweep(dir: &Path) -> anyhow::Result<()> {
    for place in mounts().iter().filter(|place| place.starts_with(dir)) {
        unmount(place, UnmountFlags::DETACH)
            .with_context(|| format!("{} is left from an earlier run", place.display()))?;
    }
    cgroup::sweep();
    for device in loop_devices_in(dir) {
        // It may be gone with the mount that was on it.
        let _ = Command::new("losetup").args(["--detach", &device]).output();
    }
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b"run-") {
            fs::remove_dir_all(entry.path()).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(())
}

fn loop_devices_in(dir: &Path) -> Vec<String> {
    let Ok(devices) = fs::read_dir("/sys/block") else {
        return Vec::new();
    };
    let in_dir = devices.flatten().filter(|device| {
        let file = fs::read_to_string(device.path().join("loop/backing_file"));
        file.is_ok_and(|file| Path::new(file.trim_end()).starts_with(dir))
    });
    in_dir
        .map(|device| format!("/dev/{}", device.file_name().display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_gone_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("run-killed/fuse")).unwrap();
        fs::write(dir.path().join("notes"), "of somebody").unwrap();
        let folder = take(dir.path()).unwrap();
        assert!(!folder.path.join("run-killed").exists());
        assert!(folder.path.join("notes").exists());
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap();
        let error = take(dir.path()).unwrap_err();
        assert!(error.is::<UsageError>(), "{error}");
        drop(first);
        take(dir.path()).unwrap();
    }
}
