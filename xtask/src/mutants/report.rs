//! What became of the mutants, as a table and as JSON.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::mutant::Mutant;
use super::reading::Reading;
use super::trial::{Fate, Verdict};

/// What there is, for those who look for a name.
pub(crate) fn list(mutants: &[Mutant]) -> String {
    let mut table = bare();
    table.set_header(["mutant", "where", "what is wrong with it"]);
    for mutant in mutants {
        table.add_row([mutant.name, mutant.file, mutant.breaks]);
    }
    format!("{table}\n{} mutants", mutants.len())
}

/// The same for programs.
pub(crate) fn list_as_json(mutants: &[Mutant]) -> Value {
    let entries = mutants.iter().map(|mutant| {
        let killers = mutant.killers.iter().map(super::mutant::Killer::said);
        json!({
            "name": mutant.name,
            "file": mutant.file,
            "breaks": mutant.breaks,
            "killers": killers.collect::<Vec<_>>(),
            "quick": mutant.is_quick,
        })
    });
    json!({ "mutants": entries.collect::<Vec<_>>() })
}

/// One row for each, and below it where to look for those that were not found.
pub(crate) fn table(verdicts: &[Verdict]) -> String {
    let mut table = bare();
    table.set_header(["mutant", "where", "killed by", "how", "seconds"]);
    for verdict in verdicts {
        let row = row(verdict).map(Cell::new);
        table.add_row(match verdict.fate {
            Fate::Killed { .. } => row.to_vec(),
            Fate::Survived(_) | Fate::Broken(_) => row.map(in_red).to_vec(),
        });
    }
    if let Some(seconds) = table.column_mut(4) {
        seconds.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    for verdict in verdicts {
        text.push_str(&to_look_at(verdict));
    }
    text.push_str(&summary(verdicts));
    text
}

/// How many there are of each fate.
pub(crate) fn summary(verdicts: &[Verdict]) -> String {
    let (killed, survived, broken) = counts(verdicts);
    let elapsed: f64 = verdicts.iter().map(|one| one.elapsed.as_secs_f64()).sum();
    let mut text = format!("{killed} of {} mutants killed", verdicts.len());
    if survived > 0 {
        text.push_str(&format!(", {survived} survived"));
    }
    if broken > 0 {
        text.push_str(&format!(", {broken} entries of the table are wrong"));
    }
    format!("{text} ({elapsed:.0} s)")
}

/// Everything for programs.
pub(crate) fn as_json(verdicts: &[Verdict]) -> Value {
    let (killed, survived, broken) = counts(verdicts);
    let mutants: Vec<Value> = verdicts.iter().map(one_as_json).collect();
    json!({
        "killed": killed,
        "survived": survived,
        "broken": broken,
        "mutants": mutants,
    })
}

/// One line for each, while they come.
pub(crate) fn line(verdict: &Verdict) -> String {
    let [name, _, by, how, seconds] = row(verdict);
    match verdict.fate {
        Fate::Killed { .. } => format!("{name}: killed ({how}, {seconds} s): {by}"),
        Fate::Survived(_) | Fate::Broken(_) => format!("{name}: {how} ({seconds} s)"),
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn in_red(cell: Cell) -> Cell {
    cell.fg(Color::Red).add_attribute(Attribute::Bold)
}

fn counts(verdicts: &[Verdict]) -> (usize, usize, usize) {
    let count = |is: fn(&Fate) -> bool| verdicts.iter().filter(|one| is(&one.fate)).count();
    (
        count(|fate| matches!(fate, Fate::Killed { .. })),
        count(|fate| matches!(fate, Fate::Survived(_))),
        count(|fate| matches!(fate, Fate::Broken(_))),
    )
}

fn row(verdict: &Verdict) -> [String; 5] {
    let (by, how) = match &verdict.fate {
        Fate::Killed { by, how } => (
            format!("{}: {}", by.place(), by.function()),
            said(how).to_owned(),
        ),
        Fate::Survived(last) => ("-".to_owned(), format!("SURVIVED, {}", said(last))),
        Fate::Broken(_) => ("-".to_owned(), "WRONG ENTRY".to_owned()),
    };
    [
        verdict.mutant.name.to_owned(),
        format!("{}:{}", verdict.mutant.file, verdict.line),
        by,
        how,
        format!("{:.1}", verdict.elapsed.as_secs_f64()),
    ]
}

fn said(reading: &Reading) -> &str {
    match reading {
        Reading::Passed => "passed",
        Reading::Failed => "test failed",
        Reading::Crashed(signal) => signal,
        Reading::Aborted => "ended",
        Reading::Hung => "hung",
        Reading::NothingRan => "no test",
    }
}

/// How to see a bug that was not found with one's own eyes.
fn to_look_at(verdict: &Verdict) -> String {
    let mutant = &verdict.mutant;
    let reason = match &verdict.fate {
        Fate::Killed { .. } => return String::new(),
        Fate::Survived(_) => "survived",
        Fate::Broken(reason) => reason,
    };
    let mut text = format!("\n{}: {reason}\n  {}\n", mutant.name, mutant.breaks);
    text.push_str(&format!("  {}:{}\n", mutant.file, verdict.line));
    for (sign, side) in [('-', mutant.find), ('+', mutant.replace)] {
        for line in side.lines() {
            text.push_str(&format!("  {sign} {}\n", line.trim_start()));
        }
    }
    for killer in mutant.killers {
        text.push_str(&format!("  {}\n", killer.said()));
    }
    format!("{text}  cargo xtask mutants --only {}\n\n", mutant.name)
}

fn one_as_json(verdict: &Verdict) -> Value {
    let (fate, killed_by, how, reason) = match &verdict.fate {
        Fate::Killed { by, how } => ("killed", Some(by.said()), Some(said(how)), None),
        Fate::Survived(last) => ("survived", None, Some(said(last)), None),
        Fate::Broken(reason) => ("broken", None, None, Some(reason)),
    };
    json!({
        "name": verdict.mutant.name,
        "file": verdict.mutant.file,
        "line": verdict.line,
        "breaks": verdict.mutant.breaks,
        "fate": fate,
        "killed_by": killed_by,
        "how": how,
        "reason": reason,
        "seconds": verdict.elapsed.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::mutant::Killer;
    use super::*;

    fn verdicts() -> Vec<Verdict> {
        let killer = const { &[Killer::unit("io-engine-aio", "queue::a_test")] };
        let mutant = Mutant {
            name: "a-bug",
            breaks: "Something is wrong.",
            file: "io-engine-aio/src/queue.rs",
            find: "good();",
            replace: "bad();",
            killers: killer,
            ..Mutant::USUAL
        };
        let fates = [
            Fate::Killed {
                by: killer[0],
                how: Reading::Failed,
            },
            Fate::Survived(Reading::Passed),
            Fate::Broken("it does not compile: error".to_owned()),
        ];
        let of = |fate| Verdict {
            mutant,
            line: 7,
            fate,
            elapsed: Duration::from_millis(1500),
        };
        fates.into_iter().map(of).collect()
    }

    #[test]
    fn survivors_are_shown_with_what_to_look_at_and_the_killed_are_not() {
        let killed = table(&verdicts()[..1]);
        assert!(killed.contains("io-engine-aio: a_test"), "{killed}");
        assert!(killed.ends_with("1 of 1 mutants killed (2 s)"), "{killed}");
        assert!(!killed.contains("bad();"), "{killed}");
        let all = table(&verdicts());
        assert!(
            all.contains("SURVIVED") && all.contains("+ bad();"),
            "{all}"
        );
        assert!(all.contains("cargo xtask mutants --only a-bug"), "{all}");
        assert!(
            all.ends_with(
                "1 of 3 mutants killed, 1 survived, 1 entries of the table are wrong (4 s)"
            ),
            "{all}"
        );
    }

    #[test]
    fn programs_get_the_same() {
        let json = as_json(&verdicts());
        assert_eq!((&json["killed"], &json["survived"]), (&1.into(), &1.into()));
        assert_eq!(json["mutants"][0]["how"], "test failed");
        assert_eq!(json["mutants"][2]["reason"], "it does not compile: error");
    }
}
