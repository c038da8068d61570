//! The end of an engine, of the machine, and of the script.

use std::io;
use std::time::Duration;

use io_engine::sim::{Fault, Survival};
use io_engine::tasks::IOAction;
use io_engine::{EventLoop, ShutdownError};

use super::super::Summary;
use super::super::expected::Exposure;
use super::super::step::{End, FILE_BYTES, HANDLES, Reopening};
use super::super::told::Numbered;
use super::{AMPLE_BYTES, World, file_of, open, start};

impl World {
    /// Ends the engine, perhaps the machine, and starts another one.
    pub(crate) fn reopen(&mut self, how: Reopening) {
        match how.end {
            End::Dropped => {
                self.disk.heal();
                if self.is_broken {
                    self.finish();
                }
                drop(self.take_engine());
                self.take_what_was_told(true);
            }
            // To sleep on a device that hangs is a call that an interpreter does not know.
            End::WithDeadline(_) if cfg!(miri) => self.end_in_time(0),
            End::WithDeadline(milliseconds) => self.end_in_time(milliseconds),
        }
        assert!(
            self.pending.is_empty(),
            "lost at an end: {:?}",
            self.pending
        );
        self.disk.heal();
        self.summary.add_faults_of(&self.disk);
        if let Some(survival) = how.crash {
            self.crash(survival);
        }
        self.setup = how.setup;
        self.engine = start(&self.disk, how.setup);
        self.kept = [None; HANDLES];
        self.exposure = Exposure::default();
        self.is_broken = false;
        self.disk.set_capacity(AMPLE_BYTES);
        self.summary.ends += 1;
    }

    /// What is in its place meanwhile is never used.
    fn take_engine(&mut self) -> EventLoop<Numbered> {
        std::mem::replace(&mut self.engine, start(&self.disk, self.setup))
    }

    fn end_in_time(&mut self, milliseconds: u64) {
        self.may_now_happen(Exposure::to_an_end());
        let inside = self.engine.in_flight();
        let ended = self
            .take_engine()
            .shutdown_timeout(Duration::from_millis(milliseconds));
        let told = self.log.lock();
        let broken = told.finished.iter().filter(|(_, event)| {
            let kind = event.get_result().err().map(|error| error.kind());
            kind == Some(io::ErrorKind::BrokenPipe)
        });
        let broken = broken.count();
        drop(told);
        let given_up = match ended {
            Ok(()) => 0,
            Err(ShutdownError::StillInFlight(count)) => count,
            Err(other) => panic!("a loop without a thread: {other}"),
        };
        assert!(given_up <= inside, "{given_up} of {inside}");
        let counts_match =
            self.is_broken || self.exposure.has(Fault::BrokenQueue) || given_up == broken;
        assert!(
            counts_match,
            "{given_up} were said to be given up, and {broken} were"
        );
        self.summary.given_up += given_up as u64;
        self.take_what_was_told(true);
    }

    fn crash(&mut self, survival: Survival) {
        let left = self.disk.crash(survival);
        let before = std::mem::replace(&mut self.disk, left);
        self.handles = open(&self.disk);
        for (handle, contents) in [0, 2].into_iter().zip(&mut self.files) {
            let found = self.disk.content(self.handles[handle]);
            if survival == Survival::Everything {
                self.now += 1;
                assert_eq!(found, before.content(self.handles[handle]));
                contents
                    .has_read(0, &found, self.now)
                    .unwrap_or_else(|differs| panic!("{handle}: {differs}"));
            }
            contents
                .has_crashed(&found)
                .unwrap_or_else(|differs| panic!("{survival:?}: {differs}"));
        }
        self.summary.crashes += 1;
    }

    /// Heals the disk, lets everything finish, and compares every byte.
    pub(crate) fn conclude(mut self) -> Summary {
        self.heal();
        self.finish();
        if self.is_broken {
            self.reopen(Reopening {
                end: End::Dropped,
                crash: None,
                setup: self.setup,
            });
        }
        for handle in 0..HANDLES {
            let number = self.numbers(1);
            let read = (IOAction::Read, handle, 0..FILE_BYTES);
            let event = self.prepare(number, read, None);
            self.submit(event);
            self.finish();
            let found = self.disk.content(self.handles[handle]);
            let contents = &mut self.files[file_of(handle)];
            assert!((contents.len_min..=contents.len_max).contains(&found.len()));
            contents
                .has_read(0, &found, self.now)
                .unwrap_or_else(|differs| panic!("{handle}: {differs}"));
        }
        drop(self.engine);
        assert!(self.log.take().dropped.is_empty());
        self.summary.add_faults_of(&self.disk);
        self.summary
    }
}
