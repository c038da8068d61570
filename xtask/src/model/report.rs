//! What the drivers came to, as a table and as JSON.

use std::path::PathBuf;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::carrier::Carrier;
use super::ledger::Ledger;
use crate::bench::units;

/// One driver.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) driver: Carrier,
    pub(crate) seed: u64,
    /// Operations that were planned.
    pub(crate) ops: u64,
    pub(crate) rounds: u64,
    #[serde(flatten)]
    pub(crate) ledger: Ledger,
    /// Faults of the simulated disk that have struck.
    pub(crate) injected: u64,
    /// Buffers that lay on guarded pages.
    pub(crate) guarded_buffers: u64,
    pub(crate) seconds: f64,
    /// Whether nothing moved any more.
    pub(crate) stalled: bool,
    /// The round that failed, made as small as could be.
    pub(crate) replay: Option<PathBuf>,
    /// Why the driver does not start here.
    pub(crate) unavailable: Option<String>,
}

impl Report {
    pub(crate) fn new(driver: Carrier, seed: u64, expects_errors: bool) -> Self {
        Self {
            driver,
            seed,
            ops: 0,
            rounds: 0,
            ledger: Ledger::expecting_errors(expects_errors),
            injected: 0,
            guarded_buffers: 0,
            seconds: 0.0,
            stalled: false,
            replay: None,
            unavailable: None,
        }
    }

    pub(crate) fn took(&mut self, elapsed: Duration) {
        self.seconds = elapsed.as_secs_f64();
    }

    pub(crate) fn is_good(&self) -> bool {
        self.ledger.is_good() && !self.stalled
    }

    fn requests_per_second(&self) -> f64 {
        as_float(self.ledger.requests) / self.seconds.max(f64::MIN_POSITIVE)
    }

    fn cells(&self) -> [String; 12] {
        let ledger = &self.ledger;
        [
            self.driver.to_string(),
            self.rounds.to_string(),
            ledger.requests.to_string(),
            ledger.merged.to_string(),
            format!("{:.0}", as_float(ledger.verified_bytes) / 1e6),
            ledger.shutdowns_with_work.to_string(),
            ledger.error_count().to_string(),
            ledger.lost.to_string(),
            ledger.duplicated.to_string(),
            ledger.wrong.to_string(),
            format!("{:.1}", self.seconds),
            units::short(self.requests_per_second()),
        ]
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; exact up to 2^53"
)]
fn as_float(count: u64) -> f64 {
    count as f64
}

/// A line for programs.
pub(crate) fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string(report)?)
}

/// A row for each driver, and below it what does not fit into one.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "driver",
        "engines",
        "requests",
        "merged",
        "MB verified",
        "ended at work",
        "errors",
        "lost",
        "duplicated",
        "wrong",
        "seconds",
        "requests/s",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut notes = String::new();
    for report in reports {
        let driver = report.driver;
        if let Some(reason) = &report.unavailable {
            table.add_row([driver.to_string(), "not available".to_owned()]);
            notes.push_str(&format!("\n{driver} is not available: {reason}"));
            continue;
        }
        table.add_row(report.cells());
        let ledger = &report.ledger;
        if !ledger.errors.is_empty() || ledger.short + ledger.early_ends > 0 {
            let names = ledger.errors.iter();
            let mut named: Vec<String> = names
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            named.push(format!("short transfers {}", ledger.short));
            named.push(format!("ends before the end {}", ledger.early_ends));
            notes.push_str(&format!("\n{driver}: {}", named.join(", ")));
        }
        if report.injected > 0 {
            let injected = report.injected;
            notes.push_str(&format!("\n{driver}: {injected} faults injected"));
        }
    }
    let requests: u64 = reports.iter().map(|report| report.ledger.requests).sum();
    let buffers: u64 = reports.iter().map(|report| report.guarded_buffers).sum();
    format!(
        "{table}\n{requests} requests verified byte for byte, {buffers} buffers on guarded pages.{notes}"
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn report() -> Report {
        let mut report = Report::new(Carrier::Aio, 7, true);
        report.ledger.requests = 1000;
        report.ledger.callbacks = 1000;
        let error = io::Error::from_raw_os_error(5);
        report.ledger.has_failed(&error, String::new);
        report.took(Duration::from_millis(500));
        report
    }

    #[test]
    fn the_line_for_programs_has_what_they_count_on() {
        let line = json(&report()).unwrap();
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["driver"], "aio");
        assert_eq!(value["errors"]["EIO"], 1);
        for (name, number) in [("seed", 7), ("requests", 1000), ("callbacks", 1000)] {
            assert_eq!(value[name], number, "{name}");
        }
        for name in [
            "ops",
            "lost",
            "duplicated",
            "wrong",
            "short",
            "verified_bytes",
        ] {
            assert_eq!(value[name], 0, "{name}");
        }
        assert_eq!(value["shutdowns_with_work"], 0);
        assert_eq!(value["seconds"], 0.5);
    }

    #[test]
    fn the_table_says_how_fast_it_was_and_which_errors_came() {
        let said = table(&[report()]);
        assert!(
            said.contains("2000") && said.contains("aio: EIO 1"),
            "{said}"
        );
        let mut missing = report();
        missing.unavailable = Some("forbidden".to_owned());
        assert!(table(&[missing]).contains("aio is not available: forbidden"));
    }
}
