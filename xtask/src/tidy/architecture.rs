//! ARCHITECTURE.md names every source file, and no file that is not there.

use crate::workspace::TextFile;

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn faults(files: &[TextFile]) -> Vec<String> {
    let Some(map) = files.iter().find(|file| file.path == MAP) else {
        return vec![format!("{MAP} is missing")];
    };
    let sources: Vec<&TextFile> = files.iter().filter(|file| file.is_source()).collect();
    let mut faults = Vec::new();
    for source in &sources {
        let section = section_of(&map.text, source.crate_folder());
        let named = names_in(&section);
        if !named.contains(&below_src(source)) && !names_in(&map.text).contains(&&*source.path) {
            let path = &source.path;
            faults.push(format!("{MAP} does not say what {path} is for"));
        }
    }
    for name in names_in(&map.text) {
        let exists =
            |file: &TextFile| file.path == name || file.path.ends_with(&format!("/{name}"));
        if !files.iter().any(exists) {
            faults.push(format!("{MAP} names `{name}`, which does not exist"));
        }
    }
    faults
}

/// The path below `src`, as in `tidy/sources.rs`.
fn below_src(source: &TextFile) -> &str {
    let (_, below) = source
        .path
        .split_once("/src/")
        .unwrap_or(("", &source.path));
    below
}

/// The text of every section whose heading names the crate, with their subsections.
fn section_of(map: &str, crate_name: &str) -> String {
    let mut section = String::new();
    let mut inside_at = None;
    for line in map.lines() {
        let level = line.len() - line.trim_start_matches('#').len();
        if level > 0 {
            if heading_names(line, crate_name) {
                inside_at = Some(level);
            } else if inside_at.is_some_and(|inside| level <= inside) {
                inside_at = None;
            }
        }
        if inside_at.is_some() {
            section.push_str(line);
            section.push('\n');
        }
    }
    section
}

fn heading_names(heading: &str, crate_name: &str) -> bool {
    let mut words = heading.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
    words.any(|word| word == crate_name)
}

/// Everything that ends in `.rs`.
fn names_in(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let words = text.split(|c: char| !is_part(c));
    words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.ends_with(".rs") && word.len() > 3 && *word != "docs.rs")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn found(map: &str) -> Vec<String> {
        faults(&[
            file(MAP, map),
            file("io-engine/src/loop.rs", ""),
            file("io-engine-core/src/backend.rs", ""),
            file("io-engine-core/src/tidy/rule.rs", ""),
        ])
    }

    const TRUE_MAP: &str = "# Map\n## io-engine\n- `loop.rs`: it turns.\n## `io-engine-core`\n\
        ### Files\n- `backend.rs`, `tidy/rule.rs`\n## Walks\ndocs.rs has the rest.\n";

    #[test]
    fn a_map_that_names_every_file_is_true() {
        assert_eq!(found(TRUE_MAP), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_the_map_does_not_name_is_found() {
        assert_eq!(found(&TRUE_MAP.replace("`loop.rs`: ", "")).len(), 1);
        let elsewhere = TRUE_MAP.replace("`tidy/rule.rs`", "`rule.rs`");
        assert_eq!(found(&elsewhere).len(), 1, "a folder is part of the name");
    }

    #[test]
    fn a_name_in_the_section_of_another_crate_does_not_count() {
        let moved =
            "# Map\n## io-engine\n- `loop.rs` `backend.rs`\n## io-engine-core\n- `tidy/rule.rs`\n";
        assert_eq!(found(moved).len(), 1);
        let in_full = format!("{moved}\n## Walks\n`io-engine-core/src/backend.rs`\n");
        assert!(found(&in_full).is_empty());
    }

    #[test]
    fn a_name_without_a_file_is_found_and_so_is_a_missing_map() {
        assert_eq!(found(&format!("{TRUE_MAP}`gone.rs`\n")).len(), 1);
        assert_eq!(faults(&[]).len(), 1);
    }
}
