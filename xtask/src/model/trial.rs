//! One round from an empty file to the look at it behind the engine's back.

use std::sync::Arc;

use io_engine::FileHandle;
use io_engine::sim::Injected;
use io_engine_core::conformance::FileLength;

use super::carrier::Carrier;
use super::context_way::{self, Pool};
use super::ledger::Ledger;
use super::loop_way;
use super::medium::{Medium, Stage};
use super::round::{Ending, Round, Way};
use super::sender::{Sender, Terms};
use super::watchdog::Moves;

/// Where rounds take place.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) carrier: Carrier,
    pub(crate) medium: Medium,
    /// The medium fails.
    pub(crate) expects_errors: bool,
    pub(crate) pool: Pool,
    pub(crate) moves: Moves,
}

/// What a round has come to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ledger: Ledger,
    pub(crate) injected: Injected,
}

impl Trial {
    /// Runs `round`; `begins` is shown the senders before.
    pub(crate) fn run(
        &mut self,
        round: &Round,
        begins: impl FnOnce(&[Sender]),
    ) -> anyhow::Result<Outcome> {
        let (stage, found) = self.medium.begin(round, self.expects_errors)?;
        let length = Arc::new(FileLength::of(round.begin_bytes));
        let terms = self.terms(round, stage.handle(), &length);
        let mut senders = senders(round, &terms, &found);
        begins(&senders);
        let errors = self.expects_errors;
        let ledger = match round.way {
            Way::Loop => loop_way::run(self.carrier, round, &stage, &mut senders, errors)?,
            Way::Inline | Way::Workers => {
                context_way::run(self.carrier, round, &stage, &mut senders, &mut self.pool)?
            }
        };
        let mut outcome = Outcome {
            injected: stage.injected(),
            ledger: Ledger::expecting_errors(errors),
        };
        outcome.ledger.add(ledger);
        conclude(round, &stage, &length, senders, &mut outcome.ledger)?;
        Ok(outcome)
    }

    fn terms(&self, round: &Round, file: FileHandle, length: &Arc<FileLength>) -> Terms {
        Terms {
            file,
            length: Arc::clone(length),
            window: round.window,
            expects_errors: self.expects_errors,
            reports_short: round.reports_short,
            short_within: self.medium.short_within(),
            may_come_late: round.ending == Ending::Racing,
            moves: self.moves.clone(),
        }
    }
}

/// The senders of `round`, on a file in which `found` was found.
pub(crate) fn senders(round: &Round, terms: &Terms, found: &[u8]) -> Vec<Sender> {
    let with_content = |script| {
        let mut sender = Sender::new(script, terms);
        let share = sender.share().clone();
        if let Some(content) = found.get(share) {
            sender.model.has_written(0, content);
        }
        sender
    };
    round.senders.iter().map(with_content).collect()
}

/// When the engine is gone: every event has its answer, and the file is as all models say.
pub(crate) fn conclude(
    round: &Round,
    stage: &Stage<'_>,
    length: &FileLength,
    mut senders: Vec<Sender>,
    ledger: &mut Ledger,
) -> anyhow::Result<()> {
    senders.iter_mut().for_each(Sender::finish);
    let (bytes, parts) = stage.content(round.file_bytes)?;
    let (min, max) = (length.min(), length.max());
    if !(min..=max).contains(&bytes) {
        ledger.is_wrong(|| format!("the file has {bytes} bytes, not from {min} to {max}"));
    }
    for (number, mut sender) in senders.into_iter().enumerate() {
        let share = sender.share().clone();
        for part in &parts {
            let begin = share.start.max(part.begin);
            let end = share.end.min(part.begin + part.bytes.len());
            if begin >= end {
                continue;
            }
            let found = &part.bytes[begin - part.begin..end - part.begin];
            ledger.verified_bytes += found.len() as u64;
            if let Err(differs) = sender.model.has_read(begin - share.start, found) {
                let from = share.start;
                ledger.is_wrong(|| {
                    format!("at the end, in the share of sender {number} from {from} on, {differs}")
                });
            }
        }
        ledger.add(sender.ledger);
    }
    Ok(())
}
