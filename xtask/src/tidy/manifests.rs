//! Rules for manifests: versions in one place, and no registry but crates.io.

use crate::workspace::TextFile;

use super::at;

/// How Cargo.lock names crates.io, whatever mirror the packages came through.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn faults(file: &TextFile) -> Vec<String> {
    let mut faults = Vec::new();
    let mut section = "";
    let mut open_brackets = 0;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') && open_brackets == 0 {
            section = line.trim_matches(['[', ']']);
            if names_a_registry_section(section) {
                faults.push(at(file, index, "no registry but crates.io"));
            }
            continue;
        }
        let begins_an_entry = open_brackets == 0 && !line.is_empty() && !line.starts_with('#');
        open_brackets += line.matches(['[', '{']).count();
        open_brackets -= line.matches([']', '}']).count().min(open_brackets);
        if line.contains("registry = ") || line.contains("replace-with") {
            faults.push(at(file, index, "no registry but crates.io"));
        }
        if begins_an_entry && is_members_dependencies(section) && !is_inherited(line) {
            faults.push(at(
                file,
                index,
                "versions only in [workspace.dependencies]: write `name.workspace = true`",
            ));
        }
    }
    faults
}

pub(super) fn lock_faults(file: &TextFile) -> Vec<String> {
    let lines = file.text.lines().enumerate();
    let sources = lines.filter(|(_, line)| line.starts_with("source = "));
    sources
        .filter(|(_, line)| !line.contains(&format!("\"{CRATES_IO}\"")))
        .map(|(index, line)| at(file, index, format_args!("no source but crates.io: {line}")))
        .collect()
}

fn names_a_registry_section(section: &str) -> bool {
    let first = section.split('.').next().unwrap_or("");
    ["source", "registry", "registries", "patch"].contains(&first)
}

/// `[dependencies]`, `[dev-dependencies]`, `[target.'…'.dependencies]`, and one entry of them as a
/// section of its own.
fn is_members_dependencies(section: &str) -> bool {
    !section.starts_with("workspace.")
        && section
            .split('.')
            .any(|part| part.ends_with("dependencies"))
}

fn is_inherited(line: &str) -> bool {
    line.contains("workspace = true")
        // Further keys of an entry that has a section of its own.
        || ["features", "optional", "default-features"]
            .iter()
            .any(|key| line.starts_with(key))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn of(text: &str) -> usize {
        faults(&file("a/Cargo.toml", text)).len()
    }

    #[test]
    fn a_member_inherits_its_versions() {
        assert_eq!(of("[dependencies]\nlibc = \"0.2\"\n"), 1);
        assert_eq!(of("[dev-dependencies]\na = { path = \"../a\" }\n"), 1);
        assert_eq!(
            of("[target.'cfg(loom)'.dependencies]\nloom = { version = \"0.7\" }\n"),
            1
        );
        assert_eq!(of("[dependencies.libc]\nversion = \"0.2\"\n"), 1);
        assert_eq!(of("[dependencies]\nlibc.workspace = true\n"), 0);
        assert_eq!(
            of("[dependencies]\nrustix = { workspace = true, features = [\n    \"fs\",\n] }\n"),
            0
        );
        assert_eq!(
            of("[dependencies.libc]\nworkspace = true\noptional = true\n"),
            0
        );
    }

    #[test]
    fn the_workspace_has_them() {
        assert_eq!(of("[workspace.dependencies]\nlibc = \"0.2\"\n"), 0);
        assert_eq!(of("[package]\nversion = \"0.1.0\"\n"), 0);
    }

    #[test]
    fn another_registry_is_refused_wherever_it_is_named() {
        assert_eq!(of("[source.crates-io]\nreplace-with = \"mirror\"\n"), 2);
        assert_eq!(
            of("[registries.mirror]\nindex = \"https://a.example\"\n"),
            1
        );
        assert_eq!(of("[patch.crates-io]\n"), 1);
        let ours = format!("source = \"{CRATES_IO}\"\n");
        assert!(lock_faults(&file("Cargo.lock", &ours)).is_empty());
        let other = "source = \"sparse+https://mirror.example/index/\"\n";
        assert_eq!(lock_faults(&file("Cargo.lock", other)).len(), 1);
    }
}
