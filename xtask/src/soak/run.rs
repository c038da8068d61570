//! Running the parts, each in a process of its own with a deadline.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::bench::child::{self, Ended};
use crate::bench::interruption::{self, Interrupted};
use crate::bench::machine::{Commit, Machine};
use crate::bench::record::write_whole;
use crate::progress::bar_of_long_steps;

use super::counts::Counts;
use super::goals::Goal;
use super::options::Options;
use super::part::{Part, Turn};
use super::summary::{PartSummary, Summary, VERSION};

/// Runs every part once, and then those that have seeds again and again, for as long as is wished. An
/// interruption ends it with what there is.
pub(crate) fn all(options: &Options) -> anyhow::Result<Summary> {
    let parts = options.parts();
    let begun = Instant::now();
    let mut summary = Summary {
        version: VERSION,
        machine: Machine::this(),
        commit: Commit::current(),
        hours: options.hours.map(|hours| hours.as_secs_f64() / 3600.0),
        release: options.release,
        seed: options.seed,
        more_seeds: Vec::new(),
        seconds: 0.0,
        interrupted: false,
        counts: Counts::default(),
        parts: parts.iter().map(|part| PartSummary::of(part)).collect(),
    };
    let progress = bar_of_long_steps(
        parts.len() as u64,
        "{wide_bar} {pos}/{len}  {msg:14} {elapsed}",
    );
    while !summary.interrupted
        && let Some(index) = next(options, &parts, &summary, begun.elapsed())
    {
        let part = parts[index];
        progress.set_message(part.name);
        let share_before = share_of(part, &summary.goals());
        match one_turn(part, options, &mut summary.parts[index])? {
            Ok(counts) => summary.counts.add(&counts),
            Err(Interrupted) => summary.interrupted = true,
        }
        let share = share_of(part, &summary.goals());
        summary.parts[index].is_stuck = options.release && share <= share_before && share < 1.0;
        progress.suspend(|| eprintln!("{}", summary.parts[index].line()));
        progress.set_position(summary.parts.iter().filter(|part| part.has_ended()).count() as u64);
        summary.seconds = begun.elapsed().as_secs_f64();
        // What was seen is not lost with a machine that goes down.
        summary.write(&options.output)?;
    }
    progress.finish_and_clear();
    Ok(summary)
}

/// Which part has the next turn: first each one, then those with seeds. What has failed shows nothing
/// more, and what is stuck does not come nearer to the figures of a release.
fn next(options: &Options, parts: &[&Part], summary: &Summary, elapsed: Duration) -> Option<usize> {
    let states = || summary.parts.iter().enumerate();
    if let Some((first, _)) = states().find(|(_, one)| !one.has_ended()) {
        return Some(first);
    }
    let is_over = match options.hours {
        Some(hours) => elapsed >= hours,
        None => !options.release,
    };
    let goes_on = |(index, one): &(usize, &PartSummary)| {
        parts[*index].has_seed && one.failures.is_empty() && one.skipped.is_none() && !one.is_stuck
    };
    let left = states().filter(goes_on).map(|(index, _)| index);
    if is_over {
        None
    } else if options.release {
        let goals = summary.goals();
        let share = |index: usize| share_of(parts[index], &goals);
        left.filter(|index| share(*index) < 1.0)
            .min_by(|one, other| share(*one).total_cmp(&share(*other)))
    } else {
        left.min_by_key(|index| summary.parts[*index].runs)
    }
}

/// How far the figure of a part is that is furthest behind.
fn share_of(part: &Part, goals: &[Goal]) -> f64 {
    let is_its_own = |goal: &&Goal| {
        let figure = goal.figure;
        figure.is_some_and(|figure| part.figures.contains(&figure)) && goal.can_grow()
    };
    let shares = goals.iter().filter(is_its_own).map(Goal::share);
    shares.fold(1.0, f64::min)
}

fn one_turn(
    part: &Part,
    options: &Options,
    summary: &mut PartSummary,
) -> anyhow::Result<Result<Counts, Interrupted>> {
    if interruption::is_asked() {
        return Ok(Err(Interrupted));
    }
    if part.needs_root && !rustix::process::geteuid().is_root() {
        summary.skipped = Some("needs root".to_owned());
        return Ok(Ok(Counts::default()));
    }
    let turn = Turn {
        seed: options.seed.wrapping_add(summary.runs),
        is_long: options.release,
    };
    let begun = Instant::now();
    let ended = match child::run_and_keep(&mut (part.command)(turn), part.limit) {
        Ok(ended) => ended,
        Err(interrupted) => return Ok(Err(interrupted)),
    };
    summary.seconds += begun.elapsed().as_secs_f64();
    summary.runs += 1;
    let counted = match &ended.how {
        Ok(()) => (part.read)(&ended.stdout).map_err(|error| format!("{error:#}")),
        Err(failure) => Err(failure.text()),
    };
    Ok(Ok(match counted {
        Ok(counts) => counts,
        Err(reason) => {
            let kept = options
                .output
                .with_file_name(format!("{}-{}.txt", part.name, turn.seed));
            keep(&kept, &ended)?;
            let seed = turn.seed;
            summary.failures.push(format!(
                "seed {seed}: {reason} (all of it: {})",
                kept.display()
            ));
            Counts::default()
        }
    }))
}

/// Everything that a part has said that failed.
fn keep(path: &Path, ended: &Ended) -> anyhow::Result<()> {
    let Ended { stdout, stderr, .. } = ended;
    write_whole(path, &format!("{stdout}\n--- stderr ---\n{stderr}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::goals::Figure;
    use crate::soak::part::ALL;

    fn chosen(options: &Options, summary: &Summary) -> Option<&'static str> {
        let parts = options.parts();
        next(options, &parts, summary, Duration::from_secs(10)).map(|index| parts[index].name)
    }

    fn options() -> Options {
        Options {
            hours: None,
            release: false,
            only: Vec::new(),
            seed: 1,
            output: "summary.json".into(),
            show: Vec::new(),
            page: None,
            json: false,
        }
    }

    fn after_each_once() -> Summary {
        let mut summary = super::super::summary::tests::summary();
        summary.parts = ALL.iter().map(PartSummary::of).collect();
        summary.parts.iter_mut().for_each(|part| part.runs = 1);
        summary
    }

    #[test]
    fn each_part_has_a_turn_even_if_the_time_is_over() {
        let mut options = options();
        options.hours = Some(Duration::from_secs(1));
        let mut summary = after_each_once();
        assert_eq!(chosen(&options, &summary), None);
        summary.parts[3].runs = 0;
        assert_eq!(chosen(&options, &summary), Some(ALL[3].name));
        summary.parts[3].skipped = Some("needs root".to_owned());
        assert_eq!(chosen(&options, &summary), None);
    }

    #[test]
    fn with_time_left_those_with_seeds_take_turns() {
        let mut options = options();
        options.hours = Some(Duration::from_secs(3600));
        let mut summary = after_each_once();
        assert_eq!(chosen(&options, &summary), Some("model"));
        summary.parts[0].runs = 2;
        assert_eq!(chosen(&options, &summary), Some("model-direct"));
        summary.parts[1].failures.push("lost".to_owned());
        assert_eq!(chosen(&options, &summary), Some("model-faulty"));
    }

    #[test]
    fn a_release_works_at_what_is_furthest_behind_until_nothing_is() {
        let mut options = options();
        options.release = true;
        let mut summary = after_each_once();
        summary.release = true;
        let counts = &mut summary.counts;
        for driver in ["uring", "aio", "sim"] {
            counts.verified.insert(driver.to_owned(), 90_000_000);
        }
        (counts.injected_simulated, counts.injected_real) = (10_000_000, 100_000);
        (counts.fuzzed, counts.bad_inputs) = (100_000, 400_000);
        (counts.shutdowns_with_work, counts.real_shutdowns_with_work) = (1_000_000, 10_000);
        (counts.cases, counts.cases_automated) = (68, 68);
        counts.kills = 300;
        assert_eq!(chosen(&options, &summary), Some("bad-input"));
        summary.counts.bad_inputs = 1_000_000;
        assert_eq!(chosen(&options, &summary), Some("faults"));
        summary.parts[4].is_stuck = true;
        assert_eq!(chosen(&options, &summary), None, "without end");
        summary.parts[4].is_stuck = false;
        summary.counts.kills = 500;
        assert_eq!(chosen(&options, &summary), None);
        assert_eq!(share_of(&ALL[0], &[]), 1.0);
        assert!(ALL[0].figures.contains(&Figure::Requests));
    }
}
