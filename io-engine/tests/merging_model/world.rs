//! The files of a case, and what they hold according to a plain array of bytes.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_engine::FileHandle;
use io_engine_core::conformance::Random;

use crate::machine::disk::Disk;

/// What a file is, and with it what may be asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Buffered,
    /// Whatever is aligned to this works, and half of the other number does not.
    Direct {
        aligned: usize,
        misaligned: usize,
    },
    /// Where a write goes, its offset does not say.
    Appending,
}

/// One file under test.
pub(crate) struct Subject {
    pub(crate) nature: Nature,
    /// What the file holds when all that was planned is done.
    pub(crate) content: Vec<u8>,
    /// What was appended in this batch: all of it comes behind `content`, in whatever order.
    pub(crate) appended: Vec<Vec<u8>>,
    /// Descriptors that all lead to it.
    pub(crate) handles: Vec<FileHandle>,
    pub(crate) only_reads: Arc<File>,
    pub(crate) only_writes: Arc<File>,
    name: &'static str,
    size_before: usize,
    read: Vec<Range<usize>>,
    written: Vec<Range<usize>>,
    /// Of events without a callback: nobody knows when they are finished.
    never_again: Ranges,
}

#[derive(Default)]
struct Ranges {
    read: Vec<Range<usize>>,
    written: Vec<Range<usize>>,
}

/// No file becomes longer.
pub(crate) const SIZE_MAX: usize = 150_000;

/// Where an allocation or a hole begins and ends: on any file it touches whole pages.
pub(crate) const PAGE: usize = 4096;

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

impl Subject {
    fn new(disk: &Disk, name: &'static str, nature: Nature, content: Vec<u8>) -> Self {
        std::fs::write(disk.path(name), &content).unwrap();
        let flags = match nature {
            Nature::Buffered => 0,
            Nature::Direct { .. } => libc::O_DIRECT,
            Nature::Appending => libc::O_APPEND,
        };
        let files = [disk.open(name, flags), disk.open(name, flags)];
        // The number alone is a third way to it; `files[0]` keeps it open.
        let number = FileHandle::from(files[0].as_raw_fd());
        let handles = [number].into_iter().chain(files.map(FileHandle::from));
        Self {
            nature,
            size_before: content.len(),
            content,
            appended: Vec::new(),
            handles: handles.collect(),
            only_reads: Arc::new(File::open(disk.path(name)).unwrap()),
            only_writes: Arc::new(File::options().write(true).open(disk.path(name)).unwrap()),
            name,
            read: Vec::new(),
            written: Vec::new(),
            never_again: Ranges::default(),
        }
    }

    /// Whether a read of `range` meets no write that is under way; if so, it counts as under way from
    /// now on. One that may meet the end of the file depends on all that is behind its beginning.
    pub(crate) fn begin_read(&mut self, range: &Range<usize>, is_told: bool) -> bool {
        let may_meet_end = range.end > self.size_before;
        let touched = match may_meet_end {
            true => range.start..usize::MAX,
            false => range.clone(),
        };
        let mut written = self.written.iter().chain(&self.never_again.written);
        let is_free = !written.any(|write| meet(write, &touched));
        // Behind the end there is no knowing what an append has done already.
        let is_certain = self.nature != Nature::Appending || !may_meet_end;
        if !is_free || !is_certain || (may_meet_end && !is_told) {
            return false;
        }
        if !is_told {
            self.never_again.read.push(touched.clone());
        }
        self.read.push(touched);
        true
    }

    /// As [`begin_read`](Self::begin_read).
    pub(crate) fn begin_write(&mut self, range: &Range<usize>, is_told: bool) -> bool {
        let read = self.read.iter().chain(&self.never_again.read);
        let written = self.written.iter().chain(&self.never_again.written);
        let grows = range.end > self.size_before;
        if read.chain(written).any(|other| meet(other, range))
            || range.end > SIZE_MAX
            || (grows && !is_told)
        {
            return false;
        }
        if !is_told {
            self.never_again.written.push(range.clone());
        }
        self.written.push(range.clone());
        true
    }

    /// What a read of `range` gets.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> Vec<u8> {
        let end = range.end.min(self.content.len());
        self.content[range.start.min(end)..end].to_vec()
    }

    pub(crate) fn set(&mut self, start: usize, bytes: &[u8]) {
        let end = start + bytes.len();
        self.content.resize(self.content.len().max(end), 0);
        self.content[start..end].copy_from_slice(bytes);
    }

    /// All that was under way and has a callback is finished.
    fn batch_is_over(&mut self, disk: &Disk) {
        self.read.clear();
        self.written.clear();
        if !self.appended.is_empty() {
            let file = std::fs::read(disk.path(self.name)).unwrap();
            let mut tail = &file[self.content.len()..];
            while !tail.is_empty() {
                let appended = self.appended.iter().position(|one| tail.starts_with(one));
                let one = self
                    .appended
                    .swap_remove(appended.expect("a whole write comes next"));
                tail = &tail[one.len()..];
                self.content.extend(one);
            }
            assert!(
                self.appended.is_empty(),
                "{} appends are missing",
                self.appended.len()
            );
        }
        self.size_before = self.content.len();
    }
}

/// All files of a case.
pub(crate) struct World {
    pub(crate) subjects: Vec<Subject>,
    disk: Disk,
}

impl World {
    pub(crate) fn new(random: &mut Random) -> Self {
        let disk = Disk::new();
        let mut subjects = vec![
            Subject::new(&disk, "one", Nature::Buffered, random.bytes(40_000)),
            Subject::new(&disk, "other", Nature::Buffered, random.bytes(7)),
            Subject::new(&disk, "log", Nature::Appending, random.bytes(9000)),
        ];
        // The end is in the middle of a block.
        let content = random.bytes(10 * PAGE + 904);
        std::fs::write(disk.path("direct"), &content).unwrap();
        if let Some((_, alignment)) = disk.direct("direct") {
            let unit = usize::try_from(alignment.offset).unwrap();
            let nature = Nature::Direct {
                aligned: PAGE.max(unit),
                misaligned: unit / 2,
            };
            subjects.push(Subject::new(&disk, "direct", nature, content));
        }
        Self { subjects, disk }
    }

    pub(crate) fn batch_is_over(&mut self) {
        let subjects = self.subjects.iter_mut();
        subjects.for_each(|subject| subject.batch_is_over(&self.disk));
    }

    /// After the engine has ended.
    pub(crate) fn assert_files(&self, case: &str) {
        for subject in &self.subjects {
            let found = std::fs::read(self.disk.path(subject.name)).unwrap();
            let differs = found.iter().zip(&subject.content).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{case}: the file `{}`", subject.name);
            let name = subject.name;
            assert_eq!(
                found.len(),
                subject.content.len(),
                "{case}: `{name}` ends elsewhere"
            );
        }
    }
}
