//! `mutants`: plants bugs on purpose, one at a time, and proves that a test finds each.
//!
//! The product knows nothing of them: a bug is a replacement of one text in a copy of the workspace.

mod mutant;
mod options;
mod progress;
mod reading;
mod report;
mod substitution;
mod table;
mod tree;
mod trial;

use std::fs;
use std::process::ExitCode;

use crate::steps::Findings;
use crate::workspace::{self, TextFile};

pub(crate) use options::Options;

use mutant::{Death, Killer, Mutant};
use progress::Progress;
use substitution::substitute;
use tree::Tree;
use trial::{Fate, Trial, Verdict};

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mutants = options.chosen()?;
    if options.list {
        match options.json {
            true => println!("{:#}", report::list_as_json(&mutants)),
            false => println!("{}", report::list(&mutants)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let verdicts = try_all(&mutants)?;
    match options.json {
        true => println!("{:#}", report::as_json(&verdicts)),
        false => println!("{}", report::table(&verdicts)),
    }
    let is_killed = |verdict: &Verdict| matches!(verdict.fate, Fate::Killed { .. });
    Ok(ExitCode::from(u8::from(!verdicts.iter().all(is_killed))))
}

fn try_all(mutants: &[Mutant]) -> anyhow::Result<Vec<Verdict>> {
    let folder = workspace::metadata()?.target_directory.join("mutants");
    fs::create_dir_all(&folder)?;
    let tree = folder.join("tree").into_std_path_buf();
    let trial = Trial {
        tree: Tree::copied(&workspace::root(), &workspace::paths()?, tree)?,
        target: folder.join("target").into_std_path_buf(),
    };
    trial::limit_memory()?;
    let killers = killers_of(mutants);
    let progress = Progress::new(killers.len() + mutants.len());
    for (killer, deaths) in &killers {
        progress.begin(killer.function());
        trial.without_a_bug(killer, deaths)?;
        progress.end(&format!("{}: passes without a bug", killer.function()));
    }
    let mut verdicts = Vec::with_capacity(mutants.len());
    for mutant in mutants {
        progress.begin(mutant.name);
        let verdict = trial.of(mutant)?;
        progress.end(&report::line(&verdict));
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Each killer once, with what is expected of it.
fn killers_of(mutants: &[Mutant]) -> Vec<(Killer, Vec<Death>)> {
    let mut known: Vec<(Killer, Vec<Death>)> = Vec::new();
    for mutant in mutants {
        for killer in mutant.killers {
            match known.iter_mut().find(|(one, _)| one == killer) {
                Some((_, deaths)) => deaths.push(mutant.death),
                None => known.push((*killer, vec![mutant.death])),
            }
        }
    }
    known
}

/// Makes sure that no entry of the table has been left behind by the code.
pub(crate) fn check() -> anyhow::Result<Findings> {
    let files = workspace::text_files()?;
    let mutants = table::all();
    let mut findings = Findings::default();
    for (place, mutant) in mutants.iter().enumerate() {
        let faults = faults_of(mutant, &files);
        findings.faults.extend(
            faults
                .into_iter()
                .map(|fault| format!("mutant {}: {fault}", mutant.name)),
        );
        if mutants[..place].iter().any(|one| one.name == mutant.name) {
            let fault = format!("mutant {}: the name is there twice", mutant.name);
            findings.faults.push(fault);
        }
    }
    Ok(findings)
}

fn faults_of(mutant: &Mutant, files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    match files.iter().find(|file| file.path == mutant.file) {
        None => faults.push(format!("{} does not exist", mutant.file)),
        Some(file) => {
            if let Err(refusal) = substitute(&file.text, mutant.find, mutant.replace) {
                faults.push(format!("{}: {refusal}", mutant.file));
            }
        }
    }
    if mutant.killers.is_empty() {
        faults.push("no test is named that is to find it".to_owned());
    }
    for killer in mutant.killers {
        let function = format!("fn {}(", killer.function());
        let mut places = files.iter().filter(|file| killer.may_be_in(&file.path));
        if !places.any(|file| file.text.contains(&function)) {
            faults.push(format!("there is no test like this: {}", killer.said()));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    const KILLERS: &[Killer] = &[Killer::integration("io-engine-aio", "waiting", "a_test")];

    const MUTANT: Mutant = Mutant {
        file: "io-engine-aio/src/queue.rs",
        find: "good();",
        replace: "bad();",
        killers: KILLERS,
        ..Mutant::USUAL
    };

    #[test]
    fn an_entry_that_the_code_has_left_behind_is_found() {
        let test = file("io-engine-aio/tests/waiting.rs", "fn a_test() {}\n");
        let sound = [file(MUTANT.file, "good();\n"), test];
        assert!(faults_of(&MUTANT, &sound).is_empty());
        let twice = [file(MUTANT.file, "good();\ngood();\n")];
        assert_eq!(
            faults_of(&MUTANT, &twice).len(),
            2,
            "the test is missing too"
        );
        assert_eq!(faults_of(&MUTANT, &sound[1..]).len(), 1);
        let unwatched = Mutant {
            killers: &[],
            ..MUTANT
        };
        assert_eq!(faults_of(&unwatched, &sound).len(), 1);
    }

    #[test]
    fn a_killer_of_several_is_tried_once() {
        let hanging = Mutant {
            death: Death::Hang,
            ..MUTANT
        };
        let killers = killers_of(&[MUTANT, hanging]);
        assert_eq!(killers, [(KILLERS[0], vec![Death::Failure, Death::Hang])]);
    }
}
