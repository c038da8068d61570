//! Running killers on the copy: first without a bug, then with each.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::mutant::{Death, Killer, Mutant, Target};
use super::reading::Reading;
use super::tree::Tree;
use crate::child_process::{self, Finished};

/// Where the trials take place.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) tree: Tree,
    /// Where what is built goes; the models have a folder of their own in it.
    pub(crate) target: PathBuf,
}

/// What became of a mutant.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) mutant: Mutant,
    /// The line in which the bug begins.
    pub(crate) line: usize,
    pub(crate) fate: Fate,
    pub(crate) elapsed: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Killed {
        by: Killer,
        how: Reading,
    },
    /// No killer has found it. The last one ended like this.
    Survived(Reading),
    /// The entry is wrong, not the code: it does not compile, or a killer is not there.
    Broken(String),
}

/// How long a build may take, on a machine that is busy with something else.
const BUILD_LIMIT: Duration = Duration::from_secs(300);

/// How long a test may take. The tests end what hangs after 60 s by themselves, and say where.
const TEST_LIMIT: Duration = Duration::from_secs(150);

/// How long a test may take that is expected to hang.
const HANG_LIMIT: Duration = Duration::from_secs(20);

/// By how much a test must be faster without the bug that is expected to make it hang.
const HANG_FACTOR: u32 = 4;

/// How much memory a process may have: a bug that takes more and more ends there, and not with the
/// machine.
const MEMORY_MAX_BYTES: u64 = 8 << 30;

/// Of the output of a build that failed, the beginning says why.
const ERROR_LINES_SHOWN: usize = 3;

/// Limits the memory of this process and of all that it starts.
pub(crate) fn limit_memory() -> anyhow::Result<()> {
    let limits = getrlimit(Resource::Data);
    let at_most =
        |limit: Option<u64>| limit.map_or(MEMORY_MAX_BYTES, |own| own.min(MEMORY_MAX_BYTES));
    let limited = Rlimit {
        current: Some(at_most(limits.current)),
        maximum: limits.maximum,
    };
    setrlimit(Resource::Data, limited).context("limiting the memory of what is started")
}

impl Trial {
    /// Makes sure that a killer passes where there is nothing to find.
    pub(crate) fn without_a_bug(&self, killer: &Killer, deaths: &[Death]) -> anyhow::Result<()> {
        self.build(killer)?.map_err(|errors| {
            anyhow::anyhow!("{} does not compile without a bug: {errors}", killer.said())
        })?;
        let began = Instant::now();
        let finished = self.run(killer.running(), killer, TEST_LIMIT)?;
        let elapsed = began.elapsed();
        match Reading::of(&finished) {
            Reading::Passed => {}
            Reading::NothingRan => bail!("there is no test like this: {}", killer.said()),
            Reading::Failed | Reading::Crashed(_) | Reading::Aborted | Reading::Hung => bail!(
                "it fails without a bug, so it proves nothing: {}\n{}",
                killer.said(),
                finished.output
            ),
        }
        if deaths.contains(&Death::Hang) && elapsed * HANG_FACTOR > HANG_LIMIT {
            bail!(
                "it took {:.1} s without a bug, too long to tell a hang in {} s: {}",
                elapsed.as_secs_f64(),
                HANG_LIMIT.as_secs(),
                killer.said()
            );
        }
        Ok(())
    }

    /// Plants one bug and lets its killers look for it.
    pub(crate) fn of(&self, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        let (line, fate) = self
            .tree
            .with_planted(mutant, || self.fate(mutant))
            .with_context(|| format!("planting {}", mutant.name))?;
        Ok(Verdict {
            mutant: *mutant,
            line,
            fate,
            elapsed: began.elapsed(),
        })
    }

    fn fate(&self, mutant: &Mutant) -> anyhow::Result<Fate> {
        let mut last = Reading::NothingRan;
        for killer in mutant.killers {
            if let Err(errors) = self.build(killer)? {
                return Ok(Fate::Broken(format!("it does not compile: {errors}")));
            }
            let limit = match mutant.death {
                Death::Failure => TEST_LIMIT,
                Death::Hang => HANG_LIMIT,
            };
            last = Reading::of(&self.run(killer.running(), killer, limit)?);
            if is_found(&last, mutant.death) {
                return Ok(Fate::Killed {
                    by: *killer,
                    how: last,
                });
            }
        }
        Ok(match last {
            Reading::NothingRan => Fate::Broken("no killer of that name has run".to_owned()),
            Reading::Passed
            | Reading::Failed
            | Reading::Crashed(_)
            | Reading::Aborted
            | Reading::Hung => Fate::Survived(last),
        })
    }

    /// Builds the program of a killer; the inner error is that of the compiler.
    fn build(&self, killer: &Killer) -> anyhow::Result<Result<(), String>> {
        let finished = self.run(killer.building(), killer, BUILD_LIMIT)?;
        Ok(match finished.success {
            true => Ok(()),
            false => Err(errors_in(&finished.output)),
        })
    }

    fn run(
        &self,
        mut command: Command,
        killer: &Killer,
        limit: Duration,
    ) -> anyhow::Result<Finished> {
        let target = match killer.target {
            Target::Lib | Target::Test(_) => self.target.clone(),
            Target::Models => self.target.join("loom"),
        };
        command.current_dir(self.tree.folder());
        command.env("CARGO_TARGET_DIR", target);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.env("RUSTFLAGS", killer.rustflags());
        child_process::run(command, limit, &mut |_| {}).context("starting cargo")
    }
}

/// Whether a killer that ended like this has found the bug.
fn is_found(reading: &Reading, expected: Death) -> bool {
    match reading {
        // Nothing kills itself like this: the machine ran out of memory, or somebody stopped it.
        Reading::Crashed(signal) if signal == "SIGKILL" => false,
        Reading::Failed | Reading::Crashed(_) | Reading::Aborted => true,
        Reading::Hung => expected == Death::Hang,
        Reading::Passed | Reading::NothingRan => false,
    }
}

fn errors_in(output: &str) -> String {
    let errors = output.lines().map(str::trim);
    let errors = errors.filter(|line| line.starts_with("error") || line.starts_with("stopped: "));
    let first: Vec<&str> = errors.take(ERROR_LINES_SHOWN).collect();
    match first.is_empty() {
        true => output.trim().to_owned(),
        false => first.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_finds_only_what_is_expected_to_hang() {
        assert!(!is_found(&Reading::Hung, Death::Failure));
        assert!(is_found(&Reading::Hung, Death::Hang));
        for death in [Death::Failure, Death::Hang] {
            assert!(is_found(&Reading::Failed, death));
            assert!(is_found(&Reading::Crashed("SIGSEGV".to_owned()), death));
            assert!(!is_found(&Reading::Crashed("SIGKILL".to_owned()), death));
            assert!(!is_found(&Reading::Passed, death));
            assert!(!is_found(&Reading::NothingRan, death));
        }
    }

    #[test]
    fn of_a_build_that_failed_the_errors_are_shown() {
        let output = "   Compiling a\nwarning: unused\nerror[E0425]: cannot find `b`\n  --> c.rs\n\
            error: could not compile `a`\n";
        assert_eq!(
            errors_in(output),
            "error[E0425]: cannot find `b`; error: could not compile `a`"
        );
        assert_eq!(errors_in("Killed\n"), "Killed");
    }
}
