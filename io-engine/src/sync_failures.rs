//! Syncs that failed are told again until somebody says that he knows.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use io_engine_core::{Completion, FileIdentity, IOCallback, SyncFailure};

/// The files of a loop whose sync has failed, by the number through which it was asked for. Shared by
/// the loop, which notes them, and whoever acknowledges them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncFailures(Arc<Mutex<BTreeMap<RawFd, Kept>>>);

#[derive(Clone, Copy, Debug)]
struct Kept {
    failure: SyncFailure,
    /// The number may be closed and given to another file.
    file: Option<FileIdentity>,
}

impl Kept {
    /// Whether the number still means the file whose sync has failed.
    fn is_of(&self, fd: RawFd) -> bool {
        match (self.file, FileIdentity::of(fd)) {
            (Some(file), Some(now)) => file.is_same_file(now),
            (file, now) => file.is_none() && now.is_none(),
        }
    }
}

impl SyncFailures {
    /// Everything that the loop finishes comes by here. A sync that fails is noted; one that succeeds
    /// fails after all if one before it did.
    pub(crate) fn pass<C: IOCallback>(&self, completion: Completion<C>) -> Completion<C> {
        if !completion.action().is_sync() {
            return completion;
        }
        let fd = completion.fd();
        let mut kept = self.lock();
        if let Some(failure) = completion.sync_failure() {
            if !kept.get(&fd).is_some_and(|earlier| earlier.is_of(fd)) {
                let file = FileIdentity::of(fd);
                kept.insert(fd, Kept { failure, file });
            }
            return completion;
        }
        match kept.get(&fd) {
            Some(earlier) if earlier.is_of(fd) => completion.told_of(earlier.failure),
            Some(_) => {
                kept.remove(&fd);
                completion
            }
            None => completion,
        }
    }

    /// Forgets the failure of a file, and says what it was.
    pub(crate) fn acknowledge(&self, fd: RawFd) -> Option<io::Error> {
        let kept = self.lock().remove(&fd)?;
        kept.is_of(fd).then(|| kept.failure.to_io_error())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RawFd, Kept>> {
        // Every entry is whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::{AsRawFd, OwnedFd};

    use io_engine_core::{IOEvent, Request};

    use super::*;

    fn pass(failures: &SyncFailures, fd: RawFd, answer: i64) -> Option<i32> {
        let request = Request::from(IOEvent::<()>::sync(fd));
        let completion = failures.pass(Completion::from_kernel(request, answer));
        let (mut finished, mut again) = (Vec::new(), Vec::new());
        completion.settle(&mut finished, &mut again);
        let result = finished.pop().map(|event| event.get_result());
        let error = result.and_then(Result::err)?;
        error.raw_os_error()
    }

    #[test]
    fn a_number_that_means_another_file_begins_anew() {
        let failures = SyncFailures::default();
        let mut held = OwnedFd::from(tempfile::tempfile().unwrap());
        let (fd, eio) = (held.as_raw_fd(), -i64::from(libc::EIO));
        assert_eq!(pass(&failures, fd, eio), Some(libc::EIO));
        assert_eq!(pass(&failures, fd, 0), Some(libc::EIO));

        rustix::io::dup2(tempfile::tempfile().unwrap(), &mut held).unwrap();
        assert_eq!(pass(&failures, fd, 0), None);
        assert!(failures.acknowledge(fd).is_none());

        // The same where the first thing that the other file gets is a failure.
        assert_eq!(pass(&failures, fd, eio), Some(libc::EIO));
        rustix::io::dup2(tempfile::tempfile().unwrap(), &mut held).unwrap();
        assert!(failures.acknowledge(fd).is_none());
        let enospc = -i64::from(libc::ENOSPC);
        assert_eq!(pass(&failures, fd, eio), Some(libc::EIO));
        rustix::io::dup2(tempfile::tempfile().unwrap(), &mut held).unwrap();
        assert_eq!(pass(&failures, fd, enospc), Some(libc::ENOSPC));
        assert_eq!(pass(&failures, fd, 0), Some(libc::ENOSPC));
    }

    #[test]
    fn a_file_that_was_replaced_begins_anew_though_it_has_the_inode_number_of_the_other() {
        let failures = SyncFailures::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let create = || File::create_new(&path).unwrap();
        let inode = |file: &OwnedFd| rustix::fs::fstat(file).unwrap().st_ino;
        let mut held = OwnedFd::from(create());
        let (fd, eio) = (held.as_raw_fd(), -i64::from(libc::EIO));
        assert_eq!(pass(&failures, fd, eio), Some(libc::EIO));

        let deleted = inode(&held);
        std::fs::remove_file(&path).unwrap();
        rustix::io::dup2(File::open("/dev/null").unwrap(), &mut held).unwrap();
        rustix::io::dup2(create(), &mut held).unwrap();
        if inode(&held) != deleted {
            let _ = writeln!(io::stderr(), "skipped: no inode number is used again");
        }
        assert_eq!(pass(&failures, fd, 0), None);
    }
}
