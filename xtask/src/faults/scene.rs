//! What a process does to the engine while something goes wrong: `blocks` mostly, and what needs to
//! be in the process itself.

mod acknowledged;
pub(crate) mod answer;
mod blocks;
mod edges;
mod forked;
mod given_up;
mod lost_ring;
mod orphans;
mod refused_sync;
mod sectors;
mod slow;
mod storm;
mod work;

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use io_engine::{Driver, StartError};
use rustix::process::{Signal, set_parent_process_death_signal};

pub(crate) use acknowledged::{BLOCK_BYTES as RECORD_BYTES, verify as verify_acknowledged};
pub(crate) use answer::Answer;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// Writes blocks, syncs, reads and checks every block whose write was acknowledged
    Blocks,
    /// Writes and syncs record after record and acknowledges each, until it is killed
    Acknowledged,
    /// Reads and writes at the end of a device
    Edges,
    /// Asks a device for parts of its sectors
    Sectors,
    /// Syncs twice what cannot be synced
    RefusedSync,
    /// Reads what is answered late and in another order
    Slow,
    /// Forks while requests are in flight
    Forked,
    /// Closes the ring's descriptor while requests are in flight
    LostRing,
    /// Ends the threads that submitted while requests are in flight
    Orphans,
    /// Ends the engine in time while nothing is answered
    GivenUp,
}

/// The arguments of one process.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What is done
    #[arg(value_enum)]
    scene: Scene,

    /// How requests reach the kernel
    #[arg(long, value_enum)]
    driver: Named,

    /// What is worked on; made if it is not there
    #[arg(long, value_name = "FILE")]
    file: PathBuf,

    /// Where acknowledgements are written
    #[arg(long, value_name = "FILE")]
    acknowledgements: Option<PathBuf>,

    /// Opens it with O_DIRECT
    #[arg(long)]
    direct: bool,

    /// Joins contiguous requests
    #[arg(long)]
    merge: bool,

    /// Runs the loop on the main thread, which takes signals
    #[arg(long)]
    on_this_thread: bool,

    /// Heeds SIGALRM and counts it, and raises it each so many microseconds unless that is 0
    #[arg(long, value_name = "MICROSECONDS")]
    alarm: Option<u32>,

    /// Reads what the first round of another process has written, and writes nothing
    #[arg(long)]
    only_reads: bool,

    /// The most blocks whose buffers are in memory at once
    #[arg(long, default_value_t = 4096)]
    window: usize,

    /// The most requests in flight
    #[arg(long, default_value_t = 16)]
    depth: usize,

    /// How many blocks there are
    #[arg(long, default_value_t = 256)]
    blocks: usize,

    /// How long a block is
    #[arg(long, default_value_t = 4096)]
    block_bytes: usize,

    /// How often all of it is done
    #[arg(long, default_value_t = 2)]
    rounds: u64,

    /// What the contents follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How long nothing may move
    #[arg(long, default_value_t = 20)]
    deadline: u64,
}

/// A driver, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Named {
    Uring,
    Aio,
    Threads,
    Auto,
}

impl Named {
    pub(crate) fn driver(self) -> Driver {
        match self {
            Self::Uring => Driver::Uring,
            Self::Aio => Driver::Aio,
            Self::Threads => Driver::Threads,
            Self::Auto => Driver::Auto,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Aio => "aio",
            Self::Threads => "threads",
            Self::Auto => "auto",
        }
    }
}

impl Options {
    fn open(&self) -> anyhow::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        if self.direct {
            options.custom_flags(libc::O_DIRECT);
        }
        options
            .open(&self.file)
            .with_context(|| format!("{} cannot be opened", self.file.display()))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.deadline)
    }
}

/// Prints what came of it as one line of JSON.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // Nobody else ends it when the runner is killed, and it would keep mounts and devices busy.
    set_parent_process_death_signal(Some(Signal::KILL)).context("PR_SET_PDEATHSIG")?;
    let answer = match options.scene {
        Scene::Blocks => blocks::run(options),
        Scene::Acknowledged => acknowledged::run(options),
        Scene::Edges => edges::run(options),
        Scene::Sectors => sectors::run(options),
        Scene::RefusedSync => refused_sync::run(options),
        Scene::Slow => slow::run(options),
        Scene::Forked => forked::run(options),
        Scene::LostRing => lost_ring::run(options),
        Scene::Orphans => orphans::run(options),
        Scene::GivenUp => given_up::run(options),
    };
    // An engine that does not start is an answer too.
    let answer = answer.or_else(|error| {
        let not_started = error.downcast::<StartError>()?;
        Ok::<_, anyhow::Error>(Answer::not_started(&not_started))
    })?;
    println!("{}", serde_json::to_string(&answer)?);
    Ok(ExitCode::SUCCESS)
}
