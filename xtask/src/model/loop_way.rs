//! A round on the caller's own thread: it is every sender in turns, as dice have it.

use io_engine::merge::MergeCounters;
use io_engine::sim::Dice;
use io_engine::tasks::IOEvent;
use io_engine::{EventLoop, Full, StartError, Wait};

use super::carrier::Carrier;
use super::ledger::Ledger;
use super::mailbox::Ticket;
use super::medium::Stage;
use super::round::{Ending, Round};
use super::sender::{Next, Sender};

/// What an event goes to: the engine's loop, or in tests one that lies.
pub(crate) trait Turning {
    /// Takes the event, or gives it back if there is no room.
    fn offer(&mut self, event: IOEvent<Ticket>) -> Option<IOEvent<Ticket>>;
    /// Carries out and calls back.
    fn turn(&mut self, wait: Wait) -> std::io::Result<usize>;
    fn in_flight(&self) -> usize;
    fn merged(&self) -> Option<MergeCounters>;
}

impl Turning for EventLoop<Ticket> {
    fn offer(&mut self, event: IOEvent<Ticket>) -> Option<IOEvent<Ticket>> {
        self.submit(event).err().map(Full::into_inner)
    }

    fn turn(&mut self, wait: Wait) -> std::io::Result<usize> {
        self.run(wait)
    }

    fn in_flight(&self) -> usize {
        Self::in_flight(self)
    }

    fn merged(&self) -> Option<MergeCounters> {
        self.merge_counters()
    }
}

/// Starts as many loops as there are contexts, and runs the round on them.
pub(crate) fn run(
    carrier: Carrier,
    round: &Round,
    stage: &Stage<'_>,
    senders: &mut [Sender],
    expects_errors: bool,
) -> Result<Ledger, StartError> {
    let loops = (0..round.contexts).map(|_| carrier.start_loop(round, stage));
    let loops = loops.collect::<Result<Vec<_>, StartError>>()?;
    Ok(turn(loops, round, senders, expects_errors))
}

/// Runs the round on `loops`, and drops them at its end.
pub(crate) fn turn<L: Turning>(
    mut loops: Vec<L>,
    round: &Round,
    senders: &mut [Sender],
    expects_errors: bool,
) -> Ledger {
    let mut ledger = Ledger::expecting_errors(expects_errors);
    // Other dice than those that made the plan.
    let mut dice = Dice::new(round.seed.rotate_left(32));
    let count = loops.len();
    let mut at_work: Vec<usize> = (0..senders.len()).collect();
    while !at_work.is_empty() {
        let turn = dice.below(at_work.len());
        let number = at_work[turn];
        let (sender, engine) = (&mut senders[number], &mut loops[number % count]);
        let state = submit_some(sender, engine, 1 + dice.below(12));
        let answers = sender.collect();
        let waits_at_end = round.ending == Ending::Drained && !sender.is_idle();
        let wait = match state {
            State::Goes => any_wait(&mut dice),
            State::IsDone if !waits_at_end => {
                at_work.swap_remove(turn);
                None
            }
            State::Waits | State::IsDone if answers > 0 => None,
            State::Waits | State::IsDone if engine.in_flight() == 0 => {
                // It would wait for ever; what is missing is found at the end.
                at_work.swap_remove(turn);
                None
            }
            State::Waits | State::IsDone => Some(Wait::For(1)),
        };
        if let Some(wait) = wait
            && let Err(error) = engine.turn(wait)
        {
            ledger.has_failed(&error, || "the loop does not turn".to_owned());
            break;
        }
    }
    for engine in loops {
        ledger.shutdowns_with_work += u64::from(engine.in_flight() > 0);
        ledger.has_merged(engine.merged());
    }
    ledger
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Goes,
    Waits,
    IsDone,
}

fn submit_some<L: Turning>(sender: &mut Sender, engine: &mut L, count: usize) -> State {
    for _ in 0..count {
        match sender.next() {
            Next::Done => return State::IsDone,
            Next::Wait => return State::Waits,
            Next::Event(number, event) => {
                if let Some(event) = engine.offer(event) {
                    sender.hold(number, event);
                    return State::Waits;
                }
            }
        }
    }
    State::Goes
}

fn any_wait(dice: &mut Dice) -> Option<Wait> {
    match dice.below(8) {
        0 => Some(Wait::Never),
        1 => Some(Wait::For(1)),
        2 => Some(Wait::For(1 + dice.below(8))),
        _ => None,
    }
}
