//! What the parts of a soak have counted.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Sums over everything that has run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests whose bytes were compared, by driver.
    pub(crate) verified: BTreeMap<String, u64>,
    /// On the simulated disk.
    pub(crate) injected_simulated: u64,
    /// By file systems, devices, limits and tracers.
    pub(crate) injected_real: u64,
    pub(crate) shutdowns_with_work: u64,
    /// Those that were not on the simulated disk.
    #[serde(default)]
    pub(crate) real_shutdowns_with_work: u64,
    pub(crate) bad_inputs: u64,
    pub(crate) fuzzed: u64,
    pub(crate) kills: u64,
    pub(crate) mutants: u64,
    pub(crate) mutants_killed: u64,
    pub(crate) cases: u64,
    pub(crate) cases_automated: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) wrong: u64,
    /// Mounts, devices and processes that were left behind.
    pub(crate) left_behind: u64,
    /// What was read, by this engine and by the published one.
    pub(crate) beside: Vec<[String; 3]>,
}

impl Counts {
    pub(crate) fn add(&mut self, more: &Self) {
        for (driver, count) in &more.verified {
            *self.verified.entry(driver.clone()).or_default() += count;
        }
        let sums = [
            (&mut self.injected_simulated, more.injected_simulated),
            (&mut self.injected_real, more.injected_real),
            (&mut self.shutdowns_with_work, more.shutdowns_with_work),
            (
                &mut self.real_shutdowns_with_work,
                more.real_shutdowns_with_work,
            ),
            (&mut self.bad_inputs, more.bad_inputs),
            (&mut self.fuzzed, more.fuzzed),
            (&mut self.kills, more.kills),
            (&mut self.lost, more.lost),
            (&mut self.duplicated, more.duplicated),
            (&mut self.wrong, more.wrong),
            (&mut self.left_behind, more.left_behind),
        ];
        for (sum, count) in sums {
            *sum += count;
        }
        // The same ones each time.
        let sizes = [
            (&mut self.mutants, more.mutants),
            (&mut self.mutants_killed, more.mutants_killed),
            (&mut self.cases, more.cases),
            (&mut self.cases_automated, more.cases_automated),
        ];
        for (size, count) in sizes {
            *size = count.max(*size);
        }
        if !more.beside.is_empty() {
            self.beside.clone_from(&more.beside);
        }
    }

    /// From what `model --json` prints: a line for each driver.
    pub(crate) fn of_model(printed: &str) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        for line in printed.lines().filter(|line| !line.trim().is_empty()) {
            let report: Value = serde_json::from_str(line).context("a line of the model check")?;
            if !report["unavailable"].is_null() {
                continue;
            }
            let driver = report["driver"].as_str().context("a driver")?;
            let requests = number(&report, "requests")?;
            *counts.verified.entry(driver.to_owned()).or_default() += requests;
            counts.injected_simulated += number(&report, "injected")?;
            let ends = number(&report, "shutdowns_with_work")?;
            counts.shutdowns_with_work += ends;
            if driver != "sim" {
                counts.real_shutdowns_with_work += ends;
            }
            counts.lost += number(&report, "lost")?;
            counts.duplicated += number(&report, "duplicated")?;
            counts.wrong += number(&report, "wrong")?;
        }
        Ok(counts)
    }

    /// From what `faults --json` prints.
    pub(crate) fn of_faults(printed: &str) -> anyhow::Result<Self> {
        let report: Value = serde_json::from_str(printed).context("the report on faults")?;
        let rows = report["rows"].as_array().context("its rows")?;
        let kills = rows.iter().filter(|row| {
            let name = row["experiment"].as_str();
            name.is_some_and(|name| name.starts_with("kill"))
        });
        let kills: u64 = kills.filter_map(|row| row["runs"].as_u64()).sum();
        let left_behind = report["left_behind"].as_array();
        Ok(Self {
            verified: BTreeMap::from([("faults".to_owned(), number(&report, "requests")?)]),
            injected_real: number(&report, "injected")?,
            kills,
            cases: number(&report["cases"], "all")?,
            cases_automated: number(&report["cases"], "automated")?,
            left_behind: left_behind.map_or(0, |left| left.len() as u64),
            ..Self::default()
        })
    }

    /// From what `faults --peers --json` prints, of which the faults are counted elsewhere.
    pub(crate) fn of_beside(printed: &str) -> anyhow::Result<Self> {
        let report: Value = serde_json::from_str(printed).context("the report on faults")?;
        let rows = report["beside"].as_array().context("the comparison")?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        let row = |row: &Value| -> anyhow::Result<[String; 3]> {
            let what = format!("{}, {}", text(&row["what"])?, text(&row["driver"])?);
            Ok([what, text(&row["said"][0])?, text(&row["said"][1])?])
        };
        Ok(Self {
            beside: rows.iter().map(row).collect::<anyhow::Result<_>>()?,
            ..Self::default()
        })
    }

    /// From what `mutants --json` prints.
    pub(crate) fn of_mutants(printed: &str) -> anyhow::Result<Self> {
        let report: Value = serde_json::from_str(printed).context("the report on mutants")?;
        let (killed, survived) = (number(&report, "killed")?, number(&report, "survived")?);
        Ok(Self {
            mutants: killed + survived,
            mutants_killed: killed,
            ..Self::default()
        })
    }

    /// From what `fuzz --json` prints.
    pub(crate) fn of_fuzz(printed: &str) -> anyhow::Result<Self> {
        let report: Value = serde_json::from_str(printed).context("the report on the fuzzer")?;
        Ok(Self {
            fuzzed: number(&report, "scripts")?,
            ..Self::default()
        })
    }

    /// From the lines `tried: N ...` of a test.
    pub(crate) fn of_bad_inputs(printed: &str) -> anyhow::Result<Self> {
        let tried = printed
            .lines()
            .filter_map(|line| line.trim().strip_prefix("tried: "));
        let numbers = tried.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        let bad_inputs = numbers.sum();
        anyhow::ensure!(bad_inputs > 0, "the test does not say what it has tried");
        Ok(Self {
            bad_inputs,
            ..Self::default()
        })
    }

    /// From what says nothing but that it went well.
    #[allow(clippy::unnecessary_wraps, reason = "one of several")]
    pub(crate) fn of_nothing(_: &str) -> anyhow::Result<Self> {
        Ok(Self::default())
    }
}

fn number(value: &Value, name: &str) -> anyhow::Result<u64> {
    let found = value[name].as_u64();
    found.with_context(|| format!("no number {name:?} in the report"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = r#"{"driver":"sim","requests":10,"injected":3,"shutdowns_with_work":2,"lost":0,"duplicated":0,"wrong":1,"unavailable":null}
{"driver":"aio","requests":5,"injected":0,"shutdowns_with_work":1,"lost":1,"duplicated":0,"wrong":0,"unavailable":null}
{"driver":"uring","unavailable":"forbidden"}
"#;

    #[test]
    fn each_report_is_read_and_added_up() {
        let mut sum = Counts::of_model(MODEL).unwrap();
        assert_eq!((sum.verified["aio"], sum.verified["sim"]), (5, 10));
        assert_eq!((sum.injected_simulated, sum.shutdowns_with_work), (3, 3));
        assert_eq!(sum.real_shutdowns_with_work, 1);
        assert_eq!((sum.lost, sum.wrong), (1, 1));
        sum.add(&Counts::of_model(MODEL).unwrap());
        assert_eq!((sum.verified["sim"], sum.lost), (20, 2));

        let faults = r#"{"rows":[{"experiment":"kill","runs":5},{"experiment":"fuse","runs":9}],
            "requests":7,"injected":4,"left_behind":["a mount"],"cases":{"all":68,"automated":60}}"#;
        for _ in 0..2 {
            sum.add(&Counts::of_faults(faults).unwrap());
        }
        assert_eq!((sum.kills, sum.injected_real, sum.left_behind), (10, 8, 2));
        assert_eq!((sum.cases, sum.cases_automated), (68, 60), "not added up");

        let beside = r#"{"beside":[{"what":"a","driver":"AIO","said":["b","c"]}]}"#;
        sum.add(&Counts::of_beside(beside).unwrap());
        assert_eq!(sum.beside, [["a, AIO", "b", "c"]]);

        sum.add(&Counts::of_mutants(r#"{"killed":24,"survived":1}"#).unwrap());
        assert_eq!((sum.mutants, sum.mutants_killed), (25, 24));
        sum.add(&Counts::of_fuzz(r#"{"scripts":12345}"#).unwrap());
        assert_eq!(sum.fuzzed, 12345);
        let tried = "running 1 test\ntried: 3500 bad inputs among 10000 events\nok";
        assert_eq!(Counts::of_bad_inputs(tried).unwrap().bad_inputs, 3500);
    }

    #[test]
    fn a_report_without_its_numbers_is_an_error_and_no_zero() {
        assert!(Counts::of_model(r#"{"driver":"sim"}"#).is_err());
        assert!(Counts::of_faults("{}").is_err());
        assert!(Counts::of_mutants("").is_err());
        assert!(Counts::of_bad_inputs("ok").is_err());
    }
}
