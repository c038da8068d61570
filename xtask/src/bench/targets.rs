//! What the engine must reach, computed from a run.

mod ratios;
mod scaling;

use super::record::Record;
use super::statistics::ratio;
use super::units::short;

use ratios::RATIOS;

/// One target, with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) id: &'static str,
    pub(crate) what: String,
    /// What must be reached, as in `at least 0.95`.
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Met,
    Missed,
    /// The cells that it takes are not in this run.
    NotMeasured,
    /// Something else than the benchmark watches over it.
    Elsewhere,
}

impl State {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NotMeasured => "not measured",
            Self::Elsewhere => "held by a test",
        }
    }

    fn of(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::Missed }
    }
}

/// What a number may be.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}"),
            Self::AtMost(bound) => format!("at most {bound}"),
        }
    }

    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl Verdict {
    fn not_measured(id: &'static str, what: String, target: String, missing: &str) -> Self {
        Self {
            id,
            what,
            target,
            measured: missing.to_owned(),
            state: State::NotMeasured,
        }
    }

    /// As one line of text.
    pub(crate) fn line(&self) -> String {
        let Self {
            id,
            what,
            target,
            measured,
            state,
        } = self;
        format!("{id} {what}: {measured} ({target}) {}", state.text())
    }
}

/// Every target, in the order of its number.
pub(crate) fn verdicts(record: &Record) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = RATIOS.iter().map(|check| check.verdict(record)).collect();
    verdicts.push(nop_cost(record));
    verdicts.push(Verdict {
        id: "P8",
        what: "allocations per I/O after warm-up".to_owned(),
        target: "0".to_owned(),
        measured: "counted by the allocation tests".to_owned(),
        state: State::Elsewhere,
    });
    verdicts.push(idle(record));
    verdicts.push(calls(record));
    verdicts.extend(scaling::verdicts(record));
    // Stable, so that the parts of a target keep their order.
    verdicts.sort_by_key(|verdict| {
        let (kind, number) = verdict.id.split_at(1);
        // Those of speed first, then those of merging.
        (kind != "P", number.parse().unwrap_or(u32::MAX))
    });
    verdicts
}

/// One line for each, and one for all that this run says nothing about.
pub(crate) fn text(verdicts: &[Verdict]) -> String {
    let is_silent = |verdict: &&Verdict| verdict.state == State::NotMeasured;
    let told = verdicts.iter().filter(|verdict| !is_silent(verdict));
    let mut lines: Vec<String> = told.map(Verdict::line).collect();
    let mut silent: Vec<&str> = verdicts
        .iter()
        .filter(is_silent)
        .map(|verdict| verdict.id)
        .collect();
    silent.dedup();
    if !silent.is_empty() {
        lines.push(format!(
            "not measured in this run, or not all of it: {}",
            silent.join(", ")
        ));
    }
    lines.join("\n")
}

const NOP_DEPTH: usize = 128;
const NOP_COST_NS: f64 = 80.0;

/// Both loops keep one thread busy, so that time per I/O is what the thread spends on it.
fn nop_cost(record: &Record) -> Verdict {
    let (what, target) = (
        format!("NOP, depth {NOP_DEPTH}: inline-uring above raw-uring"),
        format!("at most {NOP_COST_NS} ns per I/O"),
    );
    let ns = |engine: &str| {
        let summary = record.group("nop")?.cell(engine, NOP_DEPTH)?.summary?;
        ratio(1e9, summary.iops.median)
    };
    match (ns("inline-uring"), ns("raw-uring")) {
        (Some(own), Some(raw)) => Verdict {
            id: "P7",
            what,
            target,
            measured: format!("{:.0} ns ({own:.0} and {raw:.0})", own - raw),
            state: State::of(own - raw <= NOP_COST_NS),
        },
        _ => Verdict::not_measured("P7", what, target, "no such cells"),
    }
}

const IDLE_CPU_US: f64 = 1000.0;

fn idle(record: &Record) -> Verdict {
    let (what, target) = (
        "CPU time of an idle context",
        "under 1 ms in 10 s".to_owned(),
    );
    match record.idle {
        Some(idle) => {
            // A shorter look is held to the same rate.
            let allowed = IDLE_CPU_US * (idle.seconds / 10.0).min(1.0);
            Verdict {
                id: "P9",
                what: what.to_owned(),
                target,
                measured: format!("{:.3} ms in {:.0} s", idle.cpu_us / 1000.0, idle.seconds),
                state: State::of(idle.cpu_us < allowed),
            }
        }
        None => Verdict::not_measured("P9", what.to_owned(), target, "not looked at"),
    }
}

const CALLS_DEPTH: usize = 128;
const CALLS_PER_IO: f64 = 0.1;

/// The worst of the paths through a context.
fn calls(record: &Record) -> Verdict {
    let what = format!("system calls per I/O, depth {CALLS_DEPTH}");
    let target = format!("at most {CALLS_PER_IO}");
    let mut worst: Option<(f64, String)> = None;
    for group in ["page-cache", "direct"] {
        for engine in ["inline-uring", "channel-uring"] {
            let cell = record
                .group(group)
                .and_then(|group| group.cell(engine, CALLS_DEPTH));
            let calls = cell.and_then(|cell| cell.summary?.calls_per_io);
            if let Some(calls) = calls
                && worst.as_ref().is_none_or(|(most, _)| calls > *most)
            {
                worst = Some((calls, format!("{engine}, {group}")));
            }
        }
    }
    match worst {
        Some((calls, place)) => Verdict {
            id: "P9",
            what,
            target,
            measured: format!("{} ({place})", short(calls)),
            state: State::of(calls <= CALLS_PER_IO),
        },
        None => Verdict::not_measured("P9", what, target, "system calls were not counted"),
    }
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
