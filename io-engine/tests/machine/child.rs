//! Running a test in a process of its own, whose limits and sandbox bind nobody else.
#![allow(unsafe_code, reason = "a child that hangs is ended by its number")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use super::DEADLINE;

/// Tells the child which test it is; the value is the test's name.
const CHILD: &str = "IO_ENGINE_TEST_CHILD";

/// Runs `body` in a child process that does nothing else. `name` is the name of the calling test.
pub(crate) fn in_child(name: &str, body: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return body();
    }
    let program = std::env::current_exe().expect("the test program");
    let child = Command::new(program)
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child process");
    let id = child.id().cast_signed();
    let (tell, told) = crossbeam_channel::bounded(1);
    thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(DEADLINE + DEADLINE) else {
        // SAFETY: takes two numbers; the child was started above and has not been waited for.
        unsafe { libc::kill(id, libc::SIGKILL) };
        panic!("a hang: the child of {name}");
    };
    let output = output.expect("the child was waited for");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let passed = output.status.success() && out.contains("1 passed");
    assert!(
        passed,
        "the child of {name}, {}:\n{out}{err}",
        output.status
    );
    // What the child has skipped is to be seen here as well, past the harness, which keeps prints.
    for line in err.lines().filter(|line| line.starts_with("skipped: ")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
