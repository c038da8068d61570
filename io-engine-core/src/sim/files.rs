//! The files of a simulated disk, and what a file system does with them.

use std::os::fd::RawFd;

use super::real_file;
use super::sectors::{Sectors, Surviving};
use crate::simulated_number::{self, SECTOR_BYTES};

/// Every file, and the space that they share.
#[derive(Clone, Debug)]
pub(super) struct Files {
    files: Vec<NamedFile>,
    capacity: u64,
    used: u64,
    /// How many changes there were. Each has its number, by which a sync knows what it covers.
    changes: u64,
    lets_real_files_in: bool,
}

#[derive(Clone, Debug)]
struct NamedFile {
    name: String,
    sectors: Sectors,
}

/// Where a number leads.
enum Place {
    Simulated(usize),
    Real,
    Nowhere,
}

/// The result of a call, or an errno.
pub(super) type Answer<T> = Result<T, i32>;

impl Files {
    pub(super) fn new(capacity_bytes: u64) -> Self {
        Self {
            files: Vec::new(),
            capacity: capacity_bytes / SECTOR_BYTES,
            used: 0,
            changes: 0,
            lets_real_files_in: false,
        }
    }

    /// The number of the file with this name, which is made if there is none.
    pub(super) fn open(&mut self, name: &str) -> RawFd {
        let index = self.files.iter().position(|file| file.name == name);
        let index = index.unwrap_or_else(|| {
            self.files.push(NamedFile {
                name: name.to_owned(),
                sectors: Sectors::default(),
            });
            self.files.len() - 1
        });
        let index = RawFd::try_from(index).ok();
        let index = index.filter(|index| *index < simulated_number::FILES_MAX);
        simulated_number::FIRST | index.expect("fewer than 2^20 files")
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    pub(super) fn let_real_files_in(&mut self) {
        self.lets_real_files_in = true;
    }

    pub(super) fn set_capacity(&mut self, bytes: u64) {
        self.capacity = bytes / SECTOR_BYTES;
    }

    fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.used)
    }

    fn place(&self, fd: RawFd) -> Place {
        if !simulated_number::is_simulated(fd) {
            return match self.lets_real_files_in {
                true => Place::Real,
                false => Place::Nowhere,
            };
        }
        let index = fd & !(simulated_number::FIRST | simulated_number::DIRECT);
        match usize::try_from(index) {
            Ok(index) if index < self.files.len() => Place::Simulated(index),
            _ => Place::Nowhere,
        }
    }

    /// What is in a simulated file; `None` if there is no such file.
    pub(super) fn sectors(&self, fd: RawFd) -> Option<&Sectors> {
        match self.place(fd) {
            Place::Simulated(index) => Some(&self.files[index].sectors),
            Place::Real | Place::Nowhere => None,
        }
    }

    /// The number of the latest change.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    pub(super) fn read(&self, fd: RawFd, offset: u64, into: &mut [u8]) -> Answer<usize> {
        match self.place(fd) {
            Place::Simulated(index) => Ok(self.files[index].sectors.read(offset, into)),
            Place::Real => real_file::read(fd, offset, into),
            Place::Nowhere => Err(libc::EBADF),
        }
    }

    pub(super) fn write(&mut self, fd: RawFd, offset: u64, from: &[u8]) -> Answer<usize> {
        match self.place(fd) {
            Place::Simulated(index) => {
                let (now, free) = (self.next_change(), self.free());
                let sectors = &mut self.files[index].sectors;
                let len = sectors.fitting(offset, from.len(), free);
                if len == 0 {
                    return Err(libc::ENOSPC);
                }
                self.used += sectors.without_space(offset, len as u64);
                sectors.write(now, offset, &from[..len]);
                Ok(len)
            }
            Place::Real => real_file::write(fd, offset, from),
            Place::Nowhere => Err(libc::EBADF),
        }
    }

    /// A sync of this file has been sent.
    pub(super) fn begin_sync(&mut self, fd: RawFd) {
        if let Place::Simulated(index) = self.place(fd) {
            self.files[index].sectors.begin_sync();
        }
    }

    /// Saves what was done up to the change `until`. A real file is saved as a whole.
    pub(super) fn sync(&mut self, fd: RawFd, until: u64) -> Answer<()> {
        match self.place(fd) {
            Place::Simulated(index) => {
                self.files[index].sectors.sync(until);
                Ok(())
            }
            Place::Real => real_file::sync(fd),
            Place::Nowhere => Err(libc::EBADF),
        }
    }

    /// As [`sync`](Self::sync): a length that reading needs is saved by both, and there is no other
    /// metadata.
    pub(super) fn data_sync(&mut self, fd: RawFd, until: u64) -> Answer<()> {
        match self.place(fd) {
            Place::Real => real_file::data_sync(fd),
            Place::Simulated(_) | Place::Nowhere => self.sync(fd, until),
        }
    }

    pub(super) fn fail_sync(&mut self, fd: RawFd, until: u64) {
        if let Place::Simulated(index) = self.place(fd) {
            self.files[index].sectors.fail_sync(until);
        }
    }

    pub(super) fn allocate(
        &mut self,
        fd: RawFd,
        mode: i32,
        (offset, len): (u64, u64),
    ) -> Answer<()> {
        let index = match self.place(fd) {
            Place::Simulated(index) => index,
            Place::Real => return real_file::allocate(fd, mode, offset, len),
            Place::Nowhere => return Err(libc::EBADF),
        };
        let now = self.next_change();
        let free = self.free();
        let sectors = &mut self.files[index].sectors;
        let gives_back = mode & libc::FALLOC_FL_PUNCH_HOLE != 0;
        if !gives_back && sectors.without_space(offset, len) > free {
            return Err(libc::ENOSPC);
        }
        let before = sectors.space();
        if gives_back || mode & libc::FALLOC_FL_ZERO_RANGE != 0 {
            sectors.zero(now, offset, len);
        }
        if !gives_back {
            sectors.give_space(offset, len);
        }
        if mode & libc::FALLOC_FL_KEEP_SIZE == 0 {
            sectors.grow(now, offset + len);
        }
        self.used = self.used - before + sectors.space();
        Ok(())
    }

    /// Puts a file into a state that a crash leaves as it is.
    pub(super) fn put(&mut self, fd: RawFd, content: &[u8]) -> Answer<()> {
        let Place::Simulated(index) = self.place(fd) else {
            return Err(libc::EBADF);
        };
        self.used -= self.files[index].sectors.space();
        self.files[index].sectors = Sectors::default();
        if !content.is_empty() && self.write(fd, 0, content)? < content.len() {
            return Err(libc::ENOSPC);
        }
        self.sync(fd, self.changes)
    }

    pub(super) fn after_crash(&self, surviving: &mut Surviving) -> Self {
        let files: Vec<NamedFile> = self
            .files
            .iter()
            .map(|file| NamedFile {
                name: file.name.clone(),
                sectors: file.sectors.after_crash(surviving),
            })
            .collect();
        Self {
            used: files.iter().map(|file| file.sectors.space()).sum(),
            files,
            ..*self
        }
    }
}
