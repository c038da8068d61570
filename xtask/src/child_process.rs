//! Running a command with its output captured and a deadline.

use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    /// Whether it ended by itself.
    pub(crate) in_time: bool,
    /// Its stdout and stderr, in the order they came.
    pub(crate) output: String,
}

/// Lines that may wait for the main thread; a writer that is faster waits.
const LINES_WAITING_MAX: usize = 1024;

/// Runs `command`, calling `on_line` for each line it prints. After `limit` it is killed, with
/// everything it started, and counts as failed: a hang is a failure.
pub(crate) fn run(
    mut command: Command,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> io::Result<Finished> {
    let deadline = Instant::now() + limit;
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the pipe's writing end; the reader would never see its end.
    drop(command);
    let (lines_out, lines) = sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || forward(reader, &lines_out));
    let mut output = String::new();
    let in_time = collect(&lines, deadline, &mut |line| {
        on_line(line);
        output.push_str(line);
        output.push('\n');
    });
    if !in_time {
        stop(&child);
        let seconds = limit.as_secs();
        output.push_str(&format!("stopped: not done after {seconds} s\n"));
    }
    let status = child.wait()?;
    Ok(Finished {
        success: status.success() && in_time,
        in_time,
        output,
    })
}

fn forward(reader: PipeReader, lines: &SyncSender<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if lines.send(text).is_err() {
            return;
        }
        line.clear();
    }
}

/// Whether the output ended before the deadline.
fn collect(lines: &Receiver<String>, deadline: Instant, on_line: &mut dyn FnMut(&str)) -> bool {
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => on_line(&line),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Kills `child` and everything below it, parents first so that they start nothing new.
fn stop(child: &Child) {
    let Ok(root) = i32::try_from(child.id()) else {
        return;
    };
    let parents = parents();
    let mut doomed = vec![root];
    let mut next = 0;
    while let Some(&parent) = doomed.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        doomed.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    for pid in doomed.into_iter().filter_map(Pid::from_raw) {
        // One that has ended by itself meanwhile is as good.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Every process with its parent.
fn parents() -> Vec<(i32, i32)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the state is in brackets and may hold anything, brackets included.
        let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
        Some((pid, fields.nth(1)?.parse().ok()?))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn both_outputs_are_captured_and_the_status_is_told() {
        let mut seen = Vec::new();
        let finished = run(shell("echo one; echo two >&2; exit 3"), LONG, &mut |line| {
            seen.push(line.to_owned());
        })
        .unwrap();
        assert!(!finished.success && finished.in_time);
        assert_eq!(finished.output, "one\ntwo\n");
        assert_eq!(seen, ["one", "two"]);
        assert!(run(shell("true"), LONG, &mut |_| {}).unwrap().success);
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children_and_has_failed() {
        let begin = Instant::now();
        // The shell waits for a child that keeps the pipe open as well.
        let hang = shell("echo begun; sleep 300; echo never");
        let finished = run(hang, Duration::from_millis(500), &mut |_| {}).unwrap();
        assert!(!finished.success && !finished.in_time);
        assert!(finished.output.starts_with("begun\nstopped: "));
        assert!(begin.elapsed() < LONG);
    }
}
