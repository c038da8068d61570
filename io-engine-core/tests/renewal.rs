//! An event that is used once more is as good as a new one.

use std::sync::Arc;

use io_engine_core::{
    Answered, Buffer, Completion, IOAction, IOCallback, IOEvent, InFlight, MergedEvents, Request,
};

struct Tag(u32);

impl IOCallback for Tag {
    fn call(self, _: IOEvent<Self>) {}
}

/// Ended by the kernel's `answer`.
fn ended(event: IOEvent<Tag>, answer: i64) -> IOEvent<Tag> {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    let completion = Completion::from_kernel(Request::from(event), answer);
    completion.settle(&mut finished, &mut again);
    assert!(again.is_empty(), "it is at its end");
    finished.remove(0)
}

fn read(file: &Arc<std::fs::File>) -> IOEvent<Tag> {
    let mut event = IOEvent::new(file, Buffer::from(vec![0; 100]), IOAction::Read, 300);
    event.set_callback(Tag(1));
    event
}

#[test]
fn it_keeps_file_and_buffer_and_forgets_the_rest() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let whole = ended(read(&file), 100);
    let failed = ended(read(&file), -i64::from(libc::EIO));
    let refused = {
        let event: IOEvent<Tag> =
            IOEvent::new(&file, Buffer::from(vec![0; 100]), IOAction::Read, -1);
        let mut finished = Vec::new();
        Completion::without_kernel(Request::from(event)).settle(&mut finished, &mut Vec::new());
        finished.remove(0)
    };
    for mut event in [whole, failed, refused] {
        let address = event.buffer().unwrap().as_ptr();
        let holders = Arc::strong_count(&file);
        event.renew(IOAction::Write, 700);
        assert_eq!(
            (event.action(), event.offset(), event.get_size()),
            (IOAction::Write, 700, 100)
        );
        assert_eq!((event.res(), event.transferred()), (i32::MIN, 0));
        assert!(!event.is_done() && !event.is_end_of_file());
        let error = event.get_result().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(event.buffer().unwrap().as_ptr(), address);
        assert_eq!(Arc::strong_count(&file), holders);
        let again = ended(event, 100);
        again.get_write_result().unwrap();
    }
}

#[test]
fn it_covers_what_is_in_use_of_the_buffer() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    // 40 bytes, then the end of the file.
    let mut slots = InFlight::with_capacity(1);
    let (ticket, _) = slots.insert_event(read(&file)).unwrap();
    let Some(Answered::Other(short)) = slots.answer(ticket, 40) else {
        panic!("60 bytes are missing");
    };
    let mut again = Vec::new();
    short.settle(&mut Vec::new(), &mut again);
    let mut finished = Vec::new();
    let end = Completion::from_kernel(again.remove(0), 0);
    end.settle(&mut finished, &mut again);
    let mut event = finished.remove(0);
    assert_eq!((event.buffer().unwrap().len(), event.get_size()), (40, 100));

    event.renew(IOAction::Read, 0);
    assert_eq!(event.get_size(), 40);
    let event = ended(event, 40);
    assert_eq!(event.get_read_result().unwrap().len(), 40);
}

#[test]
fn the_callback_is_dropped_and_another_may_take_its_place() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let mut event = read(&file);
    event.renew(IOAction::Read, 0);
    let mut slots = InFlight::with_capacity(1);
    let (ticket, _) = slots.insert_event(event).unwrap();
    assert!(matches!(
        slots.answer(ticket, 100),
        Some(Answered::Whole(_))
    ));
    assert!(slots.take_callback(ticket).is_none());
    let mut event = slots.take_whole(ticket);

    event.renew(IOAction::Read, 0);
    event.set_callback(Tag(2));
    let (ticket, _) = slots.insert_event(event).unwrap();
    assert!(matches!(
        slots.answer(ticket, 100),
        Some(Answered::Whole(_))
    ));
    assert_eq!(slots.take_callback(ticket).unwrap().0, 2);
    drop(slots.take_whole(ticket));
}

#[test]
fn without_a_buffer_the_range_stays() {
    let mut event = IOEvent::<Tag>::new_no_buf(-1, IOAction::Allocate, 0, 4096);
    event.renew(IOAction::PunchHole, 8192);
    assert_eq!(
        (event.action(), event.offset(), event.get_size()),
        (IOAction::PunchHole, 8192, 4096)
    );
}

#[test]
fn what_carries_others_stays_as_it_is() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let second = IOEvent::new(&file, Buffer::from(vec![0; 100]), IOAction::Read, 400);
    let merged = MergedEvents::new(vec![read(&file), second]).unwrap();
    let mut carrier = IOEvent::from_merged(merged);
    carrier.renew(IOAction::Write, 0);
    assert_eq!(
        (carrier.action(), carrier.offset(), carrier.get_size()),
        (IOAction::Read, 300, 200)
    );
    assert_eq!(carrier.into_events().count(), 2);
}

/// Handed over again as it is, without a renewal: then it goes on.
#[test]
fn a_read_that_goes_on_after_the_end_of_the_file_has_its_whole_buffer() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    let short = Completion::from_kernel(Request::from(read(&file)), 40);
    short.settle(&mut finished, &mut again);
    let end = Completion::from_kernel(again.remove(0), 0);
    end.settle(&mut finished, &mut again);
    let event = finished.remove(0);
    assert_eq!(event.buffer().unwrap().len(), 40);

    let mut slots = InFlight::with_capacity(1);
    let (ticket, _) = slots.insert_event(event).unwrap();
    assert!(matches!(slots.answer(ticket, 60), Some(Answered::Whole(_))));
    let event = slots.take_whole(ticket);
    assert_eq!((event.transferred(), event.is_end_of_file()), (100, false));
    assert_eq!(event.get_read_result().unwrap().len(), 100);
}
