//! A page keeps everything but what lies between its markers, and what lies there is Markdown.

use std::fs;

use super::super::record::CellRecord;
use super::super::sample;
use super::*;

const BEGIN: &str = MARKERS.begin;
const END: &str = MARKERS.end;

/// Of a table row, where its cells are parted: a bar behind a backslash is text.
fn bars(row: &str) -> usize {
    row.matches('|').count() - row.matches("\\|").count()
}

/// Each run of table lines is a heading, a rule and rows of the same length.
fn check_tables(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let mut tables = lines
        .split(|line| !line.starts_with('|'))
        .collect::<Vec<_>>();
    tables.retain(|table| !table.is_empty());
    for table in &tables {
        let is_rule = |line: &str| line.chars().all(|c| "|-: ".contains(c));
        assert!(table.len() > 1 && is_rule(table[1]), "{table:#?}");
        for row in *table {
            assert_eq!(bars(row), bars(table[0]), "{row}");
            assert!(row.ends_with('|'), "{row}");
        }
    }
    tables.len()
}

fn with_cells(cells: Vec<CellRecord>) -> Record {
    let mut record = sample::record();
    record.groups = vec![sample::group("page-cache", cells)];
    record
}

fn rewritten(text: &str) -> String {
    let between = MARKERS.between(text).unwrap();
    replaced(text, between, "new\n")
}

#[test]
fn only_what_lies_between_the_markers_is_replaced() {
    let before = format!("# Title\r\n\r\n`{BEGIN}` in prose \t\n\n{BEGIN}\n");
    let after = format!("{END}\n\n  the rest, `{END}`\r\nwithout a last newline");
    for old in ["", "\n", "old\n| table |\n\n", "\r\n"] {
        let page = rewritten(&format!("{before}{old}{after}"));
        assert_eq!(page, format!("{before}\nnew\n\n{after}"), "{old:?}");
        assert_eq!(rewritten(&page), page, "the second time changes nothing");
    }
}

#[test]
fn markers_that_are_indented_or_end_the_file_are_markers() {
    let page = rewritten(&format!("  {BEGIN}\r\nold\n  {END}"));
    assert_eq!(page, format!("  {BEGIN}\r\n\nnew\n\n  {END}"));
}

#[test]
fn markers_that_are_missing_or_unclear_are_an_error_with_advice() {
    for (text, said) in [
        (String::new(), "add the lines"),
        (format!("{BEGIN}\n"), "add the lines"),
        (format!("{END}\n"), "add the lines"),
        (format!("text {BEGIN} {END}\n"), "add the lines"),
        (format!("{END}\n{BEGIN}\n"), "exchange them"),
        (format!("{BEGIN}\n{BEGIN}\n{END}\n"), "leave one"),
        (format!("{BEGIN}\n{END}\n{END}\n"), "leave one"),
    ] {
        let reason = MARKERS.between(&text).unwrap_err();
        assert!(
            reason.contains(said) && (reason.contains(BEGIN) || reason.contains(END)),
            "{text:?}: {reason}"
        );
    }
}

#[test]
fn a_file_is_rewritten_and_one_without_markers_is_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.md");
    let missing = check(&path).unwrap_err().to_string();
    assert!(
        missing.contains("page.md") && missing.contains(BEGIN),
        "{missing}"
    );

    fs::write(&path, "# Nothing to see\n").unwrap();
    let error = rewrite(&path, &sample::record()).unwrap_err();
    assert!(error.is::<UsageError>(), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# Nothing to see\n");

    fs::write(&path, format!("above\n{BEGIN}\n{END}\nbelow\n")).unwrap();
    check(&path).unwrap();
    rewrite(&path, &sample::record()).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.starts_with(&format!("above\n{BEGIN}\n\n- ")), "{page}");
    assert!(page.ends_with(&format!("\n\n{END}\nbelow\n")), "{page}");
    assert!(page.contains("| inline-uring |"), "{page}");
    rewrite(&path, &sample::record()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
}

#[test]
fn the_run_is_shown_with_its_facts_targets_and_tables() {
    let text = shown(&sample::record());
    assert_eq!(check_tables(&text), 2, "targets and one group: {text}");
    for part in [
        "- A processor, 2 cores",
        "- Linux 6.18.0 x86_64",
        "commit 0123456789ab, with changes, begun 2025-01-02T03:04:05Z",
        "256 MiB on /dev/vda, ext4",
        "- settings of a quick run, with the peers: 17 cells",
        "\n### 4 KiB random read, page-cache\n",
        "\n| depth | engine | IOPS | p50 µs | p99 µs | CPU µs/IO | calls/IO | of limit | spread |\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut cells = text
        .lines()
        .filter(|line| line.contains("| inline-uring |"));
    let row = cells.find(|line| line.starts_with("| 128 |")).unwrap();
    assert!(
        row.contains("| 30.0 | 90.0 |") && row.contains("| 0.96 |"),
        "{row}"
    );
    for target in ["P1", "P8", "P11"] {
        assert!(text.contains(&format!("\n| {target} | ")), "{target}");
    }
}

#[test]
fn cells_without_a_result_leave_the_table_whole() {
    let text = shown(&sample::record());
    assert!(
        text.contains("| 128 | glommio | failed | - | - | - | - | - | - |"),
        "{text}"
    );
    assert!(!text.contains("| monoio"), "{text}");
    assert!(
        text.contains("\n- glommio, depth 128: failed: hung"),
        "{text}"
    );
    assert!(
        text.contains("not supported: no \\<append\\> & sync"),
        "{text}"
    );

    let cannot = Problem::Unsupported("no ring".to_owned());
    let none = with_cells(vec![sample::broken("raw-uring", 1, cannot)]);
    for record in [with_cells(Vec::new()), none] {
        let text = shown(&record);
        assert_eq!(check_tables(&text), 2, "{text}");
        assert!(!text.contains("NaN"), "{text}");
    }
}

#[test]
fn a_reason_ends_neither_its_line_nor_the_part() {
    let reason = format!("died | a\n{END}\n# b `c` *d*");
    let cells = vec![sample::broken("compio", 1, Problem::Failed(reason))];
    let mut record = with_cells(cells);
    record.notes = vec!["one\n\ntwo".to_owned()];
    let text = shown(&record);
    check_tables(&text);
    assert!(text.contains("- left out: one two\n"), "{text}");
    assert!(
        text.contains("died \\| a \\<!-- bench: end --\\> # b \\`c\\` \\*d\\*\n"),
        "{text}"
    );
    let empty = format!("{BEGIN}\n{END}\n");
    let page = replaced(&empty, MARKERS.between(&empty).unwrap(), &text);
    assert_eq!(
        MARKERS.between(&page),
        Ok(BEGIN.len() + 1..page.len() - END.len() - 1)
    );
}

#[test]
fn the_folders_of_the_machine_stay_there() {
    for (said, shown) in [
        ("at /a/b/src/x.rs:3:5: lost", "at x.rs:3:5: lost"),
        ("cannot open '/a/file'", "cannot open 'file'"),
        ("no /sys/class/x, /dev/vda", "no /sys/class/x, /dev/vda"),
        ("calls/IO, 1 / 2, ./a/b, a/", "calls/IO, 1 / 2, ./a/b, a/"),
    ] {
        assert_eq!(plain(said), shown);
    }
}

#[test]
fn every_column_that_is_shown_is_one_of_the_table() {
    let shown = COLUMNS
        .into_iter()
        .filter(|name| COLUMNS_SHOWN.contains(name));
    assert!(shown.eq(COLUMNS_SHOWN), "the same names in the same order");
}
