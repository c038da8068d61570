//! The same reads of the same failing files by this engine and by the published io-engine 0.12.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, FileHandle};
use serde::{Deserialize, Serialize};

use super::fuse_mount::{DirectIo, FuseMount};
use super::ground::Ground;
use crate::bench::child;
use crate::bench::executables::build;
use crate::bench::peers::MANIFEST;
use crate::workspace;

/// What has become of some reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Outcome {
    submitted: usize,
    callbacks: usize,
    duplicated: usize,
    lost: usize,
    /// Callbacks that were told of an error.
    errors: usize,
}

/// One line of the comparison.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    what: &'static str,
    driver: String,
    ours: Outcome,
    /// Or how its process ended.
    published: Result<Outcome, String>,
    /// Both in words.
    said: [String; 2],
}

struct Trial {
    what: &'static str,
    /// Of the failing file system; none is a descriptor that is not open.
    file: Option<&'static str>,
    bytes: usize,
}

const READS: usize = 16;

const TRIALS: [Trial; 3] = [
    Trial {
        what: "each read fails with EIO",
        file: Some("eio_1"),
        bytes: 4096,
    },
    Trial {
        what: "reads are cut short after 1000 bytes",
        file: Some("short_1000"),
        bytes: 65536,
    },
    Trial {
        what: "the descriptor is not open",
        file: None,
        bytes: 4096,
    },
];

const PACKAGE: &str = "peer-io-engine-0-12";
/// Longer than it waits for a callback.
const LIMIT: Duration = Duration::from_secs(20);
/// Far beyond the descriptors of this process.
const NOT_OPEN: i32 = 9999;

/// Reads each file with both.
pub(crate) fn compare(ground: &Ground) -> anyhow::Result<Vec<Compared>> {
    let manifest = workspace::root().join(MANIFEST);
    let target = workspace::root().join("target/peers");
    let published = build(&manifest, PACKAGE, Some(&target)).map_err(anyhow::Error::msg)?;
    let mount = FuseMount::new(ground, "beside", DirectIo::AtOnce)?;
    let mut all = Vec::new();
    for trial in TRIALS {
        let path = trial.file.map(|name| mount.path(name));
        if let Some(path) = &path {
            let file = File::create(path).with_context(|| path.display().to_string())?;
            file.set_len((READS * trial.bytes) as u64)?;
        }
        for (driver, name) in [(Driver::Uring, "uring"), (Driver::Aio, "aio")] {
            let ours = read(driver, path.as_deref(), trial.bytes)?;
            let other = read_published(&published, name, path.as_deref(), trial.bytes)?;
            all.push(Compared::new(trial.what, driver.to_string(), ours, other));
        }
    }
    Ok(all)
}

impl Compared {
    fn new(
        what: &'static str,
        driver: String,
        ours: Outcome,
        published: Result<Outcome, String>,
    ) -> Self {
        let other = match &published {
            Ok(outcome) => outcome.text(),
            Err(failure) => failure.clone(),
        };
        Self {
            what,
            driver,
            said: [ours.text(), other],
            ours,
            published,
        }
    }

    /// Whether this engine has called each callback once.
    pub(crate) fn is_good(&self) -> bool {
        let ours = &self.ours;
        ours.lost == 0 && ours.duplicated == 0 && ours.callbacks == ours.submitted
    }
}

/// Both side by side.
pub(crate) fn table(all: &[Compared]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["16 reads", "driver", "io-engine", "io-engine 0.12"]);
    for one in all {
        let [ours, published] = one.said.clone();
        table.add_row([one.what.to_owned(), one.driver.clone(), ours, published]);
    }
    table
}

impl Outcome {
    fn text(&self) -> String {
        if self.callbacks == 0 {
            return format!("no callback; {} LOST", self.lost);
        }
        let (callbacks, errors, lost) = (self.callbacks, self.errors, self.lost);
        let mut text = format!("{callbacks} callbacks, {errors} of them with an error");
        if lost > 0 {
            text.push_str(&format!("; {lost} LOST"));
        }
        if self.duplicated > 0 {
            text.push_str(&format!("; {} called twice", self.duplicated));
        }
        text
    }
}

fn read_published(
    program: &Path,
    driver: &str,
    path: Option<&Path>,
    bytes: usize,
) -> anyhow::Result<Result<Outcome, String>> {
    let mut command = Command::new(program);
    command.arg("--faults").arg(driver);
    command.arg(path.unwrap_or(Path::new("-")));
    command.arg(READS.to_string()).arg(bytes.to_string());
    Ok(match child::run(&mut command, LIMIT)? {
        Ok(printed) => Ok(serde_json::from_str(&printed.stdout)?),
        Err(failure) => Err(failure.text()),
    })
}

/// Sends its number and whether the event has failed.
struct Told(usize, Sender<(usize, bool)>);

impl IOCallback for Told {
    fn call(self, event: IOEvent<Self>) {
        // Whoever counts listens until the engine is gone.
        let _ = self.1.send((self.0, event.get_result().is_err()));
    }
}

fn read(driver: Driver, path: Option<&Path>, bytes: usize) -> anyhow::Result<Outcome> {
    let file = match path {
        Some(path) => FileHandle::from(Arc::new(File::open(path)?)),
        None => FileHandle::Raw(NOT_OPEN),
    };
    let mut engine = EventLoop::new(READS, driver)?;
    let (tell, told) = channel();
    for number in 0..READS {
        let offset = i64::try_from(number * bytes)?;
        let buffer = Buffer::aligned(bytes)?;
        let mut event = IOEvent::new(file.clone(), buffer, IOAction::Read, offset);
        event.set_callback(Told(number, tell.clone()));
        let submitted = engine.submit(event);
        submitted.ok().context("there is room for all of them")?;
    }
    engine.shutdown_timeout(LIMIT)?;
    drop(tell);
    let mut times = [0_usize; READS];
    let mut errors = 0;
    for (number, failed) in told {
        times[number] += 1;
        errors += usize::from(failed);
    }
    Ok(Outcome {
        submitted: READS,
        callbacks: times.iter().sum(),
        duplicated: times.iter().filter(|times| **times > 1).count(),
        lost: times.iter().filter(|times| **times == 0).count(),
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_nothing_get_a_callback_each() {
        let outcome = read(Driver::Threads, None, 512).unwrap();
        assert_eq!((outcome.callbacks, outcome.errors), (READS, READS));
        let compared = Compared::new("", String::new(), outcome, Err("crashed".to_owned()));
        assert!(compared.is_good());
        assert!(table(&[compared]).to_string().contains("crashed"));
    }

    #[test]
    fn what_is_lost_is_not_good() {
        let ours = Outcome {
            submitted: READS,
            callbacks: READS - 1,
            lost: 1,
            ..Outcome::default()
        };
        let lost = Compared::new("", String::new(), ours, Ok(Outcome::default()));
        assert!(!lost.is_good());
        assert!(lost.ours.text().contains("1 LOST"));
    }
}
