//! Rules for one Rust file: its length, its name, its first line, features, ignored tests.

use crate::workspace::TextFile;

use super::at;

const LINES_WARN: usize = 400;
const LINES_MAX: usize = 500;

/// Names that say nothing about what is inside.
const FORBIDDEN_NAMES: [&str; 7] = [
    "utils", "util", "common", "misc", "helper", "helpers", "prelude",
];

pub(super) fn notes(file: &TextFile) -> Option<String> {
    let lines = file.text.lines().count();
    let is_long = lines > LINES_WARN && lines <= LINES_MAX;
    is_long.then(|| format!("{}: {lines} lines; split above {LINES_WARN}", file.path))
}

pub(super) fn faults(file: &TextFile) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{}: {lines} lines, {LINES_MAX} at most", file.path));
    }
    if let Some(part) = forbidden_part(&file.path) {
        faults.push(format!(
            "{}: `{part}` is a name for anything; name the idea",
            file.path
        ));
    }
    if file.is_source() && !file.text.starts_with("//! ") {
        faults.push(format!(
            "{}: begins without a `//!` doc that says what it is",
            file.path
        ));
    }
    if file.is_source() && !may_name_features(file) {
        let lines = file.text.lines().enumerate();
        let named = lines.filter(|(_, line)| names_a_feature(line));
        faults.extend(named.map(|(index, _)| {
            at(
                file,
                index,
                "cfg(feature) belongs in lib.rs or io-engine/src/driver.rs",
            )
        }));
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("#[ignore]") {
            faults.push(at(file, index, "an ignored test says why it is"));
        }
    }
    faults
}

fn forbidden_part(path: &str) -> Option<&str> {
    let mut parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    parts.find(|part| FORBIDDEN_NAMES.contains(part))
}

fn may_name_features(file: &TextFile) -> bool {
    file.name() == "lib.rs" || file.path == "io-engine/src/driver.rs"
}

fn names_a_feature(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//") && code.contains("cfg") && code.contains("feature = \"")
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const DOC: &str = "//! What it is.\n";

    #[test]
    fn a_file_is_warned_about_above_400_lines_and_refused_above_500() {
        let of_lines = |count: usize| file("a/src/b.rs", &DOC.repeat(count));
        assert!(notes(&of_lines(400)).is_none());
        assert!(notes(&of_lines(401)).is_some());
        assert!(faults(&of_lines(500)).is_empty());
        assert_eq!(faults(&of_lines(501)).len(), 1);
    }

    #[test]
    fn names_for_anything_are_refused_as_files_and_as_folders() {
        for path in [
            "a/src/utils.rs",
            "a/src/common/mod.rs",
            "a/tests/helpers.rs",
        ] {
            assert_eq!(faults(&file(path, DOC)).len(), 1, "{path}");
        }
        assert!(faults(&file("a/src/utilisation.rs", DOC)).is_empty());
    }

    #[test]
    fn a_source_file_begins_with_its_doc() {
        assert_eq!(faults(&file("a/src/b.rs", "use std::io;\n")).len(), 1);
        assert!(faults(&file("a/tests/b.rs", "use std::io;\n")).is_empty());
    }

    #[test]
    fn features_are_named_in_lib_and_driver_only() {
        let gated = format!("{DOC}#[cfg(feature = \"uring\")]\nmod b;\n");
        let asked = format!("{DOC}if cfg!(any(feature = \"uring\", feature = \"aio\")) {{}}\n");
        assert_eq!(faults(&file("io-engine/src/context.rs", &gated)).len(), 1);
        assert_eq!(faults(&file("io-engine/src/context.rs", &asked)).len(), 1);
        assert_eq!(faults(&file("a/src/driver.rs", &gated)).len(), 1);
        assert!(faults(&file("io-engine/src/driver.rs", &gated)).is_empty());
        assert!(faults(&file("a/src/lib.rs", &gated)).is_empty());
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        let bare = format!("{DOC}#[test]\n    #[ignore]\nfn a() {{}}\n");
        assert_eq!(faults(&file("a/src/b.rs", &bare)).len(), 1);
        let reasoned = bare.replace("[ignore]", "[ignore = \"needs two kernels\"]");
        assert!(faults(&file("a/src/b.rs", &reasoned)).is_empty());
    }
}
