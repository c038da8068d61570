//! Files of a simulated disk behave as those of a local file system.
#![cfg(all(feature = "sim", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod sim_bench;

use std::sync::Arc;

use io_engine_core::sim::{Dice, Fault, SimDisk, Survival, for_each_seed};
use io_engine_core::{Buffer, FileHandle, IOAction, IOEvent};
use sim_bench::{Reply, SimBench, errno, read, write};

#[test]
fn a_file_grows_has_holes_and_an_end() {
    let mut bench = SimBench::new(1);
    let file = bench.disk.open("a");
    bench
        .perform(write(file, 1000, &[7; 10]))
        .get_write_result()
        .unwrap();
    let event = bench.perform(read(file, 995, 100));
    assert!(event.is_end_of_file());
    let expected = [&[0; 5][..], &[7; 10]].concat();
    assert_eq!(event.get_read_result().unwrap()[..], expected[..]);
    let event = bench.perform(read(file, 1 << 40, 100));
    assert_eq!(event.get_read_result().unwrap().len(), 0);
    assert_eq!(bench.disk.content(file).len(), 1010);
    assert_eq!(bench.disk.names(), ["a"]);
}

#[test]
fn a_number_of_no_file_is_ebadf_whether_real_or_simulated() {
    let mut bench = SimBench::new(1);
    let of_another_disk = SimDisk::new(2).open("b");
    let real = Arc::new(tempfile::tempfile().unwrap());
    for handle in [
        FileHandle::from(of_another_disk),
        FileHandle::from(&real),
        FileHandle::from(-1),
    ] {
        for event in [
            read(handle.clone(), 0, 10),
            write(handle.clone(), 0, &[1]),
            IOEvent::sync(handle.clone()),
            IOEvent::new_no_buf(handle, IOAction::Allocate, 0, 10),
        ] {
            assert_eq!(errno(bench.perform(event).get_result()), libc::EBADF);
        }
    }
    bench.perform(IOEvent::nop()).get_result().unwrap();
}

#[test]
fn where_the_space_ends_a_write_is_short_and_then_enospc() {
    let mut bench = SimBench::new(1);
    let (full, other) = (bench.disk.open("a"), bench.disk.open("b"));
    bench.disk.set_capacity(4 * 512);
    let event = bench.perform(write(full, 0, &[1; 3000]));
    assert_eq!(event.transferred(), 2048);
    assert_eq!(errno(event.get_result()), libc::ENOSPC);
    // There is room where something was.
    bench
        .perform(write(full, 100, &[2; 1900]))
        .get_write_result()
        .unwrap();
    assert_eq!(
        errno(bench.perform(write(other, 0, &[3])).get_result()),
        libc::ENOSPC
    );

    let punch = IOEvent::new_no_buf(full, IOAction::PunchHole, 500, 1036);
    bench.perform(punch).get_write_result().unwrap();
    let allocate = |len| IOEvent::new_no_buf(other, IOAction::AllocateKeepSize, 0, len);
    assert_eq!(
        errno(bench.perform(allocate(1025)).get_result()),
        libc::ENOSPC
    );
    bench.perform(allocate(1024)).get_write_result().unwrap();
    assert_eq!(
        errno(bench.perform(write(full, 512, &[3])).get_result()),
        libc::ENOSPC
    );
    bench
        .perform(write(other, 0, &[4; 1024]))
        .get_write_result()
        .unwrap();
}

#[test]
fn a_direct_file_takes_whole_sectors_and_is_resumed_at_one() {
    let mut bench = SimBench::new(1);
    let file = bench.disk.open_direct("a");
    assert_eq!(bench.disk.open("a").fd() & 1023, file.fd() & 1023);
    let direct = |action, len: usize, offset| {
        let mut buffer = Buffer::aligned(len).unwrap();
        buffer.fill(9);
        IOEvent::<Reply>::new(file, buffer, action, offset)
    };
    for misaligned in [
        direct(IOAction::Write, 512, 100),
        direct(IOAction::Write, 100, 0),
    ] {
        let error = bench.perform(misaligned).get_result().unwrap_err();
        assert!(error.to_string().contains("512"), "{error}");
    }
    bench.disk.inject(Fault::Short.one_in(2));
    for _ in 0..100 {
        let event = bench.perform(direct(IOAction::Write, 8192, 4096));
        event.get_write_result().unwrap();
        let event = bench.perform(direct(IOAction::Read, 8192, 4096));
        assert!(event.get_read_result().unwrap()[..] == [9; 8192]);
    }
    assert!(bench.disk.injected().of(Fault::Short) > 50);
}

#[test]
fn what_was_not_synced_is_lost_and_what_was_is_not() {
    for_each_seed(0..50, |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        bench
            .perform(write(file, 0, &[1; 2000]))
            .get_write_result()
            .unwrap();
        bench
            .perform(IOEvent::data_sync(file))
            .get_result()
            .unwrap();
        bench
            .perform(write(file, 1000, &[2; 2000]))
            .get_write_result()
            .unwrap();
        assert_eq!(bench.disk.crash(Survival::Nothing).content(file), [1; 2000]);
        let all = [&[1; 1000][..], &[2; 2000]].concat();
        assert_eq!(bench.disk.crash(Survival::Everything).content(file), all);
        let torn = bench.disk.crash(Survival::Sectors(seed));
        let content = torn.content(file);
        assert_eq!(content[..1000], [1; 1000]);
        assert!([2000, 3000].contains(&content.len()));
        // Twice the same.
        let again = bench.disk.crash(Survival::Sectors(seed));
        assert_eq!(again.content(file), content);
        assert_eq!(torn.crash(Survival::Nothing).content(file), content);
    });
}

/// What is written to a sector while a sync is under way changes nothing about what it saves.
#[test]
fn a_sync_saves_what_was_there_however_much_is_written_meanwhile() {
    for_each_seed(0..50, |seed| {
        let mut bench = SimBench::new(seed);
        let file = bench.disk.open("a");
        let written = bench.perform(write(file, 0, &[1; 100]));
        written.get_write_result().unwrap();
        bench
            .disk
            .inject(Fault::Delay.from_nth(1).on(IOAction::Sync));
        let mut events = vec![IOEvent::sync(file)];
        events.extend((100..115).map(|offset| write(file, offset, &[2])));
        for event in bench.perform_all(events) {
            event.get_write_result().unwrap();
        }
        let left = bench.disk.crash(Survival::Nothing).content(file);
        assert_eq!(left, [1; 100]);
    });
}

#[test]
fn a_sync_that_failed_is_not_made_good_by_the_next() {
    let mut bench = SimBench::new(1);
    let file = bench.disk.open("a");
    bench.disk.inject(Fault::Io.nth(1).on(IOAction::Sync));
    bench
        .perform(write(file, 0, &[1; 512]))
        .get_write_result()
        .unwrap();
    assert_eq!(
        errno(bench.perform(IOEvent::sync(file)).get_result()),
        libc::EIO
    );
    bench.perform(IOEvent::sync(file)).get_result().unwrap();
    assert_eq!(bench.disk.content(file), [1; 512]);
    assert_eq!(bench.disk.crash(Survival::Nothing).content(file), [0; 512]);
}

/// The same events to a simulated and to a real file: the same answers and the same content.
#[test]
fn it_answers_as_a_real_file_does() {
    let runs = if cfg!(debug_assertions) { 100 } else { 2000 };
    for_each_seed(0..runs, |seed| {
        let mut bench = SimBench::new(seed);
        bench.disk.let_real_files_through();
        let real = Arc::new(tempfile::tempfile_in("/dev/shm").unwrap());
        let simulated = bench.disk.open("a");
        let mut dice = Dice::new(!seed);
        for _ in 0..100 {
            let step = Step::new(&mut dice);
            let expected = step.perform(&mut bench, FileHandle::from(&real));
            let found = step.perform(&mut bench, FileHandle::from(simulated));
            assert_eq!(found, expected, "{step:?}");
        }
        let mut content = Vec::new();
        let mut file = &*real;
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::Read::read_to_end(&mut file, &mut content).unwrap();
        assert!(
            bench.disk.content(simulated) == content,
            "the content differs"
        );
    });
}

#[derive(Debug)]
struct Step {
    action: IOAction,
    offset: i64,
    lens: Vec<usize>,
    fill: u8,
}

impl Step {
    fn new(dice: &mut Dice) -> Self {
        let action = match dice.below(16) {
            0 => IOAction::Sync,
            1 => IOAction::DataSync,
            2 => IOAction::Allocate,
            3 => IOAction::AllocateKeepSize,
            4 => IOAction::PunchHole,
            // tmpfs has no FALLOC_FL_ZERO_RANGE.
            5..=9 => IOAction::Read,
            _ => IOAction::Write,
        };
        let parts = if action.moves_bytes() && dice.one_in(3) {
            3
        } else {
            1
        };
        Self {
            action,
            offset: i64::try_from(dice.below(20_000)).unwrap(),
            lens: (0..parts).map(|_| 1 + dice.below(3000)).collect(),
            fill: u8::try_from(dice.below(256)).unwrap(),
        }
    }

    fn perform(&self, bench: &mut SimBench, file: FileHandle) -> Vec<Result<Vec<u8>, Option<i32>>> {
        let mut offset = self.offset;
        let event = |len: &usize| {
            let at = offset;
            offset += i64::try_from(*len).unwrap();
            if !self.action.moves_bytes() {
                return IOEvent::new_no_buf(file.clone(), self.action, at, *len as u64);
            }
            match self.action == IOAction::Read {
                true => read(file.clone(), at, *len),
                false => write(file.clone(), at, &vec![self.fill; *len]),
            }
        };
        let events: Vec<_> = self.lens.iter().map(event).collect();
        let events = match events.len() {
            1 => bench.perform_all(events),
            _ => bench.perform_run(events),
        };
        let outcome = |event: IOEvent<Reply>| match event.action() == IOAction::Read {
            true => event.get_read_result().map(|buffer| buffer.to_vec()),
            false => event.get_write_result().map(|()| Vec::new()),
        };
        let errno = |error: std::io::Error| error.raw_os_error();
        let events = events.into_iter();
        events.map(|event| outcome(event).map_err(errno)).collect()
    }
}
