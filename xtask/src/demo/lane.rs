//! The demo's callback: it checks a block and submits the next one, without an allocation.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use io_engine::Buffer;
use io_engine::tasks::{IOAction, IOCallback, IOEvent};

use super::content::{self, Expected};
use super::phase::{Kind, Phase};

/// One of the requests that are in flight at any time. It goes from block to block, and its buffer
/// with it.
#[derive(Debug)]
pub(crate) struct Lane {
    phase: Arc<Phase>,
    number: usize,
    block: u64,
    submitted: Instant,
}

impl Lane {
    /// The first events of a phase, one for each lane.
    pub(crate) fn begin(phase: &Arc<Phase>) -> io::Result<Vec<IOEvent<Self>>> {
        let mut events = Vec::with_capacity(phase.lane_count());
        for number in 0..phase.lane_count() {
            let buffer = match phase.kind {
                Kind::Write | Kind::Read => Some(Buffer::aligned(phase.job.block_bytes)?),
                Kind::DataSync => None,
            };
            events.extend(Self::next(Arc::clone(phase), number, buffer));
        }
        Ok(events)
    }

    /// The event for the next block, if there is one.
    fn next(phase: Arc<Phase>, number: usize, buffer: Option<Buffer>) -> Option<IOEvent<Self>> {
        let block = phase.take(number)?;
        let mut event = Self::event(&phase, block, buffer);
        event.set_callback(Self {
            phase,
            number,
            block,
            submitted: Instant::now(),
        });
        Some(event)
    }

    fn event(phase: &Phase, block: u64, buffer: Option<Buffer>) -> IOEvent<Self> {
        let file = &phase.file;
        let Some(mut buffer) = buffer else {
            return IOEvent::data_sync(file);
        };
        let action = match phase.kind {
            Kind::Write => IOAction::Write,
            Kind::Read | Kind::DataSync => IOAction::Read,
        };
        if let (Kind::Write, Expected::Pattern { seed }) = (phase.kind, &phase.expected) {
            content::fill(*seed, block, &mut buffer);
        }
        let offset = block * phase.job.block_bytes as u64;
        // A file has at most i64::MAX bytes, and the engine refuses a negative offset.
        let offset = i64::try_from(offset).unwrap_or(-1);
        IOEvent::new(file, buffer, action, offset)
    }

    /// Whether the event did what it was to do, and its buffer for the next one.
    fn check(&self, event: IOEvent<Self>) -> (Result<(), String>, Option<Buffer>) {
        let offset = self.block * self.phase.job.block_bytes as u64;
        let name = self.phase.kind.name();
        let outcome = match self.phase.kind {
            Kind::Read => event.get_result().map(drop),
            Kind::Write | Kind::DataSync => event.get_write_result(),
        };
        let mut verdict = outcome.map_err(|error| format!("{name} at {offset}: {error}"));
        let mut buffer = event.into_buffer();
        if let (Kind::Read, Ok(()), Some(buffer)) = (self.phase.kind, &verdict, &buffer) {
            verdict = self.check_bytes(buffer, offset);
        }
        if let Some(buffer) = &mut buffer
            && let Err(error) = buffer.set_len(self.phase.job.block_bytes)
        {
            verdict = Err(format!("{name} at {offset}: {error}"));
        }
        (verdict, buffer)
    }

    fn check_bytes(&self, bytes: &[u8], offset: u64) -> Result<(), String> {
        let wanted = self.phase.job.bytes_of(self.block);
        if bytes.len() != wanted {
            return Err(format!(
                "random read at {offset}: {} of {wanted} bytes",
                bytes.len()
            ));
        }
        if self.phase.expected.is_in(self.block, bytes) {
            return Ok(());
        }
        Err(match &self.phase.expected {
            Expected::Pattern { .. } => {
                format!("random read at {offset}: not the bytes that were written there")
            }
            Expected::Digests(_) => format!(
                "random read at {offset}: not the bytes that pread saw; is somebody writing to the file?"
            ),
        })
    }
}

impl IOCallback for Lane {
    fn call(self, event: IOEvent<Self>) {
        let now = Instant::now();
        let latency = now.duration_since(self.submitted);
        let (verdict, buffer) = self.check(event);
        let Self { phase, number, .. } = self;
        phase.give_back(number, latency, verdict, now);
        if let Some(next) = Self::next(Arc::clone(&phase), number, buffer)
            && let Err(refused) = io_engine::resubmit(next)
        {
            // Its block stays in flight for the phase, which will miss it and say so.
            phase.note(format!(
                "the engine refused an event from a callback: {refused}"
            ));
        }
    }
}
