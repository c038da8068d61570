//! What is known of files, by the number of their descriptor.

use std::os::fd::RawFd;

/// Asks once for each file, and anew now and then.
///
/// A number may be closed and given to another file. What is known of the old one is then taken for
/// the new one's for a while: only what costs speed, and what is not for files at all, may rest on it.
#[derive(Debug)]
pub(crate) struct FileTable<T> {
    known: Box<[Known<T>]>,
    ask: fn(RawFd) -> T,
}

/// Two files in use at the same time that share a place are asked about in turns.
const PLACES: usize = 64;

/// How often a file is looked up before it is asked about again.
const GOOD_FOR: u32 = 4096;

#[derive(Clone, Copy, Debug)]
struct Known<T> {
    fd: RawFd,
    answer: Option<T>,
    left: u32,
}

impl<T: Copy> FileTable<T> {
    #[allow(
        dead_code,
        reason = "for io_uring and for merging, neither of which may be compiled in"
    )]
    pub(crate) fn new(ask: fn(RawFd) -> T) -> Self {
        let nothing = Known {
            fd: -1,
            answer: None,
            left: 0,
        };
        Self {
            known: vec![nothing; PLACES].into(),
            ask,
        }
    }

    #[inline]
    pub(crate) fn of(&mut self, fd: RawFd) -> T {
        let place = usize::try_from(fd).unwrap_or_default() % PLACES;
        let known = &mut self.known[place];
        if let Some(answer) = known.answer
            && known.fd == fd
            && known.left > 0
        {
            known.left -= 1;
            return answer;
        }
        let answer = (self.ask)(fd);
        *known = Known {
            fd,
            answer: Some(answer),
            left: GOOD_FOR - 1,
        };
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static ASKED: Cell<u32> = const { Cell::new(0) };
    }

    fn count(fd: RawFd) -> RawFd {
        ASKED.set(ASKED.get() + 1);
        fd
    }

    #[test]
    fn a_file_is_asked_about_once_and_again_in_time() {
        ASKED.set(0);
        let mut table = FileTable::new(count);
        for _ in 0..GOOD_FOR {
            assert_eq!(table.of(5), 5);
        }
        assert_eq!(ASKED.get(), 1);
        assert_eq!((table.of(5), ASKED.get()), (5, 2));
    }

    #[test]
    fn two_files_in_one_place_are_told_apart() {
        let far = i32::try_from(PLACES).unwrap() + 3;
        let mut table = FileTable::new(count);
        for fd in [3, far, 3, -1, 0] {
            assert_eq!(table.of(fd), fd);
        }
    }
}
