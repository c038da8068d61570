//! A write-ahead log: records that are durable once they are acknowledged.

use std::io;
use std::sync::{Arc, Mutex};

use io_engine::sim::SimDisk;
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{EventLoop, FileHandle, Wait};

/// A bug to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Records are acknowledged when they are written, and synced now and then.
    AcknowledgesBeforeTheSync,
    /// The failure of a sync is acknowledged without writing anew, and the success of the next is taken
    /// for the truth.
    BelievesTheSecondSync,
    /// A record is taken for whole if its length is there.
    TrustsTheLength,
    /// What lies behind the last record is left where it is when the log is opened.
    LeavesWhatLiesBehind,
    /// What was read when the log is opened is taken for durable.
    TrustsWhatItReads,
}

/// Gives its event back.
struct Reply(Arc<Mutex<Vec<IOEvent<Self>>>>);

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        let finished = Arc::clone(&self.0);
        finished.lock().unwrap().push(event);
    }
}

pub(crate) struct Log {
    engine: EventLoop<Reply>,
    finished: Arc<Mutex<Vec<IOEvent<Reply>>>>,
    file: FileHandle,
    records: Vec<Vec<u8>>,
    end: usize,
    /// After an error nobody knows what is in the file: the log has to be opened again.
    has_failed: bool,
    flaw: Flaw,
}

const DEPTH: usize = 16;
const HEADER: usize = 12;

impl Log {
    /// Opens the log and recovers its records.
    pub(crate) fn open(disk: &SimDisk, flaw: Flaw) -> io::Result<Self> {
        let engine = EventLoop::builder().simulated(disk).depth(DEPTH).build();
        let mut log = Self {
            engine: engine.map_err(io::Error::other)?,
            finished: Arc::default(),
            file: disk.open("log").into(),
            records: Vec::new(),
            end: 0,
            has_failed: false,
            flaw,
        };
        let content = log.read_everything()?;
        while let Some(record) = record_at(&content[log.end..], flaw) {
            log.end += HEADER + record.len();
            log.records.push(record);
        }
        // What was read may be in a cache only, and a sync that has failed before does not save it any
        // more: so it is written anew. What lies behind it is no part of the log.
        if log.end > 0 && flaw != Flaw::TrustsWhatItReads {
            log.write(0, content[..log.end].to_vec())?;
        }
        if content.len() > log.end && flaw != Flaw::LeavesWhatLiesBehind {
            log.write(log.end, vec![0; content.len() - log.end])?;
        }
        log.perform(vec![IOEvent::data_sync(log.file.clone())])?;
        Ok(log)
    }

    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    /// Appends `records`. On `Ok` they are durable.
    pub(crate) fn append(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("the log has failed before"));
        }
        let appended = self.write_and_sync(records);
        self.has_failed = appended.is_err();
        appended
    }

    fn write_and_sync(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            let bytes = framed(record);
            let offset = offset_of(self.end);
            self.end += bytes.len();
            events.push(IOEvent::new(
                self.file.clone(),
                bytes.into(),
                IOAction::Write,
                offset,
            ));
        }
        self.perform(events)?;
        self.records.extend_from_slice(records);
        if self.flaw == Flaw::AcknowledgesBeforeTheSync && !self.records.len().is_multiple_of(6) {
            return Ok(());
        }
        let sync = || IOEvent::data_sync(self.file.clone());
        let (first, second) = (sync(), sync());
        match self.perform(vec![first]) {
            Err(_) if self.flaw == Flaw::BelievesTheSecondSync => {
                self.engine.acknowledge_sync_failure(self.file.clone());
                self.perform(vec![second])?
            }
            synced => synced?,
        };
        Ok(())
    }

    fn read_everything(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let buffer = vec![0; 4096].into();
            let offset = offset_of(content.len());
            let read = IOEvent::new(self.file.clone(), buffer, IOAction::Read, offset);
            for event in self.perform(vec![read])? {
                let ends = event.is_end_of_file();
                content.extend_from_slice(&event.get_read_result()?);
                if ends {
                    return Ok(content);
                }
            }
        }
    }

    fn write(&mut self, at: usize, bytes: Vec<u8>) -> io::Result<()> {
        let write = IOEvent::new(
            self.file.clone(),
            bytes.into(),
            IOAction::Write,
            offset_of(at),
        );
        self.perform(vec![write]).map(drop)
    }

    /// Carries out `events`, at most a depth of them, all at once.
    fn perform(&mut self, events: Vec<IOEvent<Reply>>) -> io::Result<Vec<IOEvent<Reply>>> {
        let count = events.len();
        for mut event in events {
            event.set_callback(Reply(Arc::clone(&self.finished)));
            self.engine
                .submit(event)
                .map_err(|_| io::ErrorKind::WouldBlock)?;
        }
        self.engine.run(Wait::For(count))?;
        let finished = std::mem::take(&mut *self.finished.lock().unwrap());
        for event in &finished {
            event.get_result()?;
        }
        Ok(finished)
    }
}

fn offset_of(position: usize) -> i64 {
    i64::try_from(position).unwrap()
}

/// Length and checksum, then the record.
fn framed(record: &[u8]) -> Vec<u8> {
    let len = u32::try_from(record.len()).unwrap();
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend(checksum(record).to_le_bytes());
    bytes.extend(record);
    bytes
}

/// The record at the beginning of `bytes`, if it is there and whole.
fn record_at(bytes: &[u8], flaw: Flaw) -> Option<Vec<u8>> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (len, sum) = header.split_at(4);
    let len = usize::try_from(u32::from_le_bytes(len.try_into().ok()?)).ok()?;
    let record = rest.get(..len).filter(|record| !record.is_empty())?;
    let is_whole = checksum(record).to_le_bytes() == *sum;
    (is_whole || flaw == Flaw::TrustsTheLength).then(|| record.to_vec())
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}
