//! What a case needs to know: how backends are made, and where files lie.

use std::fmt;
use std::sync::Arc;

use super::medium::Medium;
use super::probe::{Log, Probe};
use super::pump::Pump;
use super::scratch::Scratch;
use super::skipping::say_skipped;
use crate::backend::Backend;
use crate::buffer::Buffer;

/// Makes backends of a given depth, and files for them on one [`Medium`].
pub struct Bench<B> {
    driver: String,
    make: Arc<dyn Fn(usize) -> B + Send + Sync>,
    medium: Arc<Medium>,
    log: Arc<Log>,
}

impl<B: Backend<Probe>> Bench<B> {
    /// A bench for one case.
    #[must_use]
    pub fn new(
        driver: &str,
        make: impl Fn(usize) -> B + Send + Sync + 'static,
        medium: Arc<Medium>,
    ) -> Self {
        Self::sharing(driver, Arc::new(make), medium)
    }

    pub(super) fn sharing(
        driver: &str,
        make: Arc<dyn Fn(usize) -> B + Send + Sync>,
        medium: Arc<Medium>,
    ) -> Self {
        Self {
            driver: driver.to_owned(),
            make,
            medium,
            log: Arc::default(),
        }
    }

    /// A backend that owns at most `depth` requests at once.
    #[must_use]
    pub fn backend(&self, depth: usize) -> B {
        let backend = (self.make)(depth);
        assert_eq!(backend.capacity(), depth, "the depth is the capacity");
        assert_eq!(backend.in_flight(), 0, "nothing is in flight at first");
        backend
    }

    /// A backend, driven as the event loop drives it.
    pub(super) fn pump(&self, depth: usize) -> Pump<'_, B> {
        Pump::new(self.backend(depth), &self.log)
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The medium.
    #[must_use]
    pub fn medium(&self) -> &Medium {
        &self.medium
    }

    /// A file with this content.
    #[must_use]
    pub fn file(&self, content: &[u8]) -> Scratch {
        Scratch::new(&self.medium, content)
    }

    /// A buffer with this content, fit for the medium.
    #[must_use]
    pub fn buffer(&self, content: &[u8]) -> Buffer {
        let mut buffer = self.zeroed(content.len());
        buffer.copy_from_slice(content);
        buffer
    }

    /// A buffer of `len` zeroes, fit for the medium.
    #[must_use]
    pub fn zeroed(&self, len: usize) -> Buffer {
        if self.medium.is_direct() {
            Buffer::aligned(len).expect("memory for a small buffer")
        } else {
            Buffer::from(vec![0; len])
        }
    }

    /// The least length from `len` on that the medium can transfer.
    #[must_use]
    pub fn fit(&self, len: usize) -> usize {
        len.next_multiple_of(self.medium.unit())
    }

    /// Reports a part of a case that cannot be tested here.
    pub fn skip(&self, what: &str, reason: &dyn fmt::Display) {
        say_skipped(
            &format!("{} on {}: {what}", self.driver, self.medium),
            reason,
        );
    }
}

impl<B> fmt::Debug for Bench<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench")
            .field("driver", &self.driver)
            .field("medium", &self.medium)
            .finish_non_exhaustive()
    }
}
