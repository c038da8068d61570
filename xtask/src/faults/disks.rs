//! Small disks that exist for one experiment: mounts in memory, loop devices, file systems on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::finding::Skip;
use super::ground::{Ground, Made};

/// Something mounted; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    dir: PathBuf,
    /// What it is on, which goes after it.
    _below: Option<LoopDevice>,
}

impl Mounted {
    /// A file system in memory of so many bytes.
    pub(crate) fn tmpfs(ground: &Ground, name: &str, bytes: u64) -> anyhow::Result<Self> {
        let dir = ground.new_folder(name)?;
        let size = std::ffi::CString::new(format!("size={bytes}"))?;
        mount(
            "io-engine-faults",
            &dir,
            "tmpfs",
            MountFlags::NOSUID,
            size.as_c_str(),
        )
        .with_context(|| format!("tmpfs at {}", dir.display()))?;
        ground.note(Made::Mount(dir.clone()));
        Ok(Self { dir, _below: None })
    }

    /// An ext4 of so many bytes, on a loop device.
    pub(crate) fn ext4(ground: &Ground, name: &str, bytes: u64) -> anyhow::Result<Self> {
        let image = ground.new_file(&format!("{name}.image"), bytes)?;
        run("mkfs.ext4", &["-q", "-F"], &image)?;
        let device = LoopDevice::on(ground, &image, &[])?;
        let dir = ground.new_folder(name)?;
        mount(device.path(), &dir, "ext4", MountFlags::NOSUID, c"")
            .with_context(|| format!("ext4 at {}", dir.display()))?;
        ground.note(Made::Mount(dir.clone()));
        Ok(Self {
            dir,
            _below: Some(device),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.dir, UnmountFlags::DETACH) {
            let dir = self.dir.display();
            eprintln!("{dir} stays mounted: {error}; umount -l {dir}");
        }
    }
}

/// A loop device; detached when dropped.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    /// A device on a file, with further arguments of `losetup`.
    pub(crate) fn on(ground: &Ground, file: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let all = [&["--find", "--show"], arguments].concat();
        let path = run("losetup", &all, file)?;
        ground.note(Made::LoopDevice(file.to_owned()));
        let device = Self {
            path: PathBuf::from(path.trim()),
        };
        ensure!(
            device.path.exists(),
            "losetup made {path:?}, which is not there"
        );
        Ok(device)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers by which a group of processes knows it, as in 7:3.
    pub(crate) fn numbers(&self) -> anyhow::Result<String> {
        let name = self.path.file_name().context("a device has a name")?;
        let path = Path::new("/sys/block").join(name).join("dev");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.trim().to_owned())
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(error) = run("losetup", &["--detach"], &self.path) {
            eprintln!("{} stays: {error:#}", self.path.display());
        }
    }
}

/// What the program prints. One that is not installed is no fault of the engine.
fn run(program: &str, arguments: &[&str], last: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).arg(last).stdin(Stdio::null());
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Skip(format!("{program} is not installed")).into());
        }
        other => other.with_context(|| program.to_owned())?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        last.display(),
        said.trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
