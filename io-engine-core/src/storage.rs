//! What is known of a file and the device behind it: how much one request may move, and how long the
//! file is.
#![allow(
    unsafe_code,
    reason = "system calls on a number that may not be an open file"
)]

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use crate::simulated_number;

/// What one request to a file may be, as far as its device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The most bytes that the device takes in one request; `None` if there is no device, or it does
    /// not say.
    pub request_bytes_max: Option<usize>,
    /// The most separate pieces of memory that it takes in one request; `None` as above.
    pub segments_max: Option<usize>,
    /// How many bytes the file had when it was asked; 0 if that is not known.
    pub bytes: u64,
    /// Whether the offset of a transfer says where its bytes are: a regular file or a block device, and
    /// not open with `O_APPEND`.
    pub is_positional: bool,
}

impl Storage {
    /// Nothing is known, and no transfer may be joined with another.
    pub const UNKNOWN: Self = Self {
        request_bytes_max: None,
        segments_max: None,
        bytes: 0,
        is_positional: false,
    };

    /// Asks the kernel: `fcntl`, `fstat`, and for the device `max_sectors_kb` and `max_segments` of
    /// [its queue in sysfs]. Some ten system calls.
    ///
    /// [its queue in sysfs]: https://docs.kernel.org/block/queue-sysfs.html
    #[must_use]
    pub fn of(fd: RawFd) -> Self {
        if simulated_number::is_simulated(fd) {
            return Self {
                is_positional: true,
                ..Self::UNKNOWN
            };
        }
        let Some(place) = Place::of(fd) else {
            return Self::UNKNOWN;
        };
        let kib = queue_number(place.device, "max_sectors_kb");
        Self {
            request_bytes_max: kib.map(|kib| kib.saturating_mul(1024)),
            segments_max: queue_number(place.device, "max_segments"),
            bytes: place.bytes.unwrap_or_else(|| device_bytes(place.device)),
            is_positional: place.is_positional,
        }
    }

    /// Asks again whether it is positional and how long it is, and keeps the rest: two system calls.
    ///
    /// Meanwhile the number may have been closed and given to another file, and the file may have
    /// another length. That the device is another one costs no more than speed.
    #[must_use]
    pub fn asked_again(self, fd: RawFd) -> Self {
        if simulated_number::is_simulated(fd) {
            return Self::of(fd);
        }
        match Place::of(fd) {
            Some(place) => Self {
                bytes: place.bytes.unwrap_or(self.bytes),
                is_positional: place.is_positional,
                ..self
            },
            None => Self::UNKNOWN,
        }
    }
}

/// What the kernel says of a number by which bytes can be found: that of a file or of a block device.
struct Place {
    device: libc::dev_t,
    /// `None` of a block device, where it takes longer to ask; it does not become longer.
    bytes: Option<u64>,
    is_positional: bool,
}

impl Place {
    fn of(fd: RawFd) -> Option<Self> {
        // SAFETY: F_GETFL takes no pointer; a number that is not open is answered with EBADF.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        let stat = stat(fd).filter(|_| flags != -1)?;
        let (device, bytes) = match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => (stat.st_dev, Some(u64::try_from(stat.st_size).unwrap_or(0))),
            libc::S_IFBLK => (stat.st_rdev, None),
            _ => return None,
        };
        Some(Self {
            device,
            bytes,
            is_positional: flags & libc::O_APPEND == 0,
        })
    }
}

/// How long a regular file is.
pub(crate) fn regular_bytes(fd: RawFd) -> Option<u64> {
    Place::of(fd)?.bytes
}

/// What `fstat` says of it.
pub(crate) fn stat(fd: RawFd) -> Option<libc::stat> {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes at most one `stat` to the pointer, which this frame owns.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: `stat` is made of integers, for which the zeroes it began with are values.
    Some(unsafe { stat.assume_init() })
}

/// What the kernel knows of a file without asking a server or a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Major and minor number.
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
    /// Seconds and nanoseconds; `None` where the file system does not keep it.
    pub(crate) birth: Option<(i64, u32)>,
}

pub(crate) fn known(fd: RawFd) -> Option<Known> {
    let mut statx = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is a C string, and the kernel writes at most one `statx` to the pointer, which
    // this frame owns.
    let answer = unsafe {
        libc::statx(
            fd,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_INO | libc::STATX_BTIME,
            statx.as_mut_ptr(),
        )
    };
    if answer != 0 {
        return None;
    }
    // SAFETY: `statx` is made of integers, for which the zeroes it began with are values.
    let statx = unsafe { statx.assume_init() };
    let has_birth = statx.stx_mask & libc::STATX_BTIME != 0;
    Some(Known {
        device: (statx.stx_dev_major, statx.stx_dev_minor),
        inode: statx.stx_ino,
        birth: has_birth.then_some((statx.stx_btime.tv_sec, statx.stx_btime.tv_nsec)),
    })
}

/// A limit of the queue of a device; that of a partition belongs to the whole device.
fn queue_number(device: libc::dev_t, name: &str) -> Option<usize> {
    let folder = sys_folder(device);
    let text = fs::read_to_string(format!("{folder}/queue/{name}"))
        .or_else(|_| fs::read_to_string(format!("{folder}/../queue/{name}")));
    // 0 would be a queue that takes nothing.
    text.ok()?.trim().parse().ok().filter(|&number| number > 0)
}

/// sysfs counts in units of 512 bytes, whatever the device has.
fn device_bytes(device: libc::dev_t) -> u64 {
    let text = fs::read_to_string(format!("{}/size", sys_folder(device)));
    let units = text.ok().and_then(|text| text.trim().parse().ok());
    units.unwrap_or(0_u64).saturating_mul(512)
}

fn sys_folder(device: libc::dev_t) -> String {
    let (major, minor) = (libc::major(device), libc::minor(device));
    format!("/sys/dev/block/{major}:{minor}")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_regular_file_is_positional_and_has_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(12345).unwrap();
        let storage = Storage::of(file.as_file().as_raw_fd());
        assert_eq!((storage.is_positional, storage.bytes), (true, 12345));
        assert_ne!(storage.request_bytes_max, Some(0));
        assert_ne!(storage.segments_max, Some(0));

        let appending = File::options().append(true).open(file.path()).unwrap();
        assert!(!Storage::of(appending.as_raw_fd()).is_positional);

        file.as_file().set_len(99).unwrap();
        let shorter = storage.asked_again(file.as_file().as_raw_fd());
        assert_eq!(
            shorter,
            Storage {
                bytes: 99,
                ..storage
            }
        );
        let appends = storage.asked_again(appending.as_raw_fd());
        assert!(!appends.is_positional);
        assert_eq!(storage.asked_again(-1), Storage::UNKNOWN);
    }

    #[test]
    fn what_is_no_file_and_no_device_is_not_known() {
        let (reads, _writes) = std::io::pipe().unwrap();
        for fd in [-1, reads.as_raw_fd(), File::open("/").unwrap().as_raw_fd()] {
            assert_eq!(Storage::of(fd), Storage::UNKNOWN);
        }
    }

    #[test]
    fn a_block_device_of_this_machine_has_the_limits_that_sysfs_shows() {
        let devices = fs::read_dir("/dev").unwrap().flatten();
        let opened = devices.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let kib = fs::read_to_string(format!("/sys/block/{name}/queue/max_sectors_kb"));
            Some((File::open(entry.path()).ok()?, kib.ok()?))
        });
        for (device, kib) in opened {
            let kib: usize = kib.trim().parse().unwrap();
            let storage = Storage::of(device.as_raw_fd());
            assert_eq!(storage.request_bytes_max, Some(kib * 1024));
            assert!(storage.is_positional);
        }
    }
}
