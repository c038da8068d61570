//! Records that are written, synced and then acknowledged, until somebody kills the process; and
//! the check of what it left behind.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine_core::sim::Dice;

use super::Options;
use super::answer::Answer;
use super::work::{Reply, Work};

pub(crate) const BLOCK_BYTES: usize = 4096;
/// What begins a record, before its place and its generation.
const MARK: u64 = 0x10e9_614e_5afe_b10c;
/// One acknowledgement: a generation, and how many blocks of it are safe.
const NOTE_BYTES: usize = 16;

/// Ends only by an error: it is to be killed.
pub(super) fn run(options: &Options) -> anyhow::Result<Answer> {
    let file = Arc::new(options.open()?);
    let notes = options
        .acknowledgements
        .as_ref()
        .context("--acknowledgements names a file")?;
    let mut notes = File::create(notes).with_context(|| notes.display().to_string())?;
    let mut work = Work::start(options)?;
    let mut generation: u64 = 0;
    loop {
        generation += 1;
        let mut safe = 0;
        while safe < options.blocks {
            let end = options.blocks.min(safe + options.depth);
            for block in safe..end {
                work.send(record_event(&file, block, generation)?)?;
            }
            all_well(&mut work)?;
            work.send(IOEvent::sync(&file))?;
            all_well(&mut work)?;
            safe = end;
            let mut note = [0; NOTE_BYTES];
            note[..8].copy_from_slice(&generation.to_le_bytes());
            note[8..].copy_from_slice(&(safe as u64).to_le_bytes());
            notes.write_all(&note).context("an acknowledgement")?;
        }
    }
}

fn all_well(work: &mut Work) -> anyhow::Result<()> {
    for (number, event) in work.rest()? {
        event
            .get_write_result()
            .with_context(|| format!("request {number}"))?;
    }
    if work.outstanding() > 0 {
        bail!("{} requests without a callback", work.outstanding());
    }
    Ok(())
}

fn record_event(file: &Arc<File>, block: usize, generation: u64) -> anyhow::Result<IOEvent<Reply>> {
    let mut buffer = Buffer::aligned(BLOCK_BYTES)?;
    buffer.copy_from_slice(&record(block as u64, generation));
    let offset = i64::try_from(block * BLOCK_BYTES)?;
    Ok(IOEvent::new(file, buffer, IOAction::Write, offset))
}

/// Every byte follows from the place and the generation, so that a torn record is none.
fn record(block: u64, generation: u64) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK_BYTES];
    Dice::new(block.rotate_left(32) ^ generation).fill(&mut bytes[24..]);
    for (at, word) in [MARK, block, generation].into_iter().enumerate() {
        bytes[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// What was found in the file of a killed process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Blocks that had been acknowledged in any generation.
    pub(crate) acknowledged: u64,
    /// Of these, those that are not there, or only older than acknowledged.
    pub(crate) missing: u64,
    /// Blocks that are no whole record of any generation.
    pub(crate) torn: u64,
}

/// Looks at each block of the file with plain reads.
pub(crate) fn verify(file: &Path, notes: &Path, blocks: usize) -> anyhow::Result<Verified> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let notes = fs::read(notes).with_context(|| notes.display().to_string())?;
    let promised = promised(&notes, blocks);
    let mut verified = Verified::default();
    for (block, promised) in promised.into_iter().enumerate() {
        let at = block * BLOCK_BYTES;
        let found = bytes.get(at..at + BLOCK_BYTES).unwrap_or_default();
        let generation = generation_of(found);
        let is_record =
            generation.is_some_and(|generation| found == record(block as u64, generation));
        let is_blank = found.iter().all(|byte| *byte == 0);
        verified.torn += u64::from(!is_record && !is_blank);
        verified.acknowledged += u64::from(promised > 0);
        let is_there = is_record && generation >= Some(promised);
        verified.missing += u64::from(promised > 0 && !is_there);
    }
    Ok(verified)
}

/// The generation that was acknowledged last for each block; 0 where none was.
fn promised(notes: &[u8], blocks: usize) -> Vec<u64> {
    let mut promised = vec![0; blocks];
    for note in notes.chunks_exact(NOTE_BYTES) {
        let word = |at: usize| note[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let safe = usize::try_from(word(8)).unwrap_or(usize::MAX).min(blocks);
        promised[..safe].fill(word(0));
    }
    promised
}

fn generation_of(block: &[u8]) -> Option<u64> {
    let word = |at: usize| {
        block
            .get(at..at + 8)?
            .try_into()
            .ok()
            .map(u64::from_le_bytes)
    };
    (word(0)? == MARK).then(|| word(16))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_behind(blocks: &[Vec<u8>], notes: &[(u64, u64)]) -> Verified {
        let dir = tempfile::tempdir().unwrap();
        let (file, acknowledged) = (dir.path().join("file"), dir.path().join("notes"));
        fs::write(&file, blocks.concat()).unwrap();
        let notes = notes
            .iter()
            .flat_map(|(generation, safe)| [generation.to_le_bytes(), safe.to_le_bytes()].concat());
        fs::write(&acknowledged, notes.collect::<Vec<u8>>()).unwrap();
        verify(&file, &acknowledged, 3).unwrap()
    }

    #[test]
    fn whole_records_at_least_as_new_as_promised_are_well() {
        let blocks = [record(0, 2), record(1, 1), vec![0; BLOCK_BYTES]];
        let found = left_behind(&blocks, &[(1, 2)]);
        assert_eq!((found.acknowledged, found.missing, found.torn), (2, 0, 0));
    }

    #[test]
    fn a_promise_that_is_not_kept_is_found() {
        let blocks = [record(0, 1), record(1, 2), record(2, 2)];
        assert_eq!(left_behind(&blocks, &[(1, 3), (2, 1)]).missing, 1);
        assert_eq!(left_behind(&blocks[..2], &[(1, 3)]).missing, 1);
    }

    #[test]
    fn a_torn_record_and_one_in_the_wrong_place_are_found() {
        let mut torn = record(0, 1);
        torn[2048..].copy_from_slice(&record(0, 2)[2048..]);
        let blocks = [torn, record(2, 1), vec![0; BLOCK_BYTES]];
        let found = left_behind(&blocks, &[]);
        assert_eq!((found.torn, found.missing), (2, 0));
    }
}
