//! `Driver::Auto` takes files that a ring would hand to kernel threads another way, with the same
//! results.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::sync::Arc;

use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Wait};
use machine::engine::{Engine, Reply, WAYS};
use machine::within_deadline;

mod machine;

const BLOCK: usize = 4096;

fn memory_file() -> Option<Arc<File>> {
    let file = tempfile::tempfile_in("/dev/shm");
    if let Err(error) = &file {
        eprintln!("skipped: no file in /dev/shm: {error}");
    }
    file.ok().map(Arc::new)
}

fn on_every_way(what: &str, depth: usize, body: impl Fn(&mut Engine) + Clone + Send + 'static) {
    for way in WAYS {
        let body = body.clone();
        within_deadline(&format!("{what}: {way:?}"), move || {
            let mut engine = Engine::new(Driver::Auto, way, depth);
            body(&mut engine);
            engine.finish();
        });
    }
}

fn writes(file: &Arc<File>, blocks: u8) -> Vec<IOEvent<Reply>> {
    let write = |block: u8| {
        let buffer = Buffer::from(vec![block; BLOCK]);
        let offset = i64::from(block) * 4096;
        IOEvent::new(file, buffer, IOAction::Write, offset)
    };
    (0..blocks).map(write).collect()
}

fn reads(file: &Arc<File>, blocks: u8) -> Vec<IOEvent<Reply>> {
    let read = |block: u8| {
        let offset = i64::from(block) * 4096;
        IOEvent::new(
            file,
            Buffer::aligned(BLOCK).unwrap(),
            IOAction::Read,
            offset,
        )
    };
    (0..blocks).map(read).collect()
}

fn assert_numbered(events: Vec<IOEvent<Reply>>) {
    for (block, event) in (0..).zip(events) {
        let bytes = event.get_read_result().unwrap();
        assert_eq!(&*bytes, &[block; BLOCK], "block {block}");
    }
}

#[test]
fn a_file_in_memory_and_a_file_on_disk_are_served_side_by_side() {
    let Some(memory) = memory_file() else { return };
    let disk = Arc::new(tempfile::tempfile().unwrap());
    on_every_way("two files", 8, move |engine| {
        let mut both = writes(&memory, 40);
        for (at, event) in writes(&disk, 40).into_iter().enumerate() {
            both.insert(2 * at, event);
        }
        for event in engine.carry_out(both) {
            event.get_write_result().unwrap();
        }
        for event in engine.carry_out(vec![IOEvent::sync(&memory), IOEvent::data_sync(&disk)]) {
            event.get_write_result().unwrap();
        }
        assert_numbered(engine.carry_out(reads(&memory, 40)));
        assert_numbered(engine.carry_out(reads(&disk, 40)));
    });
}

#[test]
fn many_transfers_in_memory_are_shared_with_helpers_and_none_is_lost() {
    let Some(memory) = memory_file() else { return };
    on_every_way("many in memory", 128, move |engine| {
        for _ in 0..20 {
            for event in engine.carry_out(writes(&memory, 250)) {
                event.get_write_result().unwrap();
            }
            assert_numbered(engine.carry_out(reads(&memory, 250)));
            // A few, which the loop does alone, after many.
            assert_numbered(engine.carry_out(reads(&memory, 3)));
        }
    });
}

#[test]
fn an_engine_that_ends_with_transfers_in_memory_inside_finishes_them() {
    let Some(memory) = memory_file() else { return };
    memory.set_len(250 * BLOCK as u64).unwrap();
    for way in WAYS {
        let memory = Arc::clone(&memory);
        within_deadline(&format!("ending: {way:?}"), move || {
            for count in [1, 20, 200] {
                let (tx, rx) = crossbeam_channel::bounded(256);
                let mut engine = Engine::new(Driver::Auto, way, 256);
                let events = reads(&memory, count).into_iter().map(|mut event| {
                    let told = tx.clone();
                    event.set_callback(Reply::telling(told));
                    event
                });
                engine.submit(events.collect());
                engine.finish();
                assert_eq!(rx.try_iter().count(), usize::from(count));
            }
        });
    }
}

#[test]
fn the_end_of_a_file_in_memory_is_seen_and_what_cannot_work_is_refused() {
    let Some(memory) = memory_file() else { return };
    memory.set_len(BLOCK as u64 + 100).unwrap();
    on_every_way("the end", 4, move |engine| {
        let read_at = |offset| {
            IOEvent::new(
                &memory,
                Buffer::aligned(BLOCK).unwrap(),
                IOAction::Read,
                offset,
            )
        };
        let done = engine.carry_out(vec![
            read_at(0),
            read_at(BLOCK as i64),
            read_at(10 * BLOCK as i64),
            read_at(-1),
            IOEvent::new_no_buf(&memory, IOAction::Read, 0, 1),
        ]);
        let lengths: Vec<_> = done
            .into_iter()
            .map(|event| event.get_read_result().map(|buffer| buffer.len()).ok())
            .collect();
        assert_eq!(lengths, [Some(BLOCK), Some(100), Some(0), None, None]);
    });
}

#[test]
fn a_file_that_may_block_is_read_by_threads() {
    let expected = std::fs::read("/proc/version").unwrap();
    let file = Arc::new(File::open("/proc/version").unwrap());
    on_every_way("a file of /proc", 4, move |engine| {
        let read = || IOEvent::new(&file, Buffer::aligned(BLOCK).unwrap(), IOAction::Read, 0);
        for event in engine.carry_out((0..100).map(|_| read()).collect()) {
            assert_eq!(&*event.get_read_result().unwrap(), &*expected);
        }
    });
}

/// Hands its event over again as it is, complete, with a callback that tells.
struct OnceMore(crossbeam_channel::Sender<usize>, bool);

impl IOCallback for OnceMore {
    fn call(self, mut event: IOEvent<Self>) {
        let Self(tell, is_first) = self;
        if is_first {
            event.set_callback(Self(tell, false));
            io_engine::resubmit(event).expect("one event for the one that it got");
        } else {
            tell.send(event.get_result().unwrap()).unwrap();
        }
    }
}

#[test]
fn a_complete_event_that_is_handed_over_again_ends_at_once_on_every_route() {
    let disk = Arc::new(tempfile::tempfile().unwrap());
    for file in memory_file().into_iter().chain([disk]) {
        file.set_len(BLOCK as u64).unwrap();
        within_deadline("handed over again, complete", move || {
            let (tell, told) = crossbeam_channel::bounded(1);
            let mut engine = EventLoop::<OnceMore>::new(4, Driver::Auto).unwrap();
            // The first time finds out how the file is served best.
            for _ in 0..40 {
                let buffer = Buffer::aligned(BLOCK).unwrap();
                let mut event = IOEvent::new(&file, buffer, IOAction::Read, 0);
                event.set_callback(OnceMore(tell.clone(), true));
                engine.submit(event).unwrap();
                while engine.in_flight() > 0 {
                    engine.run(Wait::For(1)).unwrap();
                }
                assert_eq!(told.try_recv().unwrap(), BLOCK);
            }
        });
    }
}

/// Goes on for ever.
struct Endless;

impl IOCallback for Endless {
    fn call(self, event: IOEvent<Self>) {
        let file = event.file().clone();
        let mut next = IOEvent::new(file, event.into_buffer().unwrap(), IOAction::Read, 0);
        next.set_callback(Self);
        // Refused when the loop is dropped.
        drop(io_engine::resubmit(next));
    }
}

#[test]
fn a_ring_is_heard_while_answers_come_from_elsewhere_than_the_queue() {
    let disk = Arc::new(tempfile::tempfile().unwrap());
    for file in memory_file().into_iter().chain([disk]) {
        file.set_len(BLOCK as u64).unwrap();
        within_deadline("a ring among answers", move || {
            let mut engine = EventLoop::<Endless>::new(4, Driver::Auto).unwrap();
            let buffer = Buffer::aligned(BLOCK).unwrap();
            let mut event = IOEvent::new(&file, buffer, IOAction::Read, 0);
            event.set_callback(Endless);
            engine.submit(event).unwrap();
            let waker = engine.waker();
            let rings = std::thread::spawn(move || {
                std::thread::park_timeout(std::time::Duration::from_millis(20));
                waker.ring();
            });
            let called = engine.run(Wait::For(usize::MAX)).unwrap();
            assert!(called > 0);
            rings.join().unwrap();
        });
    }
}
