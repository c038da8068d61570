//! `tidy`: the house rules for files that no lint knows.

mod architecture;
mod invariants;
mod manifests;
mod sources;
mod texts;
mod unsafe_files;

use std::process::ExitCode;

use crate::steps::Findings;
use crate::workspace::{self, TextFile};

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    Ok(check()?.print("tidy"))
}

/// Looks at every file of the project.
pub(crate) fn check() -> anyhow::Result<Findings> {
    let files = workspace::text_files()?;
    let mut findings = Findings::default();
    for file in &files {
        one_file(file, &mut findings);
    }
    findings.faults.extend(unsafe_files::faults(&files));
    findings.faults.extend(architecture::faults(&files));
    Ok(findings)
}

fn one_file(file: &TextFile, findings: &mut Findings) {
    findings.faults.extend(texts::faults(file));
    if file.is_rust() {
        findings.notes.extend(sources::notes(file));
        findings.faults.extend(sources::faults(file));
        findings.faults.extend(invariants::faults(file));
    }
    if file.name() == "Cargo.toml" || file.path.starts_with(".cargo/") {
        findings.faults.extend(manifests::faults(file));
    }
    if file.name() == "Cargo.lock" {
        findings.faults.extend(manifests::lock_faults(file));
    }
}

/// A line of a file as a finding names it.
fn at(file: &TextFile, index: usize, what: impl std::fmt::Display) -> String {
    format!("{}:{}: {what}", file.path, index + 1)
}

#[cfg(test)]
fn file(path: &str, text: &str) -> TextFile {
    TextFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_meets_its_rules() {
        let mut findings = Findings::default();
        one_file(&file("a/src/common.rs", "fn f() {}\n"), &mut findings);
        assert_eq!(
            findings.faults.len(),
            2,
            "the name and the missing doc: {findings:?}"
        );
        let mut findings = Findings::default();
        one_file(
            &file("a/Cargo.toml", "[dependencies]\nlibc = \"0.2\"\n"),
            &mut findings,
        );
        assert_eq!(findings.faults.len(), 1, "{findings:?}");
        let lock = "source = \"registry+https://mirror.example/index\"\n";
        for path in ["Cargo.lock", "xtask/peers/Cargo.lock"] {
            let mut findings = Findings::default();
            one_file(&file(path, lock), &mut findings);
            assert_eq!(findings.faults.len(), 1, "{path}: {findings:?}");
        }
    }
}
