//! A simulated disk: its files, its faults, its crashes.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use super::faults::Injected;
use super::files::Files;
use super::outcome::State;
use super::rules::{Rule, Rules};
use super::sectors::Surviving;
use crate::file::FileHandle;
use crate::simulated_number;

/// The space of a disk that was not given another.
const CAPACITY_BYTES: u64 = 1 << 30;

/// A disk in memory, with files by name, that fails as it is told.
///
/// All clones are one disk. Requests reach it through a [`SimBackend`](super::SimBackend).
///
/// # What its files do
/// They behave as files of a local file system do: reads end at the end of the file, writes make it
/// grow, what was never written reads as zero, and where the space ends a write is short and the next
/// one `ENOSPC`. A file is read and written in any sizes, or, opened by
/// [`open_direct`](Self::open_direct), in whole sectors of 512 bytes.
///
/// Until it is synced, what was written is in the cache of the disk: it can be read, and a
/// [crash](Self::crash) may leave any of it or nothing. A sync saves what had been carried out when it
/// was sent, and nothing that was under way with it. Names need no sync.
///
/// # Determinism
/// With one backend on one thread all that happens follows from the seed, the rules and the order of
/// the requests.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// A file of a simulated disk, as events name it.
///
/// Only a number, which means nothing to the kernel: an event that is sent to a real driver by mistake
/// fails with `EBADF`. The disk that a [crash](SimDisk::crash) leaves has its files under the same
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SimFile {
    fd: RawFd,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing: exactly what was synced.
    Nothing,
    /// All of it, as when only the process dies.
    Everything,
    /// Each sector of 512 bytes in any state that it had since it was synced, and each length of the
    /// file, as this seed has it. So a write can be torn, and later ones be there without earlier ones.
    Sectors(u64),
}

impl SimFile {
    /// The number that stands for a descriptor.
    #[must_use]
    pub fn fd(self) -> RawFd {
        self.fd
    }
}

impl AsRawFd for SimFile {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl From<SimFile> for FileHandle {
    fn from(file: SimFile) -> Self {
        Self::Raw(file.fd)
    }
}

impl SimDisk {
    /// An empty disk on which nothing fails yet, with space for 1 GiB.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::of_files(seed, Files::new(CAPACITY_BYTES))
    }

    fn of_files(seed: u64, files: Files) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                seed,
                dice: Dice::new(seed),
                rules: Rules::default(),
                files,
            })),
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.lock().seed
    }

    /// The file with this name, which is made if there is none.
    #[must_use]
    pub fn open(&self, name: &str) -> SimFile {
        let fd = self.lock().files.open(name);
        SimFile { fd }
    }

    /// As [`open`](Self::open), as if with `O_DIRECT`: addresses, offsets and lengths are multiples of
    /// 512. Both ways lead to the same file.
    #[must_use]
    pub fn open_direct(&self, name: &str) -> SimFile {
        let fd = self.lock().files.open(name) | simulated_number::DIRECT;
        SimFile { fd }
    }

    /// The names of all files, in the order in which they were made.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().files.names().map(str::to_owned).collect()
    }

    /// What a read of the whole file would bring, without a request and without a fault.
    ///
    /// # Panics
    /// If the file is not of this disk.
    #[must_use]
    pub fn content(&self, file: SimFile) -> Vec<u8> {
        let state = self.lock();
        let sectors = state.files.sectors(file.fd);
        let sectors = sectors.expect("a file of this disk");
        let len = usize::try_from(sectors.len()).expect("a length that fits into memory");
        let mut content = vec![0; len];
        sectors.read(0, &mut content);
        content
    }

    /// Makes `content` all that is in the file, and synced, without a request and without a fault.
    ///
    /// # Panics
    /// If the file is not of this disk, or there is no space.
    pub fn put(&self, file: SimFile, content: &[u8]) {
        let put = self.lock().files.put(file.fd, content);
        assert!(put.is_ok(), "a file of this disk, and space for it");
    }

    /// How many bytes there is space for, in all files. What is used is not taken away.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().files.set_capacity(bytes);
    }

    /// Makes a fault happen when `rule` says so, beside those of earlier rules. Where several would
    /// strike the same request in the same way, the rule that was injected first has its turn.
    pub fn inject(&self, rule: Rule) {
        self.lock().rules.add(rule);
    }

    /// Ends all faults. What they have done stays done, but what [hangs](super::Fault::Hang) is answered.
    pub fn heal(&self) {
        self.lock().rules.clear();
    }

    /// How often each fault has struck.
    #[must_use]
    pub fn injected(&self) -> Injected {
        self.lock().rules.injected()
    }

    /// The disk as it is found when the machine has crashed now. Nothing fails on it yet.
    ///
    /// This disk stays as it is, so that the same moment can be tried with different outcomes.
    #[must_use]
    pub fn crash(&self, survival: Survival) -> Self {
        let state = self.lock();
        let files = state.files.after_crash(&mut Surviving::from(survival));
        Self::of_files(state.seed, files)
    }

    /// Lets events to real files through to the kernel, by blocking calls, with the same faults,
    /// delays and order as those to simulated ones. Else their number is `EBADF`.
    ///
    /// For suites of tests whose files are real. Such files know nothing of crashes, and a fault that
    /// makes a write of a file open with `O_DIRECT` short is answered by the kernel with `EINVAL`.
    pub fn let_real_files_through(&self) {
        self.lock().files.let_real_files_in();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that has panicked inside is reported as that panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("SimDisk")
            .field("seed", &state.seed)
            .field("injected", &state.rules.injected())
            .finish_non_exhaustive()
    }
}
