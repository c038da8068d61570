//! The states of something since it was saved, any of which may be what a crash leaves.

/// How many are kept, beside those that a sync is to save. Older ones are possible outcomes of a crash that
/// are not tried.
const VERSIONS_MAX: usize = 8;

/// In the order in which they came about.
#[derive(Clone, Debug)]
pub(super) struct Versions<T>(Vec<Version<T>>);

#[derive(Clone, Debug)]
struct Version<T> {
    since: u64,
    value: T,
    /// A sync that is under way may save it, so it is not forgotten.
    is_awaited: bool,
    /// A sync has failed to save it. Later ones do not try again.
    is_given_up: bool,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Versions<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn value(&self, index: usize) -> &T {
        &self.0[index].value
    }

    /// From the change `since` on it is `value`.
    pub(super) fn push(&mut self, since: u64, value: T) {
        let kept = self.0.iter().filter(|version| !version.is_awaited).count();
        if kept >= VERSIONS_MAX
            && let Some(oldest) = self.0.iter().position(|version| !version.is_awaited)
        {
            self.0.remove(oldest);
        }
        self.0.push(Version {
            since,
            value,
            is_awaited: false,
            is_given_up: false,
        });
    }

    /// A sync has been sent: it is to save the latest.
    pub(super) fn await_latest(&mut self) {
        if let Some(latest) = self.0.last_mut() {
            latest.is_awaited = true;
        }
    }

    /// Saves what there was at the change `until`. A version that was given up is saved with a later one,
    /// which holds it.
    pub(super) fn save(&mut self, safe: &mut T, until: u64) {
        let is_saved = |version: &Version<T>| version.since <= until && !version.is_given_up;
        if let Some(last) = self.0.iter().rposition(is_saved)
            && let Some(saved) = self.0.drain(..=last).next_back()
        {
            *safe = saved.value;
        }
    }

    /// Gives up what there was at the change `until`.
    pub(super) fn give_up(&mut self, until: u64) {
        let lost = self.0.iter_mut().filter(|version| version.since <= until);
        for version in lost {
            version.is_given_up = true;
            version.is_awaited = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_forgotten_but_for_those_that_a_sync_is_to_save() {
        let mut versions = Versions::default();
        versions.push(1, 'a');
        versions.push(2, 'b');
        versions.await_latest();
        for since in 3..40 {
            versions.push(since, 'c');
        }
        assert_eq!(versions.len(), VERSIONS_MAX + 1);
        let mut safe = '-';
        versions.save(&mut safe, 2);
        assert_eq!((safe, versions.len()), ('b', VERSIONS_MAX));
        versions.give_up(39);
        versions.save(&mut safe, 39);
        assert_eq!(safe, 'b');
        versions.push(40, 'd');
        versions.save(&mut safe, 40);
        assert!(safe == 'd' && versions.is_empty());
    }
}
