//! The end of a device: reads across it are short and reads behind it empty; writes across it fail
//! with what they have written, and writes behind it fail at once.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use anyhow::Context;
use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOEvent};

use super::Options;
use super::answer::Answer;
use super::work::{Reply, Work};
use crate::error_name::error_name;

const PAGE: i64 = 4096;

/// One transfer, and what it is to come to.
struct Edge {
    action: IOAction,
    /// From the end of the device.
    at: i64,
    bytes: usize,
    transferred: usize,
    error: Option<&'static str>,
}

const EDGES: [Edge; 5] = [
    edge(IOAction::Read, -PAGE, 8192, 4096, None),
    edge(IOAction::Read, 0, 4096, 0, None),
    edge(IOAction::Read, PAGE * 16, 4096, 0, None),
    edge(IOAction::Write, -PAGE, 8192, 4096, Some("ENOSPC")),
    edge(IOAction::Write, 0, 4096, 0, Some("ENOSPC")),
];

const fn edge(
    action: IOAction,
    at: i64,
    bytes: usize,
    transferred: usize,
    error: Option<&'static str>,
) -> Edge {
    Edge {
        action,
        at,
        bytes,
        transferred,
        error,
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let mut file = options.open()?;
    let end = file
        .seek(SeekFrom::End(0))
        .context("the size of the device")?;
    let end = i64::try_from(end)?;
    let file = Arc::new(file);
    let mut work = Work::start(options)?;
    for _ in 0..options.rounds {
        for edge in &EDGES {
            let event = event(&file, edge, end)?;
            work.send(event)?;
            for (_, event) in work.rest()? {
                compare(&mut work.answer, edge, &event);
            }
        }
    }
    work.finish()
}

fn event(file: &Arc<File>, edge: &Edge, end: i64) -> anyhow::Result<IOEvent<Reply>> {
    let buffer = Buffer::aligned(edge.bytes)?;
    Ok(IOEvent::new(file, buffer, edge.action, end + edge.at))
}

fn compare(answer: &mut Answer, edge: &Edge, event: &IOEvent<Reply>) {
    let got = event.get_result();
    let error = got.as_ref().err().map(error_name);
    if let Err(error) = &got {
        answer.count_error(error);
    }
    answer.injected += 1;
    let (transferred, wanted) = (event.transferred(), edge.transferred);
    let as_wanted = transferred == wanted && error.as_deref() == edge.error;
    answer.demand(as_wanted, || {
        let (action, at, bytes) = (edge.action, edge.at, edge.bytes);
        format!(
            "{action:?} of {bytes} bytes at end{at:+}: {transferred} bytes and {error:?}, not {wanted} and {:?}",
            edge.error
        )
    });
}
