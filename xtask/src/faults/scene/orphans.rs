//! The thread that handed requests over ends while they are in flight.
//!
//! The kernel cancels what a thread has submitted to a ring when that thread ends. A context
//! submits on a thread of its own, so nothing may be cancelled; a loop that moves to another thread
//! has to answer for what it left behind.

use std::sync::Arc;
use std::thread;

use super::Options;
use super::answer::Answer;
use super::blocks::{end_writes, send_write};
use super::work::Work;

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut ended = 0;
    let mut total = Answer::default();
    for round in 0..options.rounds {
        let mut work = thread::scope(|scope| {
            let submitting = scope.spawn(|| -> anyhow::Result<Work> {
                let mut work = Work::start(options)?;
                for block in 0..options.blocks {
                    send_write(&mut work, options, &file, block, round)?;
                }
                work.push_on()?;
                Ok(work)
            });
            submitting.join().expect("the thread does not panic")
        })?;
        ended += u64::from(work.outstanding() > 0);
        match end_writes(&mut work) {
            Ok(()) => {}
            // A ring that is driven elsewhere says so and goes on there; that is not to be had.
            Err(refusal) if options.on_this_thread => {
                work.answer.remarks.push(format!("{refusal:#}"));
                work.drop_loop();
            }
            Err(error) => return Err(error),
        }
        add(&mut total, work.finish()?);
    }
    total.injected = ended;
    if !options.on_this_thread {
        let failed = total.errors.clone();
        total.demand(failed.is_empty(), || {
            format!("the end of a sender's thread reached callbacks: {failed:?}")
        });
    }
    Ok(total)
}

fn add(total: &mut Answer, one: Answer) {
    total.driver = one.driver;
    total.requests += one.requests;
    total.callbacks += one.callbacks;
    total.lost += one.lost;
    total.duplicated += one.duplicated;
    total.wrong += one.wrong;
    for (name, count) in one.errors {
        *total.errors.entry(name).or_default() += count;
    }
    total.remarks.extend(one.remarks);
}
