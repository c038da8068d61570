//! A hang becomes a failure that says what is outstanding.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::sender::said;
use super::table::Table;

/// Counts answers: as long as it does, nothing hangs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moves(Arc<AtomicU64>);

impl Moves {
    pub(crate) fn add(&self, answers: u64) {
        if answers > 0 {
            self.0.fetch_add(answers, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is going on.
#[derive(Default)]
struct Situation {
    what: String,
    tables: Vec<Arc<Table>>,
    /// Called before the process ends, with the number of events that have no answer.
    last_words: Option<LastWords>,
}

type LastWords = Box<dyn FnOnce(u64) + Send>;

/// Shared by the run and its watchdog.
#[derive(Clone, Default)]
pub(crate) struct Board {
    situation: Arc<Mutex<Situation>>,
    pub(crate) moves: Moves,
}

impl Board {
    /// A round begins.
    pub(crate) fn begins(
        &self,
        what: String,
        tables: Vec<Arc<Table>>,
        last_words: impl FnOnce(u64) + Send + 'static,
    ) {
        *self.lock() = Situation {
            what,
            tables,
            last_words: Some(Box::new(last_words)),
        };
        self.moves.add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Situation> {
        self.situation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What has no answer yet, sender by sender, and how much that is.
    pub(crate) fn outstanding(&self) -> (u64, String) {
        let situation = self.lock();
        let mut count = 0;
        let mut text = situation.what.clone();
        for (sender, table) in situation.tables.iter().enumerate() {
            for pending in table.outstanding() {
                count += 1;
                let operation = said(pending.number, &pending.operation);
                text.push_str(&format!("\n  sender {sender}: {operation}"));
            }
        }
        (count, text)
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lock().what)
    }
}

/// Ends the process with status 1 when nothing moves for too long, until it is dropped.
#[must_use = "it watches until it is dropped"]
#[derive(Debug)]
pub(crate) struct Watchdog {
    _ends: SyncSender<()>,
}

impl Watchdog {
    pub(crate) fn start(board: &Board, deadline: Duration) -> Self {
        let (ends, ended) = sync_channel::<()>(1);
        let board = board.clone();
        thread::spawn(move || {
            // Ten looks for each deadline: it is held to a tenth.
            let pause = deadline / 10;
            let mut seen = (board.moves.count(), Instant::now());
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let count = board.moves.count();
                if count != seen.0 {
                    seen = (count, Instant::now());
                } else if seen.1.elapsed() >= deadline {
                    stop(&board, deadline);
                }
            }
        });
        Self { _ends: ends }
    }
}

fn stop(board: &Board, deadline: Duration) -> ! {
    let (count, text) = board.outstanding();
    let seconds = deadline.as_secs();
    eprintln!("error: nothing has moved for {seconds} s; {count} events have no answer");
    eprintln!("{text}");
    let last_words = board.lock().last_words.take();
    if let Some(last_words) = last_words {
        last_words(count);
    }
    process::exit(1)
}
