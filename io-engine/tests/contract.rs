//! The public contract, compiled as users write it and run on every driver.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{ClosureCb, IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Full, IOContext, Wait};

mod machine;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn write_and_read_back(fd: RawFd, driver: Driver) -> Result<()> {
    let (tx, rx) = crossbeam_channel::bounded(128);
    let _ctx = IOContext::<ClosureCb, _>::new(16, rx, &IOWorkers::new(1), driver)?;
    let mut buffer = Buffer::aligned(4096)?;
    buffer[0] = 65;
    let mut event = IOEvent::new(fd, buffer, IOAction::Write, 0);
    assert_eq!(event.res(), i32::MIN);
    assert!(!event.is_done());
    let (done_tx, done_rx) = crossbeam_channel::bounded(1);
    let done = done_tx.clone();
    event.set_callback(ClosureCb(Box::new(move |event| {
        let _ = done.send(event);
    })));
    tx.send(event)?;
    let event = done_rx.recv()?;
    assert!(event.is_done());
    event.get_write_result()?;

    let mut event = IOEvent::new(fd, Buffer::aligned(8192)?, IOAction::Read, 0);
    event.set_callback(ClosureCb(Box::new(move |event| {
        let _ = done_tx.send(event);
    })));
    tx.send(event)?;
    let event = done_rx.recv()?;
    assert_eq!((event.get_size(), event.get_result()?), (8192, 4096));
    let buf: Buffer = event.get_read_result()?;
    assert_eq!((buf.len(), buf[0], buf[1]), (4096, 65, 0));
    Ok(())
}

#[test]
fn the_example_runs_on_every_driver() {
    for driver in machine::drivers() {
        let file = tempfile::tempfile().unwrap();
        write_and_read_back(file.as_raw_fd(), driver).unwrap();
    }
}

enum MyCallback {
    Reply(crossbeam_channel::Sender<IOEvent<Self>>),
}

impl IOCallback for MyCallback {
    fn call(self, event: IOEvent<Self>) {
        match self {
            Self::Reply(to) => to.send(event).expect("somebody listens"),
        }
    }
}

fn block(file: &Arc<std::fs::File>, offset: i64, byte: u8) -> IOEvent<MyCallback> {
    IOEvent::new(
        file,
        Buffer::from(vec![byte; 4096]),
        IOAction::Write,
        offset,
    )
}

#[test]
fn the_fast_path_runs_on_every_driver() {
    for driver in machine::drivers() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let (reply, replies) = crossbeam_channel::bounded(16);
        let (tx, rx) = io_engine::channel::<MyCallback>(128);
        let ctx = IOContext::<MyCallback, _>::new(128, rx, &Inline, driver).unwrap();
        let mut events = (0..10).map(|index| {
            let mut event = block(&file, index * 4096, u8::try_from(index).unwrap());
            event.set_callback(MyCallback::Reply(reply.clone()));
            event
        });
        tx.send(events.next().unwrap()).unwrap();
        tx.try_send(events.next().unwrap()).unwrap();
        tx.send_batch(events).unwrap();
        ctx.shutdown().unwrap();
        assert_eq!(replies.try_iter().count(), 10);
        assert_eq!(file.metadata().unwrap().len(), 40960);
    }
}

#[test]
fn the_path_without_threads_runs_on_every_driver() {
    for driver in machine::drivers() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let (reply, replies) = crossbeam_channel::bounded(10);
        let mut engine = EventLoop::<MyCallback>::new(2, driver).unwrap();
        for index in 0..2 {
            let mut event = block(&file, index * 4096, 1);
            event.set_callback(MyCallback::Reply(reply.clone()));
            engine.submit(event).unwrap();
        }
        let Err(Full(refused)) = engine.submit(block(&file, 8192, 1)) else {
            panic!("a third event at depth 2");
        };
        assert_eq!(refused.offset(), 8192);
        let called = engine.run(Wait::For(2)).unwrap();
        assert_eq!((called, replies.len()), (2, 2));
        assert_eq!(
            engine.run(Wait::For(1)).unwrap(),
            0,
            "nothing inside, nothing to wait for"
        );
    }
}
