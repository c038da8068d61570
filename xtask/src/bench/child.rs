//! One process with a deadline: what it prints, or what became of it.
//!
//! The process gets a process group of its own, so that a kill reaches whatever it started and a
//! Ctrl-C on the terminal does not reach it before the runner has decided.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::interruption::{self, Interrupted};

/// What a process printed before it ended well.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) stdout: String,
}

/// A process that has ended, or was killed, and all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: Result<(), Failure>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It could not be started.
    NotStarted(String),
    /// It ended with an error or by a signal.
    Crashed(String),
    /// It was killed at its deadline.
    Hung(String),
}

impl Failure {
    /// In a few words, for a table.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NotStarted(reason) => format!("not started: {reason}"),
            Self::Crashed(reason) => format!("crashed: {reason}"),
            Self::Hung(reason) => format!("hung: {reason}"),
        }
    }
}

/// How long a killed process may take to be gone, before it is left alone.
const KILL_TAKES: Duration = Duration::from_secs(5);
/// How often an interruption and the end of a process are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Of what it says on stderr, the end is kept.
const STDERR_KEPT: usize = 2048;

/// Runs `command` to its end, or until `limit`.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
) -> Result<Result<Printed, Failure>, Interrupted> {
    let Ended { how, stdout, .. } = run_and_keep(command, limit)?;
    Ok(how.map(|()| Printed { stdout }))
}

/// As [`run`], with what was said also where it has failed.
pub(crate) fn run_and_keep(command: &mut Command, limit: Duration) -> Result<Ended, Interrupted> {
    interruption::check()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let program = command.get_program().display();
            return Ok(Ended {
                how: Err(Failure::NotStarted(format!("{program}: {error}"))),
                stdout: String::new(),
                stderr: String::new(),
            });
        }
    };
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let end = wait(&mut child, Instant::now() + limit);
    if !matches!(end, End::Exited(_)) {
        kill(&mut child);
    }
    let stderr = text(stderr);
    let said = last_line(&stderr);
    let how = match end {
        End::Interrupted => return Err(Interrupted),
        End::Late => Err(Failure::Hung(with(
            format!("killed after {:.1} s", limit.as_secs_f64()),
            &said,
        ))),
        End::Exited(status) if status.success() => Ok(()),
        End::Exited(status) => Err(Failure::Crashed(with(ended(status), &said))),
        End::Lost(error) => Err(Failure::Crashed(with(error.to_string(), &said))),
    };
    let stdout = text(stdout);
    Ok(Ended {
        how,
        stdout,
        stderr,
    })
}

enum End {
    Exited(ExitStatus),
    Late,
    Interrupted,
    Lost(io::Error),
}

/// Waits on a thread of its own, as only that waits without looking again and again.
fn wait(child: &mut Child, deadline: Instant) -> End {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (ended, has_ended) = sync_channel::<()>(1);
    // It only looks and leaves the body, so that the number stays this child's until it is reaped.
    let watch = move || {
        if let Some(pid) = pid {
            let options =
                rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
            let _ = rustix::process::waitid(rustix::process::WaitId::Pid(pid), options);
        }
        let _ = ended.send(());
    };
    thread::spawn(watch);
    loop {
        if interruption::is_asked() {
            return End::Interrupted;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let is_over = left.is_zero();
        match has_ended.recv_timeout(left.min(LOOK)) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                return child.wait().map_or_else(End::Lost, End::Exited);
            }
            Err(RecvTimeoutError::Timeout) if is_over => return End::Late,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Kills it with all it started. What sits in the kernel may not go; then it is left behind.
fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // One that has just ended is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let deadline = Instant::now() + KILL_TAKES;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// Reads on a thread, so that a full pipe never stops the process.
fn read_all(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// A process left behind keeps its pipe open; its words are not waited for.
fn text(pipe: Option<Receiver<Vec<u8>>>) -> String {
    let bytes = pipe.and_then(|pipe| pipe.recv_timeout(KILL_TAKES).ok());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match Signal::from_named_raw(signal) {
            Some(name) => format!("{name:?}").replace("Signal::", ""),
            None => format!("signal {signal}"),
        },
        (None, None) => "ended without a status".to_owned(),
    }
}

/// What a process said last is mostly why it ended.
fn last_line(stderr: &str) -> String {
    let mut begin = stderr.len().saturating_sub(STDERR_KEPT);
    while !stderr.is_char_boundary(begin) {
        begin += 1;
    }
    let lines = stderr[begin..].lines().map(str::trim);
    // A hint how to see more is no reason, and the place of a panic alone is none either.
    let mut told = lines.filter(|line| !line.is_empty() && !line.starts_with("note: "));
    told.next_back().unwrap_or_default().to_owned()
}

fn with(what: String, said: &str) -> String {
    if said.is_empty() {
        what
    } else {
        format!("{what}: {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Printed, Failure> {
        run(Command::new("sh").args(["-c", script]), limit).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_good_process_prints_is_its_stdout_alone() {
        let printed = shell("echo chatter >&2; echo result", LONG).unwrap();
        assert_eq!(printed.stdout, "result\n");
    }

    #[test]
    fn a_crash_says_how_and_what_was_said_last() {
        let failure = shell("echo first >&2; echo reason >&2; exit 3", LONG).unwrap_err();
        assert_eq!(failure.text(), "crashed: exit status 3: reason");
        let failure = shell("kill -SEGV $$", LONG).unwrap_err();
        assert!(
            failure.text().to_uppercase().contains("SEGV"),
            "{failure:?}"
        );
    }

    #[test]
    fn what_a_failing_process_printed_is_not_lost() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo result; echo reason >&2; exit 1"]);
        let ended = run_and_keep(&mut command, LONG).unwrap();
        assert!(matches!(ended.how, Err(Failure::Crashed(_))), "{ended:?}");
        let said = [ended.stdout, ended.stderr];
        assert_eq!(said, ["result\n", "reason\n"]);
    }

    #[test]
    fn a_process_that_hangs_is_killed_at_its_deadline_with_its_children() {
        let begin = Instant::now();
        let failure = shell("sleep 300 & sleep 300", Duration::from_millis(300)).unwrap_err();
        assert!(matches!(failure, Failure::Hung(_)), "{failure:?}");
        assert!(
            begin.elapsed() < KILL_TAKES,
            "the pipe of the child was waited for"
        );
    }

    #[test]
    fn what_cannot_be_started_says_what() {
        let failure = run(&mut Command::new("no such program"), LONG)
            .unwrap()
            .unwrap_err();
        assert!(failure.text().contains("no such program"), "{failure:?}");
    }

    #[test]
    fn much_output_stops_nothing() {
        let printed = shell(
            "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2",
            LONG,
        );
        assert_eq!(printed.unwrap().stdout.len(), 300_000);
    }

    #[test]
    fn the_last_line_is_cut_at_a_character() {
        let long = "ä".repeat(STDERR_KEPT);
        assert!(last_line(&long).chars().all(|c| c == 'ä'));
        assert_eq!(last_line("cause\nnote: run with more\n\n"), "cause");
    }
}
