//! A mount of the failing file system, and the process behind it, which always goes first.
//!
//! A process with direct I/O on a file that hangs cannot even be killed until the process behind
//! the mount is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::mount::{UnmountFlags, unmount};

use super::file_behaviour::Injected;
use super::file_system::INJECTED;
use super::finding::Skip;
use super::ground::{Ground, Made, mounts};
use super::job::this_program;
use crate::bench::interruption;

/// How the kernel is to treat direct transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectIo {
    /// One call of the file system after the other.
    InOrder,
    /// `FUSE_ASYNC_DIO`: all at once.
    AtOnce,
}

/// Mounted until dropped.
#[derive(Debug)]
pub(crate) struct FuseMount {
    dir: PathBuf,
    process: Mutex<Child>,
}

const MOUNTING_TAKES: Duration = Duration::from_secs(10);
const DEVICE: &str = "/dev/fuse";

impl FuseMount {
    pub(crate) fn new(ground: &Ground, name: &str, direct: DirectIo) -> anyhow::Result<Self> {
        if !Path::new(DEVICE).exists() {
            return Err(Skip(format!(
                "no {DEVICE}: the kernel has no FUSE (modprobe fuse)"
            ))
            .into());
        }
        let dir = ground.new_folder(name)?;
        let mut command = Command::new(this_program()?);
        command.arg("fault-fs").arg(&dir);
        command.args(["--seed", &ground.seed.to_string()]);
        if direct == DirectIo::AtOnce {
            command.arg("--async-dio");
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        ground.note(Made::Mount(dir.clone()));
        ground.note(Made::Process(process.id()));
        // From here on both go away again, whatever happens.
        let mount = Self {
            dir,
            process: Mutex::new(process),
        };
        mount.wait()?;
        Ok(mount)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + MOUNTING_TAKES;
        while !mounts().contains(&self.dir) {
            interruption::check()?;
            let dir = self.dir.display();
            if let Some(status) = self.process().try_wait()? {
                bail!("no file system at {dir}: its process ended, {status}");
            }
            if Instant::now() > deadline {
                bail!(
                    "no file system at {dir} after {} s",
                    MOUNTING_TAKES.as_secs()
                );
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The name of a file in it; what the file does is in its name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What it has done so far.
    pub(crate) fn injected(&self) -> anyhow::Result<Injected> {
        let path = self.path(INJECTED);
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Ends the process behind it: who waits for an answer gets an error.
    pub(crate) fn end_process(&self) {
        let mut process = self.process();
        // One that has ended by itself is as good.
        let _ = process.kill();
        let _ = process.wait();
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Child> {
        self.process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for FuseMount {
    fn drop(&mut self) {
        self.end_process();
        if mounts().contains(&self.dir)
            && let Err(error) = unmount(&self.dir, UnmountFlags::DETACH)
        {
            let dir = self.dir.display();
            eprintln!("{dir} stays mounted: {error}; umount -l {dir}");
        }
    }
}
