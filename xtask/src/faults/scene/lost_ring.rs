//! The ring's descriptor is closed by somebody who counts descriptors wrongly.

use std::fs;
use std::os::fd::RawFd;
use std::sync::Arc;

use anyhow::Context;
use nix::unistd::close;

use super::Options;
use super::answer::Answer;
use super::blocks::send_read;
use super::work::Work;

const RING: &str = "anon_inode:[io_uring]";

pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let mut work = Work::start(options)?;
    let half = options.blocks / 2;
    for block in 0..options.blocks {
        if block == half {
            work.push_on()?;
            let before = work.outstanding();
            let closed = close_rings()?;
            work.answer.injected += closed;
            work.answer
                .remarks
                .push(format!("{closed} rings closed with {before} outstanding"));
        }
        send_read(&mut work, options, &file, block)?;
    }
    for (_, event) in work.rest()? {
        if let Err(error) = event.get_read_result() {
            work.answer.count_error(&error);
        }
    }
    work.finish()
}

fn close_rings() -> anyhow::Result<u64> {
    let mut rings: Vec<RawFd> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        if fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == RING) {
            let number = entry.file_name();
            let number = number.to_str().and_then(|number| number.parse().ok());
            rings.push(number.context("a descriptor is a number")?);
        }
    }
    for ring in &rings {
        close(*ring).with_context(|| format!("descriptor {ring}"))?;
    }
    Ok(rings.len() as u64)
}
