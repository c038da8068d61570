//! One process of an experiment: what it does, and what it is put under.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use super::finding::Skip;
use super::scene::{Answer, Named, Scene};
use crate::bench::child::{self, Failure};

/// A process to be.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    own: OsString,
    arguments: Vec<OsString>,
    confinement: Vec<OsString>,
    tracing: Option<Tracing>,
    limit: Duration,
}

/// What `strace` does to the process.
#[derive(Clone, Debug)]
struct Tracing {
    arguments: Vec<String>,
    log: PathBuf,
}

/// Of a line that is no answer, so much is told.
const SHOWN_MAX: usize = 200;
/// Longer than a process waits itself for what does not come.
const LIMIT: Duration = Duration::from_secs(60);

impl Job {
    /// A process that plays a scene on a file.
    pub(crate) fn scene(scene: Scene, driver: Named, file: &Path) -> anyhow::Result<Self> {
        let name = scene.to_possible_value().context("a scene has a name")?;
        Self::of(&["fault-scene", name.get_name()], driver, file)
    }

    /// A process that checks random work on a file against a model of it.
    pub(crate) fn model(driver: Named, file: &Path) -> anyhow::Result<Self> {
        Ok(Self::of(&["model", "--json", "--unoptimised"], driver, file)?.set("deadline", "20"))
    }

    fn of(words: &[&str], driver: Named, file: &Path) -> anyhow::Result<Self> {
        let mut job = Self {
            own: this_program()?.into(),
            arguments: words.iter().map(OsString::from).collect(),
            confinement: Vec::new(),
            tracing: None,
            limit: LIMIT,
        };
        job.arguments
            .extend(["--driver".into(), driver.name().into()]);
        job.arguments.extend(["--file".into(), file.into()]);
        Ok(job)
    }

    /// A further option.
    pub(crate) fn with(mut self, option: &str) -> Self {
        self.arguments.push(format!("--{option}").into());
        self
    }

    /// The same, if so.
    pub(crate) fn with_if(self, holds: bool, option: &str) -> Self {
        if holds { self.with(option) } else { self }
    }

    /// A further option that has a value.
    pub(crate) fn set(self, option: &str, value: impl AsRef<OsStr>) -> Self {
        let mut job = self.with(option);
        job.arguments.push(value.as_ref().to_owned());
        job
    }

    /// What it is confined by, as an option of `fault-confine`.
    pub(crate) fn confined(mut self, option: &str, value: impl AsRef<OsStr>) -> Self {
        self.confinement.push(format!("--{option}").into());
        self.confinement.push(value.as_ref().to_owned());
        self
    }

    /// Runs it under `strace`, which writes to `log`.
    pub(crate) fn traced(mut self, arguments: &[&str], log: &Path) -> Self {
        self.tracing = Some(Tracing {
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            log: log.to_owned(),
        });
        self
    }

    fn command(&self) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(tracing) = &self.tracing {
            words.extend(["strace".into(), "-f".into(), "-o".into()]);
            words.push(tracing.log.clone().into());
            words.extend(tracing.arguments.iter().map(OsString::from));
        }
        words.push(self.own.clone());
        if !self.confinement.is_empty() {
            words.push("fault-confine".into());
            words.extend(self.confinement.iter().cloned());
            words.extend(["--".into(), self.own.clone()]);
        }
        words.extend(self.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// The process itself, for those who end it.
    pub(crate) fn into_command(self) -> Command {
        self.command()
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> anyhow::Result<Result<Answer, Failure>> {
        let printed = match child::run(&mut self.command(), self.limit)? {
            Ok(printed) => printed,
            Err(Failure::NotStarted(reason)) if self.tracing.is_some() => {
                return Err(Skip(format!("strace: {reason}")).into());
            }
            Err(failure) => return Ok(Err(failure)),
        };
        let line = printed.stdout.lines().next_back().unwrap_or_default();
        let shown: String = line.chars().take(SHOWN_MAX).collect();
        Ok(serde_json::from_str(line)
            .map_err(|error| Failure::Crashed(format!("no answer in {shown:?}: {error}"))))
    }

    /// What `strace` has written down.
    pub(crate) fn trace(&self) -> anyhow::Result<String> {
        let log = &self.tracing.as_ref().context("it was not traced")?.log;
        fs::read_to_string(log).with_context(|| log.display().to_string())
    }
}

/// The file of this program, or what leads to it if a new build has taken its place.
pub(crate) fn this_program() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe().context("the path of this program")?;
    if path.exists() {
        return Ok(path);
    }
    Ok(PathBuf::from(format!("/proc/{}/exe", std::process::id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_below_its_confinement_and_that_below_strace() {
        let job = Job::scene(Scene::Blocks, Named::Aio, Path::new("file")).unwrap();
        let job = job
            .with_if(true, "direct")
            .with_if(false, "merge")
            .set("depth", "3");
        let job = job.confined("limit", "fsize=1");
        let job = job.traced(&["-e", "trace=io_submit"], Path::new("log"));
        let command = job.command();
        assert_eq!(command.get_program(), "strace");
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_str().unwrap())
            .collect();
        let own = std::env::current_exe().unwrap();
        let own = own.to_str().unwrap();
        let wanted = [
            "-f",
            "-o",
            "log",
            "-e",
            "trace=io_submit",
            own,
            "fault-confine",
            "--limit",
            "fsize=1",
            "--",
            own,
            "fault-scene",
            "blocks",
            "--driver",
            "aio",
            "--file",
            "file",
            "--direct",
            "--depth",
            "3",
        ];
        assert_eq!(words, wanted);
    }
}
