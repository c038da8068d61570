//! The protocols between loop and workers, under every interleaving with up to three preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p io-engine-workers --test loom --release`
//!
//! The channel between them is invisible to loom. In its place stands a pair of counters that
//! orders no more than a channel does: what was put in is seen by who takes it.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../src/announcement.rs"]
mod announcement;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../src/idle_latch.rs"]
mod idle_latch;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../src/run_queue.rs"]
mod run_queue;
#[allow(dead_code, reason = "each model uses a part")]
#[path = "../../src/seats.rs"]
mod seats;
#[path = "../../src/shield.rs"]
mod shield;
mod sleeping;

use std::panic::resume_unwind;

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use idle_latch::IdleLatch;
use run_queue::RunQueue;
use seats::Seats;
use shield::shielded;

fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// A bounded queue of events that are all alike.
struct Events {
    put: AtomicUsize,
    taken: AtomicUsize,
}

impl Events {
    fn new() -> Self {
        Self {
            put: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    fn put(&self, count: usize) {
        self.put.fetch_add(count, Ordering::Release);
    }

    fn take(&self) -> bool {
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            if taken >= self.put.load(Ordering::Acquire) {
                return false;
            }
            match self
                .taken
                .compare_exchange(taken, taken + 1, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => taken = now,
            }
        }
    }

    fn len(&self) -> usize {
        let taken = self.taken.load(Ordering::Acquire);
        self.put.load(Ordering::Acquire).saturating_sub(taken)
    }
}

/// A lane and its pool, as `Lane::deliver` and the worker's loop use them.
struct Lane {
    events: Events,
    seats: Seats,
    pool: RunQueue<()>,
    latch: IdleLatch,
    called: AtomicUsize,
    /// Which of the callbacks panics, counted from 0.
    panicking: Option<usize>,
    panics: AtomicUsize,
}

impl Lane {
    fn new(threads: usize) -> Self {
        Self {
            events: Events::new(),
            seats: Seats::new(threads),
            pool: RunQueue::with_capacity(4),
            latch: IdleLatch::new(),
            called: AtomicUsize::new(0),
            panicking: None,
            panics: AtomicUsize::new(0),
        }
    }

    fn with_a_panic(threads: usize, panicking: usize) -> Self {
        Self {
            panicking: Some(panicking),
            ..Self::new(threads)
        }
    }

    /// The callback of one event.
    fn call(&self) {
        let number = self.called.fetch_add(1, Ordering::Relaxed);
        // Without the message that a panic prints, which would be one for each interleaving.
        if self.panicking == Some(number) {
            resume_unwind(Box::new("a callback"));
        }
    }

    fn deliver(&self, count: usize) {
        self.latch.add(count);
        self.events.put(count);
        let seats = self.seats.claim(count);
        if seats > 0 {
            self.pool.push_all((0..seats).map(|_| ()));
        }
        self.latch.nudge();
    }

    fn work(&self) {
        while let Some(()) = self.pool.next() {
            loop {
                while self.events.take() {
                    if shielded("a callback", || self.call()).is_none() {
                        self.panics.fetch_add(1, Ordering::Relaxed);
                    }
                    self.latch.subtract(1);
                }
                if self.seats.leave(|| self.events.len() == 0) {
                    break;
                }
                self.pool.exchange(());
            }
        }
    }
}

#[test]
fn d11_one_worker_never_leaves_an_event_behind() {
    check(3, || {
        let lane = Arc::new(Lane::new(1));
        let worker = {
            let lane = Arc::clone(&lane);
            thread::spawn(move || lane.work())
        };
        lane.deliver(1);
        lane.deliver(1);
        lane.pool.close();
        worker.join().unwrap();
        assert_eq!(lane.called.load(Ordering::Relaxed), 2);
        assert_eq!(lane.latch.outstanding(), 0);
    });
}

#[test]
fn d11_two_workers_never_leave_an_event_behind() {
    check(3, || {
        let lane = Arc::new(Lane::new(2));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let lane = Arc::clone(&lane);
                thread::spawn(move || lane.work())
            })
            .collect();
        lane.deliver(1);
        lane.deliver(2);
        lane.pool.close();
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(lane.called.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn an_event_is_called_though_the_pool_stays_open() {
    check(3, || {
        let lane = Arc::new(Lane::new(1));
        let worker = {
            let lane = Arc::clone(&lane);
            thread::spawn(move || lane.work())
        };
        lane.deliver(1);
        lane.deliver(1);
        // A wake-up that was lost is a deadlock here, which loom reports.
        lane.latch.wait(|| false);
        assert_eq!(lane.called.load(Ordering::Relaxed), 2);
        lane.pool.close();
        worker.join().unwrap();
    });
}

#[test]
fn a_callback_that_panics_is_over_for_who_waits_until_idle_and_its_worker_lives_on() {
    for panicking in 0..2 {
        check(3, move || {
            let lane = Arc::new(Lane::with_a_panic(1, panicking));
            let worker = {
                let lane = Arc::clone(&lane);
                thread::spawn(move || lane.work())
            };
            lane.deliver(1);
            lane.deliver(1);
            lane.latch.wait(|| false);
            assert_eq!(lane.called.load(Ordering::Relaxed), 2);
            assert_eq!(lane.panics.load(Ordering::Relaxed), 1);
            lane.pool.close();
            worker.join().unwrap();
        });
    }
}

#[test]
fn a_callback_that_panics_while_the_pool_ends_takes_no_event_and_no_worker_with_it() {
    check(2, || {
        let lane = Arc::new(Lane::with_a_panic(2, 0));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let lane = Arc::clone(&lane);
                thread::spawn(move || lane.work())
            })
            .collect();
        lane.deliver(2);
        lane.pool.close();
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(lane.called.load(Ordering::Relaxed), 2);
        assert_eq!(lane.panics.load(Ordering::Relaxed), 1);
        assert_eq!(lane.latch.outstanding(), 0);
    });
}

#[test]
fn who_waits_until_idle_is_woken_and_sees_what_was_done() {
    check(3, || {
        let latch = Arc::new(IdleLatch::new());
        let done = Arc::new(AtomicUsize::new(0));
        latch.add(2);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (latch, done) = (Arc::clone(&latch), Arc::clone(&done));
                thread::spawn(move || {
                    done.fetch_add(1, Ordering::Relaxed);
                    latch.subtract(1);
                })
            })
            .collect();
        latch.wait(|| false);
        assert_eq!(done.load(Ordering::Relaxed), 2);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn who_helps_while_it_waits_is_woken_by_a_delivery() {
    check(3, || {
        let lane = Arc::new(Lane::new(1));
        let delivering = {
            let lane = Arc::clone(&lane);
            lane.latch.add(1);
            thread::spawn(move || {
                lane.events.put(1);
                lane.latch.nudge();
            })
        };
        // The only worker waits for the lane in a callback: nobody else takes the event.
        while lane.latch.outstanding() > 0 {
            while lane.events.take() {
                lane.latch.subtract(1);
            }
            lane.latch.wait(|| lane.events.len() > 0);
        }
        delivering.join().unwrap();
    });
}

#[test]
fn d20_closing_lets_every_thread_go_with_nothing_left() {
    check(3, || {
        let queue = Arc::new(RunQueue::with_capacity(2));
        let taken = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (queue, taken) = (Arc::clone(&queue), Arc::clone(&taken));
                thread::spawn(move || {
                    while let Some(item) = queue.next() {
                        taken.fetch_add(item, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        queue.push_all([1, 2].into_iter());
        queue.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(taken.load(Ordering::Relaxed), 3);
    });
}
