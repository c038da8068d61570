//! What the drivers did, as a table and as JSON.

use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use io_engine::Driver;
use serde::Serialize;
use serde_json::json;

use super::job::Job;
use super::phase::{Kind, Phase};

/// One driver: its phases, or why it did not start.
#[derive(Debug, Serialize)]
pub(crate) struct DriverReport {
    driver: String,
    unavailable: Option<String>,
    pub(crate) phases: Vec<PhaseReport>,
}

/// One phase, in numbers.
#[derive(Debug, Serialize)]
pub(crate) struct PhaseReport {
    phase: &'static str,
    operations: u64,
    seconds: f64,
    megabytes_per_second: f64,
    operations_per_second: f64,
    latency_p50_microseconds: f64,
    latency_p99_microseconds: f64,
    cpu_microseconds_per_operation: f64,
    pub(crate) verified: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Vec<String>,
    /// Offsets whose callback was never called.
    missing: Vec<u64>,
}

/// More missing offsets than this are only counted.
const MISSING_SHOWN: usize = 32;

impl DriverReport {
    pub(crate) fn unavailable(driver: Driver, reason: String) -> Self {
        Self {
            driver: driver.to_string(),
            unavailable: Some(reason),
            phases: Vec::new(),
        }
    }

    pub(crate) fn started(driver: Driver) -> Self {
        Self {
            driver: driver.to_string(),
            unavailable: None,
            phases: Vec::new(),
        }
    }

    pub(crate) fn has_run(&self) -> bool {
        self.unavailable.is_none()
    }

    /// Whether a callback is missing.
    pub(crate) fn is_stuck(&self) -> bool {
        self.phases.iter().any(|phase| !phase.is_complete())
    }

    /// Everything that went wrong, one line each. A driver that is not there is no fault.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        let phases = self.phases.iter();
        phases.flat_map(|phase| phase.faults(&self.driver))
    }
}

impl PhaseReport {
    pub(crate) fn of(phase: &Phase, elapsed: Duration, cpu: Duration, missing: Vec<u64>) -> Self {
        let results = phase.results();
        let operations = phase.operations();
        let bytes = match phase.kind {
            Kind::Write | Kind::Read => phase.job.total_bytes,
            Kind::DataSync => 0,
        };
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let at = |quantile| microseconds(results.latencies.value_at_quantile(quantile));
        Self {
            phase: phase.kind.name(),
            operations,
            seconds,
            megabytes_per_second: as_float(bytes) / 1e6 / seconds,
            operations_per_second: as_float(operations) / seconds,
            latency_p50_microseconds: at(0.5),
            latency_p99_microseconds: at(0.99),
            cpu_microseconds_per_operation: cpu.as_secs_f64() * 1e6 / as_float(operations),
            verified: results.verified,
            failed: results.failed,
            failures: results.failures.clone(),
            missing,
        }
    }

    fn is_complete(&self) -> bool {
        self.verified + self.failed >= self.operations && self.missing.is_empty()
    }

    fn faults(&self, driver: &str) -> Vec<String> {
        let named = |fault: &String| format!("{driver}: {fault}");
        let mut faults: Vec<String> = self.failures.iter().map(named).collect();
        let untold = self.failed.saturating_sub(self.failures.len() as u64);
        if untold > 0 {
            faults.push(format!("{driver}: {}: {untold} more failed", self.phase));
        }
        if !self.is_complete() {
            let count = self.operations.saturating_sub(self.verified + self.failed);
            let shown = &self.missing[..self.missing.len().min(MISSING_SHOWN)];
            let offsets: Vec<String> = shown.iter().map(ToString::to_string).collect();
            faults.push(format!(
                "{driver}: {}: no callback for {count} of {} operations; {} in flight, at the offsets {}",
                self.phase,
                self.operations,
                self.missing.len(),
                offsets.join(", ")
            ));
        }
        faults
    }

    fn cells(&self, driver: &str) -> Vec<String> {
        let rate = |rate: f64| match self.phase {
            // One operation has no rate.
            "datasync" => "-".to_owned(),
            _ => format!("{rate:.0}"),
        };
        vec![
            driver.to_owned(),
            self.phase.to_owned(),
            self.operations.to_string(),
            rate(self.megabytes_per_second),
            rate(self.operations_per_second),
            format!("{:.1}", self.latency_p50_microseconds),
            format!("{:.1}", self.latency_p99_microseconds),
            format!("{:.2}", self.cpu_microseconds_per_operation),
            match self.phase {
                "random read" => format!("{} of {}", self.verified, self.operations),
                _ => "-".to_owned(),
            },
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

fn microseconds(nanoseconds: u64) -> f64 {
    as_float(nanoseconds) / 1000.0
}

/// A row for each phase of each driver, and below it why a driver is not there.
pub(crate) fn table(job: &Job, reports: &[DriverReport]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "driver",
        "phase",
        "operations",
        "MB/s",
        "IOPS",
        "p50 µs",
        "p99 µs",
        "CPU µs/IO",
        "verified blocks",
    ]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut reasons = String::new();
    for report in reports {
        if let Some(reason) = &report.unavailable {
            table.add_row([report.driver.as_str(), "not available"]);
            reasons.push_str(&format!("\n{} is not available: {reason}", report.driver));
        }
        for phase in &report.phases {
            table.add_row(phase.cells(&report.driver));
        }
    }
    let verified: u64 = reports
        .iter()
        .flat_map(|report| &report.phases)
        .filter(|phase| phase.phase == Kind::Read.name())
        .map(|phase| phase.verified)
        .sum();
    format!(
        "{table}\n{job}\nLatency from submission to callback. CPU time of all threads, checking every block included.\n{verified} blocks read back and verified.{reasons}"
    )
}

/// The same for programs.
pub(crate) fn json(job: &Job, reports: &[DriverReport]) -> serde_json::Result<String> {
    let is_good = !reports
        .iter()
        .any(|report| report.faults().next().is_some());
    serde_json::to_string_pretty(&json!({
        "total_bytes": job.total_bytes,
        "block_bytes": job.block_bytes,
        "depth": job.depth,
        "direct": job.is_direct,
        "ok": is_good,
        "drivers": reports,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> PhaseReport {
        PhaseReport {
            phase: "random read",
            operations: 10,
            seconds: 1.0,
            megabytes_per_second: 1.0,
            operations_per_second: 10.0,
            latency_p50_microseconds: 1.0,
            latency_p99_microseconds: 2.0,
            cpu_microseconds_per_operation: 3.0,
            verified: 10,
            failed: 0,
            failures: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn driver_with(phase: PhaseReport) -> DriverReport {
        let mut report = DriverReport::started(Driver::Threads);
        report.phases.push(phase);
        report
    }

    #[test]
    fn a_complete_phase_has_no_fault() {
        let report = driver_with(report());
        assert!(!report.is_stuck());
        assert_eq!(report.faults().count(), 0);
    }

    #[test]
    fn wrong_bytes_and_missing_callbacks_are_faults() {
        let wrong = driver_with(PhaseReport {
            verified: 7,
            failed: 3,
            failures: vec!["random read at 0: wrong".to_owned()],
            ..report()
        });
        assert!(!wrong.is_stuck());
        assert_eq!(wrong.faults().count(), 2);

        let missing = driver_with(PhaseReport {
            verified: 9,
            missing: vec![4096],
            ..report()
        });
        assert!(missing.is_stuck());
        let fault = missing.faults().next().unwrap();
        assert!(
            fault.contains("1 of 10") && fault.contains("4096"),
            "{fault}"
        );
    }

    #[test]
    fn a_driver_that_is_not_there_is_shown_with_its_reason_and_is_no_fault() {
        let report = DriverReport::unavailable(Driver::Uring, "seccomp forbids it".to_owned());
        assert_eq!(report.faults().count(), 0);
        assert!(!report.has_run());
        let job = Job {
            target: super::super::job::Target::Own { dir: ".".into() },
            total_bytes: 4096,
            block_bytes: 4096,
            depth: 1,
            is_direct: false,
            stall_limit: Duration::from_secs(1),
        };
        let shown = table(&job, &[report]);
        assert!(shown.contains("io_uring is not available: seccomp forbids it"));
    }
}
