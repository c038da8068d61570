//! An engine that lies has to be caught, in each way, and with a small round to show for it.

use std::io;
use std::sync::Arc;

use io_engine::merge::MergeCounters;
use io_engine::sim::{Fault, SimDisk, SimFile};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{EventLoop, FileHandle, Wait};
use io_engine_core::conformance::FileLength;

use super::carrier::Carrier;
use super::ledger::Ledger;
use super::loop_way::{self, Turning};
use super::mailbox::{Mailbox, Ticket};
use super::medium::Stage;
use super::round::{Round, Way, Wishes, plan};
use super::script::Abilities;
use super::sender::Terms;
use super::shrink::shrink;
use super::table::Table;
use super::trial::{conclude, senders};
use super::watchdog::Moves;

/// What the engine does wrong with a write of a certain byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Nothing,
    /// The byte in the file is another one after each turn.
    WrongByte,
    /// The event is dropped, with its callback.
    DroppedCallback,
    /// The event is never answered and never dropped.
    ForgottenEvent,
    /// Its callback is called, and then once more.
    CalledTwice,
    /// It is answered, and was carried out on another file.
    Misdirected,
    /// The disk fails, which nobody expected.
    Error,
}

/// The byte that lies are about.
const VICTIM: usize = 5000;

struct LyingLoop {
    honest: EventLoop<Ticket>,
    lie: Lie,
    disk: SimDisk,
    file: SimFile,
    mailbox: Arc<Mailbox>,
    table: Arc<Table>,
}

impl LyingLoop {
    /// The number of an event that is to be lied about.
    fn number_of_victim(&self, event: &IOEvent<Ticket>) -> Option<usize> {
        let all = self.table.outstanding();
        let victim = all.iter().find(|pending| {
            let begin = pending.operation.begin;
            let range = begin..begin + pending.operation.len;
            let is_it = i64::try_from(begin).unwrap() == event.offset();
            is_it && pending.operation.action == IOAction::Write && range.contains(&VICTIM)
        });
        let has_room = self.honest.in_flight() + 1 < self.honest.depth();
        victim
            .filter(|_| has_room && event.action() == IOAction::Write)
            .map(|victim| victim.number)
    }

    fn ticket(&self, number: usize) -> Ticket {
        Ticket::new(number, &self.mailbox)
    }
}

impl Turning for LyingLoop {
    fn offer(&mut self, event: IOEvent<Ticket>) -> Option<IOEvent<Ticket>> {
        let Some(number) = self.number_of_victim(&event) else {
            return self.honest.offer(event);
        };
        match self.lie {
            Lie::Nothing | Lie::WrongByte | Lie::Error => return self.honest.offer(event),
            Lie::DroppedCallback => drop(event),
            Lie::ForgottenEvent => std::mem::forget(event),
            Lie::CalledTwice => {
                let mut again = IOEvent::nop();
                again.set_callback(self.ticket(number));
                assert!(self.honest.offer(event).is_none());
                assert!(self.honest.offer(again).is_none());
            }
            Lie::Misdirected => {
                let elsewhere = self.disk.open("elsewhere");
                let (bytes, offset) = (event.buffer().unwrap().to_vec(), event.offset());
                // Its callback would say that it is lost.
                std::mem::forget(event);
                let mut other = IOEvent::new(elsewhere, bytes.into(), IOAction::Write, offset);
                other.set_callback(self.ticket(number));
                assert!(self.honest.offer(other).is_none());
            }
        }
        None
    }

    fn turn(&mut self, wait: Wait) -> io::Result<usize> {
        let called = self.honest.run(wait)?;
        let mut content = self.disk.content(self.file);
        if self.lie == Lie::WrongByte
            && let Some(byte) = content.get_mut(VICTIM)
        {
            *byte = 0x5a;
            self.disk.put(self.file, &content);
        }
        Ok(called)
    }

    fn in_flight(&self) -> usize {
        self.honest.in_flight()
    }

    fn merged(&self) -> Option<MergeCounters> {
        self.honest.merge_counters()
    }
}

fn round() -> Round {
    let wishes = Wishes {
        way: Some(Way::Loop),
        merges: Some(false),
        has_gaps: true,
        // More than the window of a sender: there is room for a second callback.
        depth: Some(128),
        senders: Some(1),
        operations_max: 300,
        fixed_bytes: None,
    };
    let abilities = Abilities {
        unit: 1,
        allocations: vec![IOAction::PunchHole],
    };
    let mut rounds = (1..).map(|seed| plan(seed, 300, &wishes, &abilities));
    rounds.find(has_victims).unwrap()
}

/// Whether several writes can be lied about.
fn has_victims(round: &Round) -> bool {
    let all = round.senders[0].operations.iter();
    let victims = all.filter(|operation| {
        let range = operation.begin..operation.begin + operation.len;
        operation.action == IOAction::Write && range.contains(&VICTIM)
    });
    victims.count() > 4 && round.begin_bytes > VICTIM
}

fn run(round: &Round, lie: Lie) -> Ledger {
    let disk = SimDisk::new(round.seed);
    let file = disk.open("file");
    disk.put(file, &vec![0; round.begin_bytes]);
    if lie == Lie::Error {
        disk.inject(Fault::Io.nth(20));
    }
    let stage = Stage::Sim {
        disk: disk.clone(),
        file,
    };
    let length = Arc::new(FileLength::of(round.begin_bytes));
    let terms = Terms {
        file: FileHandle::from(file),
        length: Arc::clone(&length),
        window: round.window,
        expects_errors: false,
        reports_short: false,
        may_come_late: false,
        short_within: None,
        moves: Moves::default(),
    };
    let mut senders = senders(round, &terms, &[]);
    let lying = LyingLoop {
        honest: Carrier::Sim.start_loop(round, &stage).unwrap(),
        lie,
        disk,
        file,
        mailbox: Arc::clone(senders[0].mailbox()),
        table: Arc::clone(senders[0].table()),
    };
    let mut ledger = loop_way::turn(vec![lying], round, &mut senders, false);
    conclude(round, &stage, &length, senders, &mut ledger).unwrap();
    ledger
}

#[test]
fn an_honest_engine_is_believed() {
    let ledger = run(&round(), Lie::Nothing);
    assert!(ledger.is_good(), "{ledger:?}");
    assert_eq!(ledger.requests, ledger.callbacks);
    assert!(ledger.requests >= 75 && ledger.verified_bytes > 0);
}

#[test]
fn each_lie_is_called_by_its_name() {
    for lie in [
        Lie::WrongByte,
        Lie::DroppedCallback,
        Lie::ForgottenEvent,
        Lie::CalledTwice,
        Lie::Misdirected,
        Lie::Error,
    ] {
        let ledger = run(&round(), lie);
        let count = match lie {
            Lie::Nothing => 0,
            Lie::WrongByte | Lie::Misdirected => ledger.wrong,
            Lie::DroppedCallback | Lie::ForgottenEvent => ledger.lost,
            Lie::CalledTwice => ledger.duplicated,
            Lie::Error => ledger.errors["EIO"],
        };
        assert!(count > 0 && !ledger.is_good(), "{lie:?}: {ledger:?}");
        assert!(!ledger.findings.is_empty(), "{lie:?}");
    }
}

#[test]
fn of_a_round_that_fails_little_is_left() {
    for lie in [
        Lie::WrongByte,
        Lie::DroppedCallback,
        Lie::CalledTwice,
        Lie::Misdirected,
    ] {
        let smallest = shrink(&round(), &mut |round| !run(round, lie).is_good());
        assert!(!run(&smallest, lie).is_good(), "{lie:?}");
        let count = smallest.operation_count();
        assert!((1..=2).contains(&count), "{lie:?}: {count} operations");
    }
}
