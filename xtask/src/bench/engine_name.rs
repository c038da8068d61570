//! What the name of an engine says about it.

use serde::{Deserialize, Serialize};

/// Whose engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A hand-written loop over the bare kernel interface: what can be reached at all.
    Limit,
    /// This workspace's engine, on one of its paths.
    Own,
    /// fio with one of its engines.
    Fio,
    /// A crate from the workspace of the peers.
    Peer,
}

/// The way from the caller to our engine and back.
const PATHS: [&str; 4] = ["loop-", "inline-", "channel-", "plain-"];

impl Kind {
    pub(crate) fn of(engine: &str) -> Self {
        if engine.starts_with("raw-") {
            Self::Limit
        } else if engine.starts_with("fio-") {
            Self::Fio
        } else if PATHS.iter().any(|path| engine.starts_with(path)) {
            Self::Own
        } else {
            Self::Peer
        }
    }
}

/// Whether an engine makes sense at a depth. What does not is no cell.
pub(crate) fn fits_depth(engine: &str, depth: usize) -> bool {
    match engine {
        "raw-pread" => depth == 1,
        "raw-pread-pool" => depth >= 2,
        // Waiting for a quarter of so few is waiting for one.
        "raw-uring-batch" => depth >= 8,
        _ => true,
    }
}

/// Whether `pattern` means `engine`: the name itself, or how it begins, with a `*`.
pub(crate) fn matches(pattern: &str, engine: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => engine.starts_with(begin),
        None => engine == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_whose_it_is() {
        assert_eq!(Kind::of("raw-uring"), Kind::Limit);
        assert_eq!(Kind::of("fio-libaio"), Kind::Fio);
        assert_eq!(Kind::of("inline-auto"), Kind::Own);
        assert_eq!(Kind::of("io-engine-0.12-uring"), Kind::Peer);
        assert_eq!(Kind::of("compio"), Kind::Peer);
    }

    #[test]
    fn a_pattern_is_a_name_or_a_beginning() {
        assert!(matches("raw-*", "raw-aio"));
        assert!(!matches("raw-*", "loop-aio"));
        assert!(matches("loop-aio", "loop-aio"));
        assert!(!matches("loop", "loop-aio"));
    }

    #[test]
    fn some_engines_know_only_some_depths() {
        assert!(fits_depth("raw-pread", 1) && !fits_depth("raw-pread", 2));
        assert!(fits_depth("raw-pread-pool", 2) && !fits_depth("raw-pread-pool", 1));
        assert!(fits_depth("raw-uring-batch", 8) && !fits_depth("raw-uring-batch", 4));
        assert!(fits_depth("loop-uring", 4096));
    }
}
