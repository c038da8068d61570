//! A loop that sleeps until a count is reached, and the workers that wake it.

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::announcement::Announcement;
use crate::{Events, check};

/// The loop's bed: rung once is rung, as an eventfd.
struct Bed {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Bed {
    fn new() -> Self {
        Self {
            rung: Mutex::new(false),
            ring: Condvar::new(),
        }
    }

    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.ring.notify_one();
    }

    fn sleep(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
    }
}

struct Answers {
    events: Events,
    sleep: Announcement,
    bed: Bed,
}

fn sleeper_gets_all(threads: usize, each: usize, wanted: usize, preemptions: usize) {
    check(preemptions, move || {
        let answers = Arc::new(Answers {
            events: Events::new(),
            sleep: Announcement::new(),
            bed: Bed::new(),
        });
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let answers = Arc::clone(&answers);
                thread::spawn(move || {
                    for _ in 0..each {
                        answers.events.put(1);
                        if answers.sleep.is_reached(|| answers.events.len()) {
                            answers.bed.ring();
                        }
                    }
                })
            })
            .collect();
        let mut got = 0;
        while got < threads.len() * each {
            while answers.events.take() {
                got += 1;
            }
            let missing = (threads.len() * each - got).min(wanted);
            if missing > 0 && answers.sleep.announce(missing, || answers.events.len()) {
                answers.bed.sleep();
                answers.sleep.withdraw();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_sleeper_that_waits_for_one_is_woken_each_time() {
    sleeper_gets_all(1, 2, 1, 3);
    sleeper_gets_all(2, 1, 1, 2);
}

#[test]
fn a_sleeper_that_waits_for_several_is_woken_for_the_last() {
    sleeper_gets_all(2, 1, 2, 3);
    sleeper_gets_all(1, 3, 2, 2);
}

#[test]
fn a_stalled_loop_is_woken_when_workers_make_room() {
    // The count is of free places: it grows when a worker takes, by the worker's own doing.
    check(3, || {
        let lane = Arc::new(Answers {
            events: Events::new(),
            sleep: Announcement::new(),
            bed: Bed::new(),
        });
        lane.events.put(2);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let lane = Arc::clone(&lane);
                thread::spawn(move || {
                    assert!(lane.events.take());
                    if lane.sleep.is_reached(|| 2 - lane.events.len()) {
                        lane.bed.ring();
                    }
                })
            })
            .collect();
        if lane.sleep.announce(2, || 2 - lane.events.len()) {
            lane.bed.sleep();
        }
        assert_eq!(lane.events.len(), 0);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
