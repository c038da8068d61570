//! A small write-ahead log, tested on a disk that fails and crashes, with bugs planted to be found.
//!
//! The log is what somebody would build on the engine. `docs/testing-with-faults.md` tells the story.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use io_engine::sim::{Dice, Fault, Injected, SimDisk, Survival, for_each_seed};
use watchdog::Watchdog;
use write_ahead_log::{Flaw, Log};

mod watchdog;
mod write_ahead_log;

/// What the log has promised, and what it may hold beyond that.
#[derive(Default)]
struct Promised {
    acknowledged: Vec<Vec<u8>>,
    /// Handed over and not acknowledged: as much of its beginning as may be may be there.
    doubtful: Vec<Vec<u8>>,
}

impl Promised {
    /// Compares with what the log has found; from now on it is held to that.
    fn hold_to(&mut self, found: &[Vec<u8>]) -> Result<(), String> {
        let promised = self.acknowledged.len();
        if found.len() < promised || found[..promised] != self.acknowledged[..] {
            let kept = found.iter().zip(&self.acknowledged);
            let kept = kept
                .take_while(|(found, promised)| found == promised)
                .count();
            return Err(format!(
                "of {promised} acknowledged records {kept} are left"
            ));
        }
        if !self.doubtful.starts_with(&found[promised..]) {
            return Err("there is a record that nobody has appended".to_owned());
        }
        self.acknowledged = found.to_vec();
        self.doubtful.clear();
        Ok(())
    }
}

/// Appends, fails, crashes and recovers, several times over; says what was injected, or what is wrong.
fn torture(seed: u64, flaw: Flaw) -> Result<Injected, String> {
    let mut dice = Dice::new(!seed);
    let mut disk = SimDisk::new(seed);
    let mut promised = Promised::default();
    let mut injected = Injected::default();
    for _ in 0..6 {
        disk.inject(Fault::Short.one_in(4));
        disk.inject(Fault::Delay.one_in(2));
        disk.inject(Fault::Io.one_in(30));
        // The power goes at this request: it and all that follow fail, and may be done in part.
        let power_loss = 1 + dice.below(60) as u64;
        disk.inject(Fault::Io.from_nth(power_loss));
        if let Ok(mut log) = Log::open(&disk, flaw) {
            promised.hold_to(log.records())?;
            append_until_it_fails(&mut log, &mut dice, &mut promised);
        }
        disk.heal();
        // Either only the program has ended, or the machine has crashed.
        if !dice.one_in(3) {
            injected.add(&disk.injected());
            disk = disk.crash(Survival::Sectors(dice.number()));
        }
    }
    injected.add(&disk.injected());
    let log = Log::open(&disk, flaw).map_err(|error| format!("a healed disk: {error}"))?;
    promised.hold_to(log.records())?;
    Ok(injected)
}

fn append_until_it_fails(log: &mut Log, dice: &mut Dice, promised: &mut Promised) {
    for _ in 0..dice.below(20) {
        let record = |_| {
            let mut record = vec![0; 300 * (1 + dice.below(3))];
            dice.fill(&mut record);
            record
        };
        let batch: Vec<Vec<u8>> = (0..3).map(record).collect();
        match log.append(&batch) {
            Ok(()) => promised.acknowledged.extend(batch),
            Err(_) => return promised.doubtful = batch,
        }
    }
}

#[test]
fn every_acknowledged_record_is_recovered() {
    let seeds = match cfg!(debug_assertions) {
        true if cfg!(miri) => 3,
        true => 300,
        false => 5000,
    };
    let mut injected = Injected::default();
    let watchdog = Watchdog::new();
    for_each_seed(0..seeds, |seed| {
        watchdog.begins(format_args!("seed {seed}"));
        match torture(seed, Flaw::None) {
            Ok(struck) => injected.add(&struck),
            Err(wrong) => panic!("{wrong}"),
        }
    });
    for fault in [Fault::Short, Fault::Delay, Fault::Io] {
        assert!(injected.of(fault) >= seeds, "{injected:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of seeds take hours")]
fn every_planted_bug_is_found_by_a_seed() {
    for flaw in [
        Flaw::AcknowledgesBeforeTheSync,
        Flaw::BelievesTheSecondSync,
        Flaw::TrustsTheLength,
        Flaw::LeavesWhatLiesBehind,
        Flaw::TrustsWhatItReads,
    ] {
        let found = (0..2000).find_map(|seed| Some((seed, torture(seed, flaw).err()?)));
        let (seed, wrong) = found.unwrap_or_else(|| panic!("{flaw:?} was not found"));
        println!("{flaw:?}: seed {seed}: {wrong}");
        // The same seed finds it again.
        assert_eq!(torture(seed, flaw).err(), Some(wrong));
    }
}
