//! A block device in memory: added for the run, removed behind it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A zram device of our own; gone when dropped.
#[derive(Debug)]
pub(crate) struct Zram {
    number: u32,
}

const CONTROL: &str = "/sys/class/zram-control";
/// Who watches devices may hold a new one open for a moment.
const REMOVAL_TAKES: Duration = Duration::from_secs(5);

impl Zram {
    /// Adds a device of `bytes`, or says why there is none.
    pub(crate) fn add(bytes: u64) -> Result<Self, String> {
        if !Path::new(CONTROL).is_dir() {
            return Err(format!(
                "no {CONTROL}: the kernel has no zram, or the module is not loaded (modprobe zram)"
            ));
        }
        let control = Path::new(CONTROL).join("hot_add");
        let number = fs::read_to_string(&control).map_err(|error| {
            format!("{}: {error}; adding a device needs root", control.display())
        })?;
        let number = number
            .trim()
            .parse()
            .map_err(|_| format!("{}: {number:?} is no number of a device", control.display()))?;
        // From here on the device goes away again, whatever happens.
        let device = Self { number };
        let size = device.attribute("disksize");
        fs::write(&size, bytes.to_string())
            .map_err(|error| format!("{}: {bytes}: {error}", size.display()))?;
        device.wait_for_node()?;
        Ok(device)
    }

    /// The device's file.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/zram{}", self.number))
    }

    /// From here on the device keeps no more than so many bytes and refuses further writes.
    pub(crate) fn limit_memory(&self, bytes: u64) -> Result<(), String> {
        let limit = self.attribute("mem_limit");
        fs::write(&limit, bytes.to_string())
            .map_err(|error| format!("{}: {bytes}: {error}", limit.display()))
    }

    fn attribute(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/sys/block/zram{}/{name}", self.number))
    }

    fn wait_for_node(&self) -> Result<(), String> {
        let path = self.path();
        let appears = retry(|| File::options().read(true).write(true).open(&path).map(drop));
        appears.map_err(|error| format!("{}: {error}", path.display()))
    }

    fn remove(&self) -> io::Result<()> {
        retry(|| {
            // Frees the memory even where the removal fails.
            fs::write(self.attribute("reset"), "1")?;
            let control = Path::new(CONTROL).join("hot_remove");
            fs::write(control, self.number.to_string())
        })
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let (number, path) = (self.number, self.path());
            eprintln!(
                "{} stays behind: {error}; remove it with: echo {number} > {CONTROL}/hot_remove",
                path.display()
            );
        }
    }
}

fn retry(mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + REMOVAL_TAKES;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => thread::park_timeout(Duration::from_millis(20)),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_there_with_its_size_and_then_gone() {
        let device = match Zram::add(1 << 20) {
            Ok(device) => device,
            Err(reason) => return eprintln!("skipped: {reason}"),
        };
        let size = fs::read_to_string(device.attribute("disksize")).unwrap();
        assert_eq!(size.trim(), "1048576");
        let path = device.path();
        drop(device);
        assert!(!path.exists(), "{}", path.display());
    }
}
