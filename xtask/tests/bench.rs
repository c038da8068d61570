//! The benchmark from the command line to its files: tiny cells, but every step is real.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "--unoptimised"]);
    command.args(["--file-bytes", "8388608", "--seconds", "0.05"]);
    command.arg("--dir").arg(dir);
    command.arg("--report").arg(dir.join("report.html"));
    command
        .args(arguments)
        .output()
        .expect("the benchmark starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn record(path: &Path) -> Value {
    let json = fs::read_to_string(path).expect("the record was written");
    serde_json::from_str(&json).expect("the record is JSON")
}

#[test]
fn a_run_measures_prints_records_reports_and_compares_itself() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let json = dir.path().join("run.json");
    let json_text = json.to_str().expect("a path in UTF-8");
    // Drivers that are there on every machine.
    let engines = "raw-pread,raw-pread-pool,loop-threads,channel-threads";
    let run = [
        "--only",
        "page-cache",
        "--engines",
        engines,
        "--depths",
        "1,4",
        "--rounds",
        "2",
    ];
    let output = bench(dir.path(), &[&run[..], &["--json", json_text]].concat());
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(
        stdout.contains("channel-threads") && stdout.contains("P8 "),
        "{stdout}"
    );
    assert!(stderr.contains("round 2 of 2: page-cache"), "{stderr}");

    let record = record(&json);
    let cells = record["groups"][0]["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 6, "each engine at each depth that fits it");
    for cell in cells {
        assert_eq!(cell["rounds"].as_array().map(Vec::len), Some(2), "{cell}");
        assert!(
            cell["summary"]["iops"]["median"].as_f64() > Some(0.0),
            "{cell}"
        );
    }
    let report = fs::read_to_string(dir.path().join("report.html")).expect("the report");
    assert!(report.contains("loop-threads") && report.ends_with("</html>"));
    let left: Vec<_> = fs::read_dir(dir.path())
        .expect("the folder")
        .flatten()
        .collect();
    assert_eq!(left.len(), 2, "only what was asked for is left: {left:?}");

    let page = dir.path().join("page.md");
    fs::write(&page, "a\n<!-- bench: begin -->\n<!-- bench: end -->\nz\n").expect("the page");
    let page_text = page.to_str().expect("a path in UTF-8");
    let output = bench(dir.path(), &["--show", json_text, "--page", page_text]);
    let page = fs::read_to_string(page).expect("the page");
    assert!(page.contains("| 4 | channel-threads | "), "{page}");
    assert_eq!(
        text(&output.stdout),
        stdout,
        "the record holds all that was said"
    );
    let shown = fs::read_to_string(dir.path().join("report.html")).expect("the report");
    assert_eq!(shown, report);

    let output = bench(dir.path(), &["--compare", json_text, "--with", json_text]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        stdout.contains("6 cells compared") && stdout.contains("0 worse"),
        "{stdout}"
    );
}

#[test]
fn json_on_stdout_is_nothing_but_json() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = [
        "--only",
        "log",
        "--engines",
        "raw-pread",
        "--depths",
        "1",
        "--rounds",
        "1",
    ];
    let output = bench(dir.path(), &[&run[..], &["--json", "-"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    assert_eq!(record["version"], 1);
}

#[test]
fn a_wrong_argument_ends_with_2_before_anything_is_measured() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (arguments, said) in [
        (["--engines", "floppy"], "loop-uring"),
        (["--rounds", "0"], "1 to 99"),
        (["--compare", "gone.json"], "gone.json"),
        (["--only", "floppy"], "page-cache"),
        (["--json", "/proc/run.json"], "--json: /proc/run.json"),
        (["--page", "gone.md"], "<!-- bench: begin -->"),
    ] {
        let output = bench(dir.path(), &arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("round 1"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([
        "bench",
        "--unoptimised",
        "--file-bytes",
        "8388608",
        "--seconds",
        "60",
    ]);
    command.args([
        "--only",
        "page-cache,zram",
        "--engines",
        "raw-pread",
        "--depths",
        "1",
    ]);
    command.arg("--dir").arg(dir.path());
    command.stderr(std::process::Stdio::piped());
    let devices_before = zram_devices();
    let mut child = command.spawn().expect("the benchmark starts");
    let stderr = child.stderr.take().expect("it is a pipe");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
    let begun = lines
        .by_ref()
        .flatten()
        .any(|line| line.starts_with("round 1"));
    assert!(begun, "the first round begins");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(
        said.iter().any(|line| line.contains("interrupted")),
        "{said:?}"
    );
    assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 0);
    assert!(zram_devices() <= devices_before, "a device stayed behind");
}

fn zram_devices() -> usize {
    let blocks = fs::read_dir("/sys/block")
        .expect("a list of devices")
        .flatten();
    blocks
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("zram"))
        .count()
}
