//! The tables in the terminal: one for each group, and what they were measured on.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::record::{CellRecord, GroupRecord, Problem, Record};
use super::units::{binary_bytes, or_dash, percent, short};

/// The columns, with what each shows of a cell.
pub(crate) const COLUMNS: [&str; 12] = [
    "depth",
    "engine",
    "IOPS",
    "MB/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "CPU µs/IO",
    "calls/IO",
    "MiB",
    "of limit",
    "spread",
];

/// Everything, one table below the other.
pub(crate) fn all(record: &Record) -> String {
    let mut text = header(record).join("\n");
    text.push('\n');
    for group in &record.groups {
        text.push_str(&format!("\n{}\n{}\n", group.title, table(group)));
        for line in without_result(group) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// What it was measured on, one fact a line.
pub(crate) fn header(record: &Record) -> Vec<String> {
    let machine = &record.machine;
    let memory = machine.memory_kib / 1024;
    let settings = &record.settings;
    let commit = record.commit.as_ref().map(|commit| {
        let changed = if commit.dirty { ", with changes" } else { "" };
        format!("commit {}{changed}", commit.id)
    });
    let mut lines = vec![
        format!(
            "{}, {} cores, {memory} MiB of memory",
            machine.cpu, machine.cores
        ),
        format!("Linux {} {}", machine.kernel, machine.architecture),
        format!(
            "{}, begun {}, {} rounds of {} ms after {} ms of warm-up",
            commit.unwrap_or_else(|| "no commit".to_owned()),
            record.started,
            settings.rounds,
            settings.measure_ms,
            settings.warm_up_ms
        ),
    ];
    for (place, ground) in &record.grounds {
        let direct = if ground.direct { ", O_DIRECT" } else { "" };
        lines.push(format!(
            "{}: {} on {}, {}{direct}",
            place.name(),
            binary_bytes(ground.bytes),
            ground.device,
            ground.file_system
        ));
    }
    lines.extend(record.notes.iter().map(|note| format!("left out: {note}")));
    let broken = record.broken_peers.iter();
    lines.extend(broken.map(|(peer, reason)| format!("peer {peer}: {reason}")));
    if !settings.optimised {
        lines.push("built without optimisation: these numbers mean nothing".to_owned());
    }
    lines
}

fn table(group: &GroupRecord) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    // A row stays a row, however narrow the terminal is.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(COLUMNS);
    for (index, column) in table.column_iter_mut().enumerate() {
        if index != 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for cell in &group.cells {
        if !matches!(cell.problem, Some(Problem::Unsupported(_))) {
            table.add_row(row(cell));
        }
    }
    table
}

/// A cell as text, in the order of [`COLUMNS`].
pub(crate) fn row(cell: &CellRecord) -> Vec<String> {
    let mut row = vec![cell.depth.to_string(), cell.label()];
    let Some(summary) = &cell.summary else {
        row.push("failed".to_owned());
        row.resize(COLUMNS.len(), "-".to_owned());
        return row;
    };
    // A nop moves nothing.
    let moved = Some(summary.megabytes_per_second).filter(|moved| *moved > 0.0);
    row.extend([
        short(summary.iops.median),
        or_dash(moved.map(short)),
        short(summary.p50_us.median),
        short(summary.p99_us.median),
        short(summary.p999_us.median),
        short(summary.cpu_us_per_io.median),
        or_dash(summary.calls_per_io.map(short)),
        or_dash(summary.peak_mib.map(short)),
        or_dash(summary.of_limit.map(|part| format!("{part:.2}"))),
        percent(summary.iops.spread()),
    ]);
    row
}

/// Each engine that has no result, once for each reason, with its depths.
pub(crate) fn without_result(group: &GroupRecord) -> Vec<String> {
    let mut depths: BTreeMap<(String, &str, &str), Vec<String>> = BTreeMap::new();
    for cell in &group.cells {
        let (what, reason) = match &cell.problem {
            Some(Problem::Failed(reason)) => ("failed", reason),
            Some(Problem::Unsupported(reason)) => ("not supported", reason),
            None => continue,
        };
        let key = (cell.label(), what, reason.as_str());
        depths.entry(key).or_default().push(cell.depth.to_string());
    }
    let lines = depths.into_iter().map(|((engine, what, reason), depths)| {
        format!("{engine}, depth {}: {what}: {reason}", depths.join(", "))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_line_of_a_table_is_as_long_as_the_others() {
        let text = table(&sample::record().groups[0]).to_string();
        let lengths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{text}");
        assert!(
            text.contains("inline-uring") && text.contains("0.96"),
            "{text}"
        );
    }

    #[test]
    fn a_cell_that_failed_is_in_the_table_and_one_that_cannot_be_is_below_it() {
        let text = all(&sample::record());
        let row = text
            .lines()
            .find(|line| line.contains("│ ") && line.contains("glommio"));
        assert!(row.unwrap().contains("┆ failed"), "{text}");
        assert!(text.contains("  glommio, depth 128: failed: hung: killed after 10.5 s"));
        assert!(text.contains("  monoio, depth 128: not supported: no <append> & sync"));
    }

    #[test]
    fn the_header_says_what_was_measured_and_what_was_not() {
        let text = header(&sample::record()).join("\n");
        for part in [
            "6.18.0",
            "0123456789ab, with changes",
            "256 MiB on /dev/vda, ext4",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("left out: fio is not installed"));
        assert!(!text.contains("mean nothing"));
    }

    #[test]
    fn a_row_has_every_column() {
        let record = sample::record();
        assert!(
            record
                .cells()
                .all(|(_, cell)| row(cell).len() == COLUMNS.len())
        );
    }
}
