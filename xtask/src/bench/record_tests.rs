//! What a record says about its rounds, and that JSON keeps all of it.

use super::super::sample;
use super::*;

#[test]
fn a_record_comes_through_json_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new folder").join("run.json");
    let record = sample::record();
    record.write(&path).unwrap();
    assert_eq!(Record::read(&path).unwrap(), record);
    record.write(&path).unwrap();
    assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
}

#[test]
fn what_is_no_record_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        Record::read(&path).unwrap_err().to_string()
    };
    assert!(refused("{}").contains("version"));
    assert!(refused("no JSON").contains("--json FILE"));
    assert!(refused("{\"version\": 99, \"cells\": 1}").contains("version 99"));
    let missing = Record::read(&dir.path().join("gone.json")).unwrap_err();
    assert!(missing.to_string().contains("gone.json"));
}

#[test]
fn the_summary_is_the_median_of_the_rounds() {
    let rounds = [
        sample::result(100_000),
        sample::result(300_000),
        sample::result(200_000),
    ];
    let counting = CellResult {
        ios: 1000,
        system_calls: Some(250),
        ..CellResult::default()
    };
    let summary = Summary::of(&rounds, Some(&counting)).unwrap();
    assert_eq!(summary.iops.median, 200_000.0);
    assert_eq!(summary.iops.spread(), 1.0);
    assert_eq!(summary.calls_per_io, Some(0.25));
    assert_eq!(Summary::of(&[], None), None);
}

#[test]
fn a_round_without_any_io_has_no_summary_and_no_infinity() {
    assert_eq!(Summary::of(&[CellResult::default()], None), None);
}

#[test]
fn the_limit_is_the_best_raw_loop_at_the_same_depth() {
    let record = sample::record();
    let group = record.group("page-cache").unwrap();
    let of = |engine: &str, depth| group.cell(engine, depth).unwrap().summary.unwrap().of_limit;
    assert_eq!(of("raw-uring", 1), Some(1.0));
    assert_eq!(of("inline-uring", 1), Some(0.96));
    assert_eq!(of("inline-uring", 32), Some(0.96));
}
