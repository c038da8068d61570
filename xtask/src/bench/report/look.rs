//! What an engine looks like in every plot: colour, line and mark go with the engine.

use super::super::engine_name::Kind;

/// How an engine is drawn. The colours are classes of the style sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colour: String,
    pub(crate) dash: Option<&'static str>,
    pub(crate) mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// The marks in the order in which peers take them.
const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond];
/// How many colours the style sheet has for peers.
const PEER_COLOURS: usize = 7;

const DASHED: Option<&str> = Some("6 4");
const DOTTED: Option<&str> = Some("2 3");
const DASH_DOT: Option<&str> = Some("9 3 2 3");

/// `peers` are the names of all peers in the run, so that each has a look of its own.
pub(crate) fn of(engine: &str, contexts: usize, peers: &[&str]) -> Look {
    match Kind::of(engine) {
        Kind::Limit => limit(engine),
        Kind::Fio => Look {
            colour: "fio".to_owned(),
            dash: if engine == "fio-libaio" { DASHED } else { None },
            mark: match engine {
                "fio-uring-1m" => Mark::Square,
                _ => Mark::Diamond,
            },
        },
        Kind::Own => own(engine, contexts),
        Kind::Peer => peer(engine, peers),
    }
}

/// Those that share a plot are told apart by colour.
fn peer(engine: &str, peers: &[&str]) -> Look {
    let home = Facet::of(engine);
    let mut neighbours = peers.iter().filter(|peer| Facet::of(peer) == home);
    let number = neighbours.position(|peer| *peer == engine).unwrap_or(0);
    Look {
        colour: format!("peer{}", number % PEER_COLOURS),
        // A second time round, the same colours are dashed.
        dash: if number < PEER_COLOURS { None } else { DASHED },
        mark: MARKS[number % MARKS.len()],
    }
}

fn limit(engine: &str) -> Look {
    let (colour, dash, mark) = match engine {
        "raw-uring-batch" => ("batch", DASHED, Mark::Circle),
        "raw-uring-1m" => ("batch", None, Mark::Diamond),
        "raw-aio" => ("raw", DOTTED, Mark::Square),
        "raw-pread" => ("raw", DOTTED, Mark::Triangle),
        "raw-pread-pool" => ("batch", DOTTED, Mark::Triangle),
        _ => ("raw", DASHED, Mark::Circle),
    };
    Look {
        colour: colour.to_owned(),
        dash,
        mark,
    }
}

/// The path is the colour, the driver the line. Where there are several contexts, there is one
/// driver, and the line says how many.
fn own(engine: &str, contexts: usize) -> Look {
    let (path, driver) = engine.split_once('-').unwrap_or((engine, ""));
    let merged = driver.strip_prefix("merge-");
    let driver = merged.unwrap_or(driver);
    let (colour, mark) = match path {
        "loop" => ("loop", Mark::Circle),
        "inline" => ("inline", Mark::Square),
        "channel" => ("channel", Mark::Triangle),
        _ => ("plain", Mark::Diamond),
    };
    let mark = if merged.is_some() {
        Mark::Diamond
    } else {
        mark
    };
    let dash = match (driver, contexts) {
        ("aio", _) | ("uring", 2) => DASHED,
        ("threads", _) => DOTTED,
        ("auto", _) | ("uring", 3..) => DASH_DOT,
        _ => None,
    };
    Look {
        colour: colour.to_owned(),
        dash,
        mark,
    }
}

/// Which engines share a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facet {
    /// The limits, fio and ours, on one kernel interface.
    Uring,
    Aio,
    Threads,
    /// The peers: runtimes on a ring, what was on crates.io before, pools of threads.
    Runtimes,
    Before,
    Pools,
}

impl Facet {
    pub(crate) const OURS: [Self; 3] = [Self::Uring, Self::Aio, Self::Threads];
    pub(crate) const PEERS: [Self; 3] = [Self::Runtimes, Self::Before, Self::Pools];

    pub(crate) fn of(engine: &str) -> Self {
        match Kind::of(engine) {
            Kind::Limit | Kind::Own | Kind::Fio if engine.contains("uring") => Self::Uring,
            Kind::Limit | Kind::Own | Kind::Fio if engine.contains("aio") => Self::Aio,
            Kind::Limit | Kind::Own | Kind::Fio => Self::Threads,
            Kind::Peer if engine.starts_with("io-engine-") => Self::Before,
            Kind::Peer if engine.starts_with("pread-") || engine.starts_with("spawn-") => {
                Self::Pools
            }
            Kind::Peer => Self::Runtimes,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Uring => "on io_uring",
            Self::Aio => "on Linux AIO",
            Self::Threads => "threads, and the automatic choice",
            Self::Runtimes => "other crates on io_uring",
            Self::Before => "the crate io-engine 0.12",
            Self::Pools => "pools of threads",
        }
    }
}

/// What is drawn among the peers as well, to compare them with.
pub(crate) const BESIDE_PEERS: [&str; 2] = ["raw-uring", "inline-uring"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_drawn_among_its_kind() {
        assert_eq!(Facet::of("fio-libaio"), Facet::Aio);
        assert_eq!(Facet::of("loop-auto"), Facet::Threads);
        assert_eq!(Facet::of("io-engine-0.12-uring"), Facet::Before);
        assert_eq!(Facet::of("pread-pool"), Facet::Pools);
        assert_eq!(Facet::of("tokio-uring"), Facet::Runtimes);
    }

    #[test]
    fn no_two_peers_look_the_same() {
        let names: Vec<String> = (0..14).map(|number| format!("peer {number}")).collect();
        let peers: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut looks: Vec<Look> = peers.iter().map(|peer| of(peer, 1, &peers)).collect();
        while let Some(look) = looks.pop() {
            assert!(!looks.contains(&look), "{look:?}");
        }
    }

    #[test]
    fn no_two_of_our_engines_and_limits_look_the_same() {
        let mut looks: Vec<Look> = crate::bench::groups::all()
            .flat_map(|group| group.engines.into_iter().flatten())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|engine| of(engine, 1, &[]))
            .collect();
        while let Some(look) = looks.pop() {
            assert!(!looks.contains(&look), "{look:?}");
        }
    }

    #[test]
    fn a_path_keeps_its_colour_on_every_driver() {
        let colour = |engine| of(engine, 1, &[]).colour;
        assert_eq!(colour("inline-uring"), colour("inline-aio"));
        assert_ne!(colour("inline-uring"), colour("loop-uring"));
        assert_ne!(of("channel-uring", 1, &[]), of("channel-uring", 4, &[]));
    }
}
