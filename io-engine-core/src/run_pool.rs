//! The memory of runs, used again and again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::event::IOEvent;
use crate::merged::{MergedEvents, RunRoom};
use crate::request::Request;
use crate::scratch::Scratch;

/// Keeps the memory of runs whose events are at their end, for those to come: with it, a run costs no
/// allocation.
///
/// Cheap to clone; all clones are one pool. A run goes back by itself when its
/// [`Completion`](crate::Completion) is settled, reported or finished, on whichever thread. Nobody
/// ever waits for the pool: who finds it in use, makes or frees memory instead.
///
/// # Memory
/// At most as many runs as it was made for. Each that is taken has room for the longest run that there
/// has been: for each event its own size, 16 bytes for its segment and 4 for one that shares; with 256
/// events some 32 KiB. So it is not left to chance which of them becomes long, and when: after the
/// longest each allocates once more at most.
///
/// ```
/// use io_engine_core::{Completion, IOAction, IOEvent, RunPool};
///
/// let read = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Read, offset);
/// let pool = RunPool::with_capacity(16);
/// let mut run = pool.take().expect("there is memory");
/// run.push(read(0)).unwrap();
/// run.push(read(4096)).unwrap();
/// let request = run.into_request().expect("it holds events");
/// assert_eq!((request.event_count(), request.total_bytes()), (2, 8192));
///
/// let (mut finished, mut again) = (Vec::new(), Vec::new());
/// Completion::from_kernel(request, 8192).settle(&mut finished, &mut again);
/// assert_eq!((finished.len(), pool.len()), (2, 1));
/// ```
pub struct RunPool<C: IOCallback> {
    shelf: Arc<Mutex<Shelf<C>>>,
}

struct Shelf<C: IOCallback> {
    /// Boxes, because a run travels in one.
    #[allow(clippy::vec_box, reason = "what is taken out is the box")]
    runs: Vec<Box<MergedEvents<C>>>,
    capacity: usize,
    /// The room of the longest run so far.
    longest: RunRoom,
}

impl<C: IOCallback> RunPool<C> {
    /// An empty pool that keeps at most `runs` runs: as many as can be on their way at once, with the
    /// kernel or waiting.
    #[must_use]
    pub fn with_capacity(runs: usize) -> Self {
        let shelf = Shelf {
            runs: Vec::with_capacity(runs),
            capacity: runs,
            longest: RunRoom::default(),
        };
        Self {
            shelf: Arc::new(Mutex::new(shelf)),
        }
    }

    /// A run without events, with the memory of an earlier one if there is any. `None` if there is
    /// neither that nor other memory.
    #[must_use]
    pub fn take(&self) -> Option<RunBuilder<C>> {
        let (kept, longest) = match self.shelf() {
            Some(mut shelf) => (shelf.runs.pop(), shelf.longest),
            None => (None, RunRoom::default()),
        };
        let mut run = kept.or_else(MergedEvents::try_boxed)?;
        // Without memory for that much, it may become as long as there is memory for.
        let _ = run.reserve(longest);
        run.returns_to(self.clone());
        Some(RunBuilder { run })
    }

    /// How many runs it keeps right now, all of them empty.
    #[must_use]
    pub fn len(&self) -> usize {
        let shelf = self.shelf.lock();
        shelf.unwrap_or_else(PoisonError::into_inner).runs.len()
    }

    /// Whether it keeps none right now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn give_back(&self, mut run: Box<MergedEvents<C>>) {
        run.reset();
        if let Some(mut shelf) = self.shelf() {
            shelf.longest = shelf.longest.max_of_each(run.room());
            if shelf.runs.len() < shelf.capacity {
                shelf.runs.push(run);
            }
        }
    }

    fn shelf(&self) -> Option<MutexGuard<'_, Shelf<C>>> {
        match self.shelf.try_lock() {
            Ok(shelf) => Some(shelf),
            // Nothing in here panics half way.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<C: IOCallback> Clone for RunPool<C> {
    fn clone(&self) -> Self {
        Self {
            shelf: Arc::clone(&self.shelf),
        }
    }
}

impl<C: IOCallback> fmt::Debug for RunPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunPool")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A run that is being put together, from a [`RunPool`].
///
/// It owns the events that it has taken. Whatever it refuses comes back as it was, and may be sent on
/// its own. Dropping it drops its events without calling their callbacks.
#[must_use = "it holds events"]
pub struct RunBuilder<C: IOCallback> {
    run: Box<MergedEvents<C>>,
}

impl<C: IOCallback> RunBuilder<C> {
    /// Appends `event`, which begins where the run ends; the first may begin anywhere.
    ///
    /// # Errors
    /// The event, if it is no fresh read or write with a buffer and a range that can work, or not of
    /// the file and direction of the first, or begins elsewhere; if the run would be longer than
    /// [`TRANSFER_BYTES_MAX`](crate::TRANSFER_BYTES_MAX) or have more than
    /// [`SEGMENTS_MAX`](crate::SEGMENTS_MAX) segments; if there are events that share; if there is no
    /// memory for it.
    pub fn push(&mut self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        match self.run.hole_before(&event) {
            Some(0) => self.run.append(event, 0, None),
            Some(_) | None => Err(event),
        }
    }

    /// Appends a read that begins where the run ends or behind that. The bytes of the hole between go
    /// to `scratch`, as those of all holes before.
    ///
    /// # Errors
    /// The event, as in [`push`](Self::push), and if there is a hole and it is a write, or the hole is
    /// longer than `scratch`.
    ///
    /// ```
    /// use io_engine_core::{IOAction, IOEvent, RunPool, Scratch};
    ///
    /// let read = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Read, offset);
    /// let scratch = Scratch::new(4096)?;
    /// let mut run = RunPool::with_capacity(1).take().expect("there is memory");
    /// run.push(read(0)).unwrap();
    /// run.push_over_hole(read(8192), &scratch).unwrap();
    /// assert!(run.push_over_hole(read(20480), &scratch).is_err());
    /// assert_eq!(run.into_request().unwrap().total_bytes(), 3 * 4096);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn push_over_hole(
        &mut self,
        event: IOEvent<C>,
        scratch: &Scratch,
    ) -> Result<(), IOEvent<C>> {
        let longest = self.run.scratch().unwrap_or(scratch).bytes() as u64;
        match self.run.hole_before(&event) {
            Some(0) => self.run.append(event, 0, None),
            Some(hole) if hole <= longest && event.action() == IOAction::Read => {
                self.run.append(event, hole, Some(scratch))
            }
            Some(_) | None => Err(event),
        }
    }

    /// Adds a read that lies within that of the `leader`-th event, counted from 0. The kernel is not
    /// asked for it; it gets its bytes from the buffer of the leader, by a copy, when they are there.
    /// After it only others that share can be added.
    ///
    /// # Errors
    /// The event, if it is no fresh read of this file, or there is no such leader, or its range is not
    /// all within that of the leader; if there is no memory for it.
    ///
    /// ```
    /// use io_engine_core::{Completion, IOAction, IOEvent, RunPool};
    ///
    /// let read = |offset, len| IOEvent::<()>::new(3, vec![0; len].into(), IOAction::Read, offset);
    /// let mut run = RunPool::with_capacity(1).take().expect("there is memory");
    /// run.push(read(0, 8192)).unwrap();
    /// run.push_sharing(read(4096, 100), 0).unwrap();
    /// let request = run.into_request().unwrap();
    /// assert_eq!((request.event_count(), request.total_bytes()), (2, 8192));
    ///
    /// let mut reported = Vec::new();
    /// Completion::from_kernel(request, 4096 + 60).report(&mut reported);
    /// assert_eq!(reported[1].transferred(), 60);
    /// ```
    pub fn push_sharing(&mut self, event: IOEvent<C>, leader: usize) -> Result<(), IOEvent<C>> {
        self.run.append_sharing(event, leader)
    }

    /// The request; of a single event a plain one. `None` if there is no event.
    pub fn into_request(mut self) -> Option<Request<C>> {
        if self.run.event_count() > 1 {
            return Some(Request::of_run(self.run));
        }
        let only = self.run.pop_only();
        self.run.retire();
        only.map(Request::from)
    }
}

impl<C: IOCallback> fmt::Debug for RunBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunBuilder")
            .field("run", &self.run)
            .finish()
    }
}
