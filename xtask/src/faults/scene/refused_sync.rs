//! A device that takes writes into the page cache and cannot keep them: the sync has to say so, and
//! the one after it too, though the kernel tells it only once.

use std::sync::Arc;

use io_engine::tasks::IOEvent;

use super::Options;
use super::answer::Answer;
use super::blocks::{end_writes, send_write};
use super::work::Work;
use crate::error_name::error_name;

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut work = Work::start(options)?;
    for block in 0..options.blocks {
        send_write(&mut work, options, &file, block, 0)?;
    }
    end_writes(&mut work)?;
    let mut results = Vec::new();
    for _ in 0..2 {
        work.send(IOEvent::sync(&file))?;
        for (_, event) in work.rest()? {
            let result = event.get_result();
            if let Err(error) = &result {
                work.answer.count_error(error);
                work.answer.injected += 1;
            }
            results.push(result.map_err(|error| error_name(&error)));
        }
    }
    let all_failed = results.iter().all(Result::is_err);
    work.answer.demand(all_failed, || {
        format!("{results:?}: the device has lost writes, and every sync has to say so")
    });
    work.answer.remarks.push(format!("syncs: {results:?}"));
    work.finish()
}
