//! The plan as text: what would run, and for how long.

use std::time::Duration;

use super::plan::{Plan, PlannedGroup};

pub(crate) fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for planned in &plan.groups {
        let time: Duration = planned.cells.iter().map(|cell| plan.round_time(cell)).sum();
        let group = &planned.group;
        text.push_str(&format!(
            "{}: {} ({} cells, {} a round)\n",
            group.name,
            group.title,
            planned.cells.len(),
            minutes(time)
        ));
        for block in planned.by_depth() {
            let depth = planned.cells[block[0]].depth;
            let engines: Vec<String> = block.iter().map(|at| label(planned, *at)).collect();
            text.push_str(&format!("  depth {depth}: {}\n", engines.join(", ")));
        }
    }
    text.push_str(&format!(
        "{} cells, {} rounds of {} ms each and one short round that counts system calls: {} in all, \
         without building and without filling the files",
        plan.cell_count(),
        plan.rounds,
        plan.measure.as_millis(),
        minutes(plan.total_time())
    ));
    text
}

fn label(planned: &PlannedGroup, at: usize) -> String {
    let cell = &planned.cells[at];
    match cell.contexts {
        1 => cell.engine.clone(),
        contexts => format!("{} x{contexts}", cell.engine),
    }
}

/// As in `4 min 05 s`.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds:02} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(minutes(Duration::from_secs(59)), "59 s");
        assert_eq!(minutes(Duration::from_secs(245)), "4 min 05 s");
    }
}
