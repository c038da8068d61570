//! Steps that run one after the other, whatever the ones before did, and their summary.

use std::io::{self, IsTerminal};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use crate::child_process;
use crate::test_output::{Tally, without_successes};

/// What one step came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) output: String,
    elapsed: Duration,
}

struct Done {
    passed: bool,
    output: String,
    /// Whether the user sees the output.
    shown: bool,
}

/// The steps of a command.
#[derive(Debug)]
pub(crate) struct Steps {
    outcomes: Vec<Outcome>,
    on_terminal: bool,
}

/// A step that takes longer hangs: everything together has to be done in less.
const STEP_LIMIT: Duration = Duration::from_secs(600);

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            outcomes: Vec::new(),
            on_terminal: io::stderr().is_terminal(),
        }
    }

    /// Runs commands, all of them, and passes if each of them did.
    pub(crate) fn commands(&mut self, name: &str, commands: Vec<Command>) {
        self.step(name, |progress| {
            let mut passed = true;
            let mut output = String::new();
            let count = commands.len();
            for (index, command) in commands.into_iter().enumerate() {
                let said = format!("$ {}\n", said(&command));
                let begun = if count == 1 {
                    String::new()
                } else {
                    format!("{}/{count} ", index + 1)
                };
                let finished = child_process::run(command, STEP_LIMIT, &mut |line| {
                    progress.set_message(format!("{begun}{}", line.trim()));
                })?;
                output.push_str(&said);
                output.push_str(&finished.output);
                passed &= finished.success;
            }
            Ok(Done {
                passed,
                output,
                shown: !passed,
            })
        });
    }

    /// Runs one command.
    pub(crate) fn command(&mut self, name: &str, command: Command) {
        self.commands(name, vec![command]);
    }

    /// Runs a check within this process; it passes if it finds no fault. Notes are shown, and
    /// change nothing.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> anyhow::Result<Findings>) {
        self.step(name, |_| {
            let findings = check()?;
            Ok(Done {
                passed: findings.faults.is_empty(),
                output: findings.to_text(),
                shown: true,
            })
        });
    }

    fn step(&mut self, name: &str, work: impl FnOnce(&ProgressBar) -> anyhow::Result<Done>) {
        let progress = self.progress(name);
        let begin = Instant::now();
        let done = work(&progress).unwrap_or_else(|error| Done {
            passed: false,
            output: format!("{error:#}\n"),
            shown: true,
        });
        let elapsed = begin.elapsed();
        progress.finish_and_clear();
        let word = if done.passed { "ok" } else { "FAILED" };
        if done.shown {
            print!("{}", without_successes(&done.output));
        }
        println!("{name}: {word} ({:.1} s)", elapsed.as_secs_f64());
        self.outcomes.push(Outcome {
            name: name.to_owned(),
            passed: done.passed,
            output: done.output,
            elapsed,
        });
    }

    fn progress(&self, name: &str) -> ProgressBar {
        if !self.on_terminal {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
            .expect("a valid template");
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// The tests that the steps so far have run.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for outcome in &self.outcomes {
            tally.add(&Tally::of(&outcome.output));
        }
        tally
    }

    /// How many steps failed without a test that did: a lint, a build, a crash.
    pub(crate) fn failed_without_a_test(&self) -> u64 {
        let failed = self.outcomes.iter().filter(|outcome| {
            let tests = Tally::of(&outcome.output);
            !outcome.passed && tests.failed == 0
        });
        failed.count() as u64
    }

    /// Prints the table and says how it went.
    pub(crate) fn finish(self) -> ExitCode {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["step", "result", "seconds"]);
        for outcome in &self.outcomes {
            table.add_row([
                outcome.name.clone(),
                (if outcome.passed { "ok" } else { "FAILED" }).to_owned(),
                format!("{:.1}", outcome.elapsed.as_secs_f64()),
            ]);
        }
        if let Some(seconds) = table.column_mut(2) {
            seconds.set_cell_alignment(CellAlignment::Right);
        }
        let total: Duration = self.outcomes.iter().map(|outcome| outcome.elapsed).sum();
        println!("\n{table}\ntotal: {:.0} s", total.as_secs_f64());
        if self.outcomes.iter().all(|outcome| outcome.passed) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// A command as a user would type it.
fn said(command: &Command) -> String {
    let mut said = String::new();
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        said.push_str(&format!("{}='{value}' ", name.to_string_lossy()));
    }
    let program = command.get_program().to_string_lossy();
    said.push_str(program.rsplit('/').next().unwrap_or(&program));
    for argument in command.get_args() {
        said.push(' ');
        said.push_str(&argument.to_string_lossy());
    }
    said
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<String>,
    pub(crate) notes: Vec<String>,
}

impl Findings {
    pub(crate) fn to_text(&self) -> String {
        let faults = self.faults.iter().map(|fault| format!("error: {fault}\n"));
        let notes = self.notes.iter().map(|note| format!("warning: {note}\n"));
        faults.chain(notes).collect()
    }

    /// For a check that is a command of its own.
    pub(crate) fn print(&self, name: &str) -> ExitCode {
        print!("{}", self.to_text());
        if self.faults.is_empty() {
            println!("{name}: ok");
            return ExitCode::SUCCESS;
        }
        println!("{name}: {} faults", self.faults.len());
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failed_step_stops_nothing_and_fails_the_whole() {
        let mut steps = Steps::new();
        steps.commands("two", vec![shell("exit 1"), shell("echo second")]);
        steps.command("good", shell("true"));
        assert!(steps.outcomes[0].output.contains("second"));
        let passed: Vec<bool> = steps
            .outcomes
            .iter()
            .map(|outcome| outcome.passed)
            .collect();
        assert_eq!(passed, [false, true]);
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn a_crash_counts_as_a_failure_though_no_test_reported_one() {
        let mut steps = Steps::new();
        steps.command("crash", shell("kill -SEGV $$"));
        steps.command(
            "test",
            shell("echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'; exit 1"),
        );
        assert_eq!(steps.failed_without_a_test(), 1);
        assert_eq!(steps.tally().failed, 2);
    }

    #[test]
    fn a_check_fails_on_faults_and_not_on_notes() {
        let mut steps = Steps::new();
        steps.check("notes", || {
            Ok(Findings {
                notes: vec!["long".to_owned()],
                ..Findings::default()
            })
        });
        steps.check("faults", || {
            Ok(Findings {
                faults: vec!["too long".to_owned()],
                ..Findings::default()
            })
        });
        steps.check("error", || anyhow::bail!("no metadata"));
        let passed: Vec<bool> = steps
            .outcomes
            .iter()
            .map(|outcome| outcome.passed)
            .collect();
        assert_eq!(passed, [true, false, false]);
    }
}
