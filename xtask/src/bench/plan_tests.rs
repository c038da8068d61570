//! What a plan holds, how long it takes and in which order it runs.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
}

fn options(line: &str) -> Options {
    let words = ["bench"].into_iter().chain(line.split_whitespace());
    CommandLine::parse_from(words).options
}

fn plan(line: &str) -> Plan {
    Plan::new(&options(line), &[]).unwrap()
}

fn peers() -> Vec<String> {
    (0..16).map(|number| format!("peer-{number}")).collect()
}

const LIMIT_OF_QUICK: Duration = Duration::from_secs(180);
/// For filling the files, for the device and for the report.
const BESIDE_THE_CELLS: Duration = Duration::from_secs(15);

#[test]
fn the_quick_run_ends_within_three_minutes_with_peers_and_fio() {
    let alone = plan("--quick");
    assert!(alone.total_time() + BESIDE_THE_CELLS < LIMIT_OF_QUICK);
    let with_peers = Plan::new(&options("--quick --peers"), &peers()).unwrap();
    assert!(with_peers.cell_count() > alone.cell_count());
    let time = with_peers.total_time() + BESIDE_THE_CELLS;
    assert!(time < LIMIT_OF_QUICK, "{time:?}");
}

#[test]
fn the_thorough_run_takes_a_coffee_and_not_a_lunch() {
    let time = plan("").total_time();
    let minutes = time.as_secs() / 60;
    assert!((10..30).contains(&minutes), "{time:?}");
}

#[test]
fn peers_make_a_thorough_run_longer_but_not_twice_as_long() {
    let with_peers = Plan::new(&options(""), &peers()).unwrap();
    assert!(with_peers.total_time() < plan("").total_time() * 2);
}

#[test]
fn every_group_is_in_a_thorough_run_and_most_are_in_a_quick_one() {
    let all = groups::all().count();
    assert_eq!(plan("").groups.len(), all);
    let quick = groups::all().filter(|group| !group.depths.quick.is_empty());
    assert_eq!(plan("--quick").groups.len(), quick.count());
    assert!(plan("--quick").groups.len() > all / 2);
}

#[test]
fn no_cell_is_there_twice() {
    for line in ["", "--quick", "--depths 1,7,32,7"] {
        for planned in Plan::new(&options(line), &peers()).unwrap().groups {
            for (index, cell) in planned.cells.iter().enumerate() {
                let before = &planned.cells[..index];
                assert!(!before.contains(cell), "{}: {cell:?}", planned.group.name);
            }
        }
    }
}

#[test]
fn a_selection_leaves_the_others_out() {
    let both = plan("--only sequential");
    let names: Vec<_> = both
        .groups
        .iter()
        .map(|planned| planned.group.name)
        .collect();
    assert_eq!(names, ["sequential-read", "sequential-write"]);
    assert_eq!(both.idle, None);
    let deep = plan("--only direct --depths 7 --engines raw-*,loop-aio");
    let engines: Vec<_> = deep.groups[0]
        .cells
        .iter()
        .map(|cell| &*cell.engine)
        .collect();
    assert_eq!(
        engines,
        ["raw-uring", "raw-aio", "raw-pread-pool", "loop-aio"]
    );
    assert!(deep.groups[0].cells.iter().all(|cell| cell.depth == 7));
}

#[test]
fn an_engine_that_is_named_runs_in_the_quick_run_too() {
    let named = plan("--quick --only page-cache --engines channel-threads");
    assert_eq!(named.cell_count(), 3);
}

#[test]
fn peers_run_where_they_are_asked_for() {
    let with = Plan::new(&options("--only page-cache,nop --depths 1"), &peers()).unwrap();
    let has_peer = |planned: &PlannedGroup| {
        planned
            .cells
            .iter()
            .any(|cell| Kind::of(&cell.engine) == Kind::Peer)
    };
    let found: Vec<bool> = with.groups.iter().map(has_peer).collect();
    assert_eq!(found, [false, true], "nop has none");
}

#[test]
fn what_means_no_engine_is_refused_with_the_names() {
    let refused = |line: &str| Plan::new(&options(line), &[]).unwrap_err().to_string();
    assert!(refused("--engines floppy").contains("loop-uring"));
    assert!(refused("--engines raw-pread --depths 2").contains("--list"));
}

#[test]
fn only_a_channel_has_several_contexts_and_no_context_is_empty() {
    let scaling = plan("--only scaling");
    let cells = &scaling.groups[0].cells;
    assert!(cells.iter().all(|cell| cell.contexts <= cell.depth));
    let several = cells.iter().filter(|cell| cell.contexts > 1);
    assert!(several.clone().all(|cell| cell.engine == "channel-uring"));
    assert_eq!(several.count(), 8);
}

#[test]
fn each_round_runs_every_engine_once_and_begins_with_another() {
    let orders: Vec<Vec<usize>> = (0..3).map(|round| rotated(3, round).collect()).collect();
    assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    assert_eq!(rotated(0, 5).count(), 0);
}

#[test]
fn blocks_are_the_cells_of_one_depth() {
    let planned = &plan("--only page-cache --engines loop-uring,loop-aio --depths 4,32").groups[0];
    assert_eq!(planned.by_depth(), [[0, 1], [2, 3]]);
}
