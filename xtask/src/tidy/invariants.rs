//! The invariants of ARCHITECTURE.md that are absences and that a machine can see.

use crate::workspace::TextFile;

use super::at;

struct Absence {
    /// The crates where it is to be absent.
    crates: &'static [&'static str],
    /// What is to be absent.
    tokens: &'static [&'static str],
    because: &'static str,
}

const ABSENCES: [Absence; 4] = [
    Absence {
        crates: &["io-engine-core", "io-engine-aio", "io-engine-uring"],
        tokens: &["thread::spawn", "thread::Builder", "mpsc", "crossbeam"],
        because: "the core and the kernel backends start no thread and have no channel",
    },
    Absence {
        crates: &["io-engine-aio", "io-engine-uring"],
        tokens: &["deliver(", ".finish()", ".call("],
        because: "no backend calls a callback",
    },
    Absence {
        crates: &["io-engine-merge"],
        tokens: &["Instant", "SystemTime", "thread::", "File::"],
        because: "the merge crate reads no clock, starts no thread and touches no file",
    },
    Absence {
        crates: &[
            "io-engine-core",
            "io-engine-aio",
            "io-engine-uring",
            "io-engine-merge",
            "io-engine-workers",
            "io-engine",
        ],
        tokens: &["unbounded", "mpsc::channel"],
        because: "no queue without a bound",
    },
];

pub(super) fn faults(file: &TextFile) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.is_source() || is_for_tests(file) {
        return faults;
    }
    for absence in &ABSENCES {
        if !absence.crates.contains(&file.crate_folder()) {
            continue;
        }
        for (index, line) in product_lines(&file.text) {
            for token in absence.tokens.iter().filter(|token| line.contains(**token)) {
                let what = format_args!("`{token}`: {}", absence.because);
                faults.push(at(file, index, what));
            }
        }
    }
    faults
}

/// Test code below `src`: a test module that has a file of its own, and the conformance suite,
/// which other crates can reach.
fn is_for_tests(file: &TextFile) -> bool {
    file.path.contains("/conformance") || file.path.ends_with("tests.rs")
}

/// The lines that are neither comment nor test; tests are the last thing in a file.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    let until_tests = lines.take_while(|(_, line)| !is_test_module(line));
    until_tests
        .map(|(index, line)| (index, line.split("//").next().unwrap_or(line)))
        .filter(|(_, code)| !code.trim().is_empty())
}

fn is_test_module(line: &str) -> bool {
    line.starts_with("mod tests") || line.starts_with("mod models")
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn what_must_be_absent_is_found_in_code() {
        for (path, code) in [
            ("io-engine-core/src/a.rs", "std::thread::spawn(f);"),
            ("io-engine-aio/src/a.rs", "use crossbeam_channel::Sender;"),
            ("io-engine-uring/src/a.rs", "completion.finish();"),
            ("io-engine-merge/src/a.rs", "let now = Instant::now();"),
            ("io-engine/src/a.rs", "let (tx, rx) = unbounded();"),
        ] {
            let found = faults(&file(path, &format!("//! Doc.\n{code}\n")));
            assert_eq!(found.len(), 1, "{path}: {found:?}");
        }
    }

    #[test]
    fn prose_tests_and_other_crates_may_name_it() {
        let prose = "//! completion.finish();\n/// thread::spawn\n";
        assert!(faults(&file("io-engine-uring/src/a.rs", prose)).is_empty());
        let tests = "//! Doc.\n#[cfg(test)]\nmod tests {\n    thread::spawn(f);\n}\n";
        assert!(faults(&file("io-engine-core/src/a.rs", tests)).is_empty());
        let spawning = "//! Doc.\nthread::spawn(f);\n";
        assert!(faults(&file("io-engine-workers/src/a.rs", spawning)).is_empty());
        assert!(faults(&file("io-engine-core/tests/a.rs", spawning)).is_empty());
        assert!(faults(&file("io-engine-core/src/conformance/a.rs", spawning)).is_empty());
        assert!(faults(&file("io-engine-core/src/a_tests.rs", spawning)).is_empty());
    }
}
