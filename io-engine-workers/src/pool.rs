//! The threads that call callbacks.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use io_engine_core::IOCallback;

use crate::lane::{Lane, LaneHooks};
use crate::run_queue::RunQueue;
use crate::this_thread;
use crate::worker::{self, PanicCount, Shared};

/// A pool of threads that call callbacks, shared by any number of contexts of any callback type.
///
/// Cheap to clone; every clone is the same pool. The threads are named `io-worker-0` and so on,
/// block all signals, and use no CPU while there is nothing to call. A callback that panics is
/// logged and counted; its worker lives on.
///
/// # Dropping
/// With the last clone and the last [`Lane`] the threads finish what was delivered and are joined.
/// Where a callback drops the last of them, on a worker, nothing is waited for: the threads finish
/// and end on their own.
///
/// ```
/// use io_engine_core::{ClosureCb, IOEvent};
/// use io_engine_workers::IOWorkers;
///
/// let workers = IOWorkers::new(2);
/// let lane = workers.lane::<ClosureCb>(16);
///
/// let (tx, rx) = std::sync::mpsc::channel();
/// let mut event = IOEvent::data_sync(0);
/// event.set_callback(ClosureCb::new(move |_| tx.send("called").unwrap()));
/// lane.deliver(&mut vec![event]);
/// assert_eq!(rx.recv(), Ok("called"));
/// ```
#[derive(Clone)]
pub struct IOWorkers {
    pool: Arc<Pool>,
}

struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl IOWorkers {
    /// A pool of `threads` threads; 0 counts as 1.
    ///
    /// If the system refuses some of them, the pool makes do with those it got and logs it. If it
    /// refuses all, callbacks run inside [`Lane::deliver`], on the thread that delivers. To be told
    /// instead, use [`try_new`](Self::try_new).
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let (pool, refused) = Pool::start(threads);
        if let Some(error) = refused {
            tracing::error!(
                %error,
                wanted = threads,
                started = pool.threads.len(),
                "fewer workers than asked for: raise RLIMIT_NPROC (ulimit -u) or the pids.max of the control group"
            );
        }
        Self {
            pool: Arc::new(pool),
        }
    }

    /// A pool of exactly `threads` threads; 0 counts as 1.
    ///
    /// # Errors
    /// The system's answer if it refuses one of them, mostly for `RLIMIT_NPROC` or the `pids.max`
    /// of the control group. Those that had started are joined before.
    pub fn try_new(threads: usize) -> io::Result<Self> {
        let (pool, refused) = Pool::start(threads);
        match refused {
            Some(error) => Err(error),
            None => Ok(Self {
                pool: Arc::new(pool),
            }),
        }
    }

    /// How many threads there are: at least 1, unless the system refused all of them.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.pool.threads.len()
    }

    /// How many callbacks have panicked so far, over all lanes.
    #[must_use]
    pub fn callback_panics(&self) -> u64 {
        self.pool.shared.panics.get()
    }

    /// A way towards the workers for events of one callback type, with room for `capacity` of them;
    /// 0 counts as 1.
    #[must_use]
    pub fn lane<C: IOCallback>(&self, capacity: usize) -> Lane<C> {
        self.lane_with(capacity, LaneHooks::default())
    }

    /// As [`lane`](Self::lane), with functions that the workers call on the way.
    #[must_use]
    pub fn lane_with<C: IOCallback>(&self, capacity: usize, hooks: LaneHooks) -> Lane<C> {
        Lane::new(self.clone(), capacity, hooks)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.pool.shared
    }
}

impl Pool {
    /// Starts as many of `threads` as the system allows, and says why it was not all of them.
    fn start(threads: usize) -> (Self, Option<io::Error>) {
        let shared = Arc::new(Shared {
            lanes: RunQueue::with_capacity(0),
            panics: PanicCount::new(),
        });
        let mut pool = Self {
            shared,
            threads: Vec::new(),
        };
        for index in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            let started = thread::Builder::new()
                // The kernel keeps 15 bytes of a name.
                .name(format!("io-worker-{index}"))
                .spawn(move || worker::work(&shared));
            match started {
                Ok(thread) => pool.threads.push(thread),
                Err(error) => return (pool, Some(error)),
            }
        }
        (pool, None)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lanes.close();
        // A worker cannot wait for itself. Nor for its neighbours: one of them may be in a callback
        // that waits for the very callback that drops this.
        if this_thread::belongs_to(self.shared.identity()) {
            return;
        }
        for thread in self.threads.drain(..) {
            // A worker does not panic: what it calls is shielded.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for IOWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IOWorkers")
            .field("thread_count", &self.thread_count())
            .field("callback_panics", &self.callback_panics())
            .finish()
    }
}
