//! The page is whole and self-contained, whatever the run holds.

use super::super::record::{CellRecord, Record};
use super::super::sample;
use super::*;

/// Elements of HTML that have no end.
const VOID: [&str; 2] = ["meta", "!DOCTYPE"];

/// Every element is closed by the one that opened it, and nothing in the page is half a number.
fn check(page: &str) {
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if !VOID.contains(&name) => open.push(name),
            None => {}
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
    for nonsense in ["NaN", "inf ", "inf\"", "infinity", "-0.0\""] {
        assert!(!page.contains(nonsense), "{nonsense}");
    }
}

fn with_cells(cells: Vec<CellRecord>) -> Record {
    let mut record = sample::record();
    record.groups = vec![sample::group("page-cache", cells)];
    record
}

#[test]
fn a_run_becomes_a_page_with_plots_tables_and_targets() {
    let page = page(&sample::record());
    check(&page);
    for part in [
        "<svg",
        "IOPS over depth",
        "inline-uring, depth 32:",
        "at least 0.95",
        "✓ met",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let page = page(&sample::record());
    for outside in [
        "http:", "https:", "src=", "@import", "url(", "<script", "<link",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn what_others_said_is_text_and_no_markup() {
    let page = page(&sample::record());
    assert!(page.contains("no &lt;append&gt; &amp; sync"));
    assert!(page.contains("does not build: &lt;x&gt;"));
}

#[test]
fn peers_have_plots_of_their_own_with_ours_beside_them() {
    let page = page(&sample::record());
    let (_, peers) = page.split_once("other crates on io_uring").unwrap();
    let (plot, _) = peers.split_once("</figure>").unwrap();
    for engine in ["compio, depth", "inline-uring, depth", "raw-uring, depth"] {
        assert!(plot.contains(engine), "{engine}");
    }
    assert!(!plot.contains("channel-uring"));
}

#[test]
fn a_single_depth_is_drawn_as_bars() {
    let cells = vec![
        sample::cell("raw-uring", 8, 1000),
        sample::cell("loop-uring", 8, 900),
    ];
    let page = page(&with_cells(cells));
    check(&page);
    assert!(page.contains("<rect class=\"bar\"") && !page.contains("IOPS over depth"));
}

#[test]
fn odd_runs_are_drawn_too() {
    let mut silent = sample::cell("loop-uring", 1, 10);
    for round in &mut silent.rounds {
        (round.cpu_user_us, round.cpu_system_us) = (0.0, 0.0);
        (round.p50_ns, round.p99_ns, round.p999_ns, round.bytes) = (0, 0, 0, 0);
    }
    let failed = Problem::Failed("\"hung\"".to_owned());
    let odd = [
        Vec::new(),
        vec![sample::cell("raw-pread", 1, 7)],
        vec![sample::broken("compio", 1, failed)],
        vec![silent.clone(), sample::cell("loop-uring", 32, 1_000_000)],
        vec![
            sample::cell("raw-pread", 1, 5),
            sample::cell("compio", 4096, 90),
        ],
        vec![silent],
    ];
    for cells in odd {
        check(&page(&with_cells(cells)));
    }
    let mut empty = sample::record();
    (empty.commit, empty.idle) = (None, None);
    empty.groups.clear();
    empty.grounds.clear();
    check(&page(&empty));
}
