//! Tables and lists in Markdown.

/// The side to which a column is set.
pub(crate) const LEFT: &str = "---";
pub(crate) const RIGHT: &str = "--:";

/// A table: its headings, each with the side that it is set to, and its rows.
pub(crate) fn table_of<Row: IntoIterator<Item = String>>(
    headings: &[(&str, &str)],
    rows: impl IntoIterator<Item = Row>,
) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headings.iter().map(|(name, _)| plain(name)).collect());
    text.push_str(&line(
        headings
            .iter()
            .map(|(_, side)| (*side).to_owned())
            .collect(),
    ));
    for row in rows {
        text.push_str(&line(row.into_iter().map(|cell| plain(&cell)).collect()));
    }
    text
}

/// One line each.
pub(crate) fn list(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("- {}\n", plain(line)));
    lines.collect()
}

/// One line that Markdown shows as it is, so that no reason of a failure ends a row or the part.
pub(crate) fn plain(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(without_folders).collect();
    let mut escaped = String::new();
    for c in words.join(" ").chars() {
        if "\\`*<>[]|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Paths that mean the same on every Linux.
const COMMON_FOLDERS: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// The page outlives the machine, and the folders of the machine mean nothing to its readers.
fn without_folders(word: &str) -> String {
    let begin = word.find('/').unwrap_or(word.len());
    let (before, path) = word.split_at(begin);
    let is_relative = before.ends_with(|c: char| c.is_alphanumeric() || c == '.');
    let is_common = COMMON_FOLDERS.iter().any(|folder| path.starts_with(folder));
    match path.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() && !is_relative && !is_common => {
            format!("{before}{name}")
        }
        Some(_) | None => word.to_owned(),
    }
}
