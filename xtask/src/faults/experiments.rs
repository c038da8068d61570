//! The experiments: each brings faults of one kind about and looks at what becomes of the engine.

mod at_the_limit;
mod broken_devices;
mod crashes;
mod failing_files;
mod full_disks;
mod interrupted_calls;
mod invasions;
mod pressure;
mod random_work;
mod sandboxes;
mod slow_answers;

use super::finding::Finding;
use super::ground::Ground;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Experiment {
    pub(crate) name: &'static str,
    /// Whether it mounts something, adds a device or becomes another user.
    pub(crate) needs_root: bool,
    /// Which of [`CASES`](super::cases::CASES) it shows.
    pub(crate) cases: &'static [u8],
    pub(crate) mechanism: &'static str,
    pub(crate) run: fn(&Ground, &mut Finding) -> anyhow::Result<()>,
}

/// Every experiment, in the order in which they are made.
pub(crate) fn all() -> Vec<Experiment> {
    [
        sandboxes::EXPERIMENTS,
        at_the_limit::EXPERIMENTS,
        full_disks::EXPERIMENTS,
        broken_devices::EXPERIMENTS,
        failing_files::EXPERIMENTS,
        random_work::EXPERIMENTS,
        slow_answers::EXPERIMENTS,
        interrupted_calls::EXPERIMENTS,
        invasions::EXPERIMENTS,
        pressure::EXPERIMENTS,
        crashes::EXPERIMENTS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_experiments_have_the_same_name() {
        let names: BTreeSet<&str> = all().iter().map(|experiment| experiment.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
