//! Rules for every text file: no leftovers, no paths of one machine.

use crate::workspace::TextFile;

use super::at;

/// What somebody meant to come back to, put together so that this file is not one of them.
const LEFTOVERS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimplem", "ented!"),
    concat!("db", "g!"),
];

/// Folders at the root of some machine that mean nothing on another.
const MACHINE_FOLDERS: [&str; 3] = ["work", "root", "home"];

pub(super) fn faults(file: &TextFile) -> Vec<String> {
    let mut faults = Vec::new();
    if file.path == "Cargo.lock" {
        return faults;
    }
    for (index, line) in file.text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        for leftover in LEFTOVERS {
            // A macro is left over in code; the example in a doc may be without a body.
            let counts = !(is_comment && leftover.ends_with('!'));
            if counts && has_word(line, leftover) {
                faults.push(at(file, index, format_args!("left over: {leftover}")));
            }
        }
        for folder in MACHINE_FOLDERS {
            if has_root_path(line, folder) {
                let what = format_args!("a path of one machine: /{folder}/");
                faults.push(at(file, index, what));
            }
        }
    }
    faults
}

/// Whether `word` stands alone in `line`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(begin, _)| {
        let before = line[..begin].chars().next_back();
        let after = line[begin + word.len()..].chars().next();
        !before.is_some_and(is_word) && (word.ends_with('!') || !after.is_some_and(is_word))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `line` has the path `/folder/`, from the root on and not below something else.
fn has_root_path(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(begin, _)| {
        let before = line[..begin].chars().next_back();
        !before.is_some_and(|c| is_word(c) || "./-~}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn leftovers_are_found_and_longer_words_are_not() {
        for leftover in LEFTOVERS {
            let text = format!("//! Doc.\n    {leftover}(\"later\")\n");
            let found = faults(&file("a/src/b.rs", &text));
            assert_eq!(found.len(), 1, "{leftover}");
            assert!(found[0].starts_with("a/src/b.rs:2: "), "{found:?}");
        }
        let longer = ["MASTO", "DON my", "to", "do"].concat();
        assert!(faults(&file("README.md", &longer)).is_empty());
        let part = format!("_{}_", LEFTOVERS[0]);
        assert!(faults(&file("README.md", &part)).is_empty());
        let said = format!("// {}: later\n", LEFTOVERS[0]);
        assert_eq!(faults(&file("a/src/b.rs", &said)).len(), 1);
        let example = format!("/// fn f() {{ {}() }}\n", LEFTOVERS[4]);
        assert!(faults(&file("a/src/b.rs", &example)).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_found_in_any_text() {
        for folder in MACHINE_FOLDERS {
            let text = format!("dir = \"/{folder}/me\"\n");
            assert_eq!(faults(&file("docs/a.md", &text)).len(), 1, "{folder}");
            let below = format!("see src/{folder}/me and ./{folder}/me\n");
            assert!(faults(&file("docs/a.md", &below)).is_empty(), "{folder}");
        }
    }
}
