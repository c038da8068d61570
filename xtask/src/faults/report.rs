//! The one table in the end, and the same as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::beside::Compared;
use super::cases;
use super::experiments::Experiment;
use super::finding::Finding;

/// How an experiment ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Ran(Finding),
    /// It cannot be made here.
    Skipped(String),
}

/// One experiment in the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) cases: &'static [u8],
    pub(crate) mechanism: &'static str,
    pub(crate) seconds: f64,
    pub(crate) ended: Ended,
}

impl Row {
    pub(crate) fn has_failed(&self) -> bool {
        matches!(&self.ended, Ended::Ran(finding) if !finding.complaints.is_empty())
    }

    fn verdict(&self) -> &'static str {
        match &self.ended {
            Ended::Skipped(_) => "skipped",
            Ended::Ran(_) if self.has_failed() => "FAILED",
            Ended::Ran(_) => "survived",
        }
    }

    /// As it is said while others still run.
    pub(crate) fn line(&self) -> String {
        let (verdict, name, seconds) = (self.verdict(), self.name, self.seconds);
        let mut line = format!("{verdict:8}  {name:20} {seconds:6.1} s");
        match &self.ended {
            Ended::Ran(finding) => {
                let (runs, injected) = (finding.runs, finding.injected);
                line.push_str(&format!("  {runs} runs, {injected} faults"));
            }
            Ended::Skipped(reason) => line.push_str(&format!("  {reason}")),
        }
        line
    }
}

fn numbers(cases: &[u8]) -> String {
    let numbers: Vec<String> = cases.iter().map(u8::to_string).collect();
    numbers.join(" ")
}

/// The table, what failed and what was skipped with their reasons, and the sums.
pub(crate) fn text(rows: &[Row], elapsed: Duration) -> String {
    let mut text = table(rows).to_string();
    text.push('\n');
    for row in rows {
        match &row.ended {
            Ended::Skipped(reason) => text.push_str(&format!("skipped: {}: {reason}\n", row.name)),
            Ended::Ran(finding) => {
                for complaint in &finding.complaints {
                    text.push_str(&format!("FAILED: {}: {complaint}\n", row.name));
                }
            }
        }
    }
    for (what, names) in left_out(rows) {
        text.push_str(&format!("left out in {}: {what}\n", names.join(", ")));
    }
    let sums = Sums::of(rows);
    let of_verdict = |verdict| rows.iter().filter(|row| row.verdict() == verdict).count();
    let (survived, failed) = (of_verdict("survived"), of_verdict("FAILED"));
    text.push_str(&format!(
        "{survived} survived, {failed} failed, {} skipped in {:.0} s: {} requests, {} faults, \
         {} MiB verified\n",
        of_verdict("skipped"),
        elapsed.as_secs_f64(),
        sums.requests,
        sums.injected,
        sums.verified_bytes >> 20,
    ));
    text.push_str(&cases::summary());
    text
}

/// What was not tried, each with the experiments that it was not tried in.
fn left_out(rows: &[Row]) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        if let Ended::Ran(finding) = &row.ended {
            for what in &finding.left_out {
                all.entry(what).or_default().push(row.name);
            }
        }
    }
    all
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "case",
        "experiment",
        "mechanism",
        "runs",
        "requests",
        "injected",
        "errors",
        "seconds",
        "result",
    ]);
    for row in rows {
        let mut cells = vec![
            numbers(row.cases),
            row.name.to_owned(),
            row.mechanism.to_owned(),
        ];
        match &row.ended {
            Ended::Ran(finding) => cells.extend(
                [
                    finding.runs,
                    finding.requests,
                    finding.injected,
                    finding.failed,
                ]
                .map(|count| count.to_string()),
            ),
            Ended::Skipped(_) => cells.extend(std::iter::repeat_n("-".to_owned(), 4)),
        }
        cells.extend([format!("{:.1}", row.seconds), row.verdict().to_owned()]);
        table.add_row(cells);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if (3..8).contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What there is to choose from.
pub(crate) fn list(experiments: &[Experiment]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["case", "experiment", "mechanism"]);
    for experiment in experiments {
        table.add_row([
            numbers(experiment.cases),
            experiment.name.to_owned(),
            experiment.mechanism.to_owned(),
        ]);
    }
    table
}

#[derive(Default)]
struct Sums {
    requests: u64,
    injected: u64,
    verified_bytes: u64,
}

impl Sums {
    fn of(rows: &[Row]) -> Self {
        let mut sums = Self::default();
        for row in rows {
            if let Ended::Ran(finding) = &row.ended {
                sums.requests += finding.requests;
                sums.injected += finding.injected;
                sums.verified_bytes += finding.verified_bytes;
            }
        }
        sums
    }
}

/// Everything, for programs.
pub(crate) fn json(
    rows: &[Row],
    beside: &[Compared],
    left_behind: &[String],
    seed: u64,
) -> anyhow::Result<String> {
    let sums = Sums::of(rows);
    let automated = cases::automated_count();
    let whole = json!({
        "version": 1,
        "seed": seed,
        "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
        "requests": sums.requests,
        "injected": sums.injected,
        "verified_bytes": sums.verified_bytes,
        "failed": rows.iter().filter(|row| row.has_failed()).count(),
        "beside": beside,
        "left_behind": left_behind,
        "cases": { "all": cases::CASES.len(), "automated": automated },
    });
    Ok(serde_json::to_string_pretty(&whole)?)
}

fn row_json(row: &Row) -> Value {
    let mut value = json!({
        "experiment": row.name,
        "cases": row.cases,
        "mechanism": row.mechanism,
        "seconds": row.seconds,
        "result": row.verdict(),
    });
    match &row.ended {
        Ended::Skipped(reason) => value["reason"] = json!(reason),
        Ended::Ran(finding) => {
            value["runs"] = json!(finding.runs);
            value["requests"] = json!(finding.requests);
            value["injected"] = json!(finding.injected);
            value["errors"] = json!(finding.failed);
            value["verified_bytes"] = json!(finding.verified_bytes);
            value["left_out"] = json!(finding.left_out);
            value["complaints"] = json!(finding.complaints);
            value["remarks"] = json!(finding.remarks);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ended: Ended) -> Row {
        Row {
            name: "example",
            cases: &[38, 47],
            mechanism: "a mechanism",
            seconds: 1.25,
            ended,
        }
    }

    fn rows() -> Vec<Row> {
        let good = Finding {
            runs: 2,
            requests: 100,
            injected: 7,
            ..Finding::default()
        };
        let bad = Finding {
            complaints: vec!["1 lost".to_owned()],
            left_out: vec!["a driver".to_owned()],
            ..good.clone()
        };
        vec![
            row(Ended::Ran(good)),
            row(Ended::Ran(bad)),
            row(Ended::Skipped("no such device".to_owned())),
        ]
    }

    #[test]
    fn the_table_is_aligned_and_every_reason_is_below_it() {
        let rows = rows();
        let lines: Vec<String> = table(&rows)
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect();
        let length = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == length));
        let text = text(&rows, Duration::from_secs(3));
        assert!(text.contains("FAILED: example: 1 lost"), "{text}");
        assert!(text.contains("skipped: example: no such device"), "{text}");
        assert!(text.contains("left out in example: a driver"), "{text}");
        assert!(text.contains("1 survived, 1 failed, 1 skipped in 3 s: 200 requests, 14 faults"));
    }

    #[test]
    fn the_json_says_the_same() {
        let rows = rows();
        let value: Value = serde_json::from_str(&json(&rows, &[], &[], 9).unwrap()).unwrap();
        assert_eq!(
            (value["injected"].as_u64(), value["failed"].as_u64()),
            (Some(14), Some(1))
        );
        assert_eq!(value["rows"][2]["reason"], "no such device");
        assert_eq!(value["rows"][1]["complaints"][0], "1 lost");
        assert_eq!(value["seed"], 9);
    }

    #[test]
    fn only_complaints_are_failures() {
        let failed: Vec<bool> = rows().iter().map(Row::has_failed).collect();
        assert_eq!(failed, [false, true, false]);
    }
}
