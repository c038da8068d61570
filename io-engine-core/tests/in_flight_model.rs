//! The slab against a plain map.

use std::collections::HashMap;

use io_engine_core::{
    Answered, Completion, Full, IOAction, IOCallback, IOEvent, InFlight, MergedEvents, Request,
    Ticket,
};
use proptest::prelude::*;

fn request(number: u32) -> Request<()> {
    let len = u64::from(number) + 1;
    Request::from(IOEvent::new_no_buf(-1, IOAction::Allocate, 0, len))
}

fn number_of(request: &Request<()>) -> u32 {
    u32::try_from(request.total_bytes() - 1).expect("made of a u32")
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert,
    Remove(prop::sample::Index),
    Look(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Insert),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => any::<prop::sample::Index>().prop_map(Step::Look),
    ]
}

proptest! {
    #[test]
    fn it_holds_what_a_map_holds(
        capacity in 1_usize..20,
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        let mut slab = InFlight::with_capacity(capacity);
        let mut model: HashMap<Ticket, u32> = HashMap::new();
        let mut order: Vec<Ticket> = Vec::new();
        let mut ever = std::collections::HashSet::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Insert => match slab.insert(request(number)) {
                    Ok((ticket, _)) => {
                        prop_assert!(model.len() < capacity);
                        prop_assert!(ticket.index() < capacity);
                        prop_assert!(ever.insert(ticket), "a ticket was given twice");
                        prop_assert_ne!(ticket, Ticket::DOORBELL);
                        prop_assert_eq!(Ticket::from_user_data(ticket.to_user_data()), ticket);
                        model.insert(ticket, number);
                        order.push(ticket);
                    }
                    Err(Full(back)) => {
                        prop_assert_eq!(model.len(), capacity);
                        prop_assert_eq!(number_of(&back), number);
                    }
                },
                Step::Remove(which) if !order.is_empty() => {
                    let ticket = order.swap_remove(which.index(order.len()));
                    let found = number_of(&slab.remove(ticket));
                    prop_assert_eq!(Some(found), model.remove(&ticket));
                }
                Step::Look(which) if !order.is_empty() => {
                    let ticket = order[which.index(order.len())];
                    prop_assert_eq!(number_of(slab.get_mut(ticket)), model[&ticket]);
                }
                Step::Remove(_) | Step::Look(_) => {}
            }
            prop_assert_eq!(slab.len(), model.len());
            prop_assert_eq!(slab.is_empty(), model.is_empty());
            prop_assert_eq!(slab.capacity(), capacity);
            let held: std::collections::HashSet<Ticket> = slab.tickets().into_iter().collect();
            prop_assert_eq!(held, model.keys().copied().collect());
        }
    }
}

#[test]
fn a_request_stays_where_it_is_while_others_come_and_go() {
    let mut slab = InFlight::with_capacity(8);
    let held = slab.insert(request(0)).unwrap().0;
    let place = std::ptr::from_mut(slab.get_mut(held)) as usize;
    for number in 1..100 {
        let other = slab.insert(request(number)).unwrap().0;
        assert_eq!(std::ptr::from_mut(slab.get_mut(held)) as usize, place);
        drop(slab.remove(other));
    }
}

#[test]
fn d6_as_many_requests_as_the_deepest_queue_holds_have_tickets_of_their_own() {
    let depth = 70_000;
    let mut slab = InFlight::with_capacity(depth);
    let tickets: std::collections::HashSet<u64> = (0..70_000)
        .map(|number| slab.insert(request(number)).unwrap().0.to_user_data())
        .collect();
    assert_eq!(tickets.len(), depth);
}

#[test]
#[should_panic(expected = "stale")]
fn removing_twice_panics() {
    let mut slab = InFlight::with_capacity(1);
    let ticket = slab.insert(request(0)).unwrap().0;
    drop(slab.remove(ticket));
    drop(slab.remove(ticket));
}

#[test]
#[should_panic(expected = "stale")]
fn the_ticket_of_an_answered_request_fits_no_later_one() {
    let mut slab = InFlight::with_capacity(1);
    let first = slab.insert(request(0)).unwrap().0;
    drop(slab.remove(first));
    let second = slab.insert(request(1)).unwrap().0;
    assert_eq!(first.index(), second.index());
    assert_ne!(first, second);
    drop(slab.remove(first));
}

#[test]
#[should_panic(expected = "stale")]
fn looking_with_a_stale_ticket_panics() {
    let mut slab = InFlight::with_capacity(1);
    let ticket = slab.insert(request(0)).unwrap().0;
    drop(slab.remove(ticket));
    slab.get_mut(ticket);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn a_ticket_that_never_was_panics() {
    let mut slab = InFlight::<()>::with_capacity(1);
    drop(slab.remove(Ticket::DOORBELL));
}

#[test]
#[should_panic(expected = "stale")]
fn a_made_up_ticket_for_a_free_slot_panics() {
    let mut slab = InFlight::<()>::with_capacity(1);
    drop(slab.remove(Ticket::from_user_data(0)));
}

/// Two events that end when they are answered, and their tickets.
fn two_in_flight() -> (InFlight<()>, [Ticket; 2]) {
    let mut slab = InFlight::with_capacity(2);
    let tickets = [0, 1].map(|number| slab.insert(request(number)).expect("there is room").0);
    (slab, tickets)
}

fn is_whole(answered: &Option<Answered<()>>, ticket: Ticket) -> bool {
    matches!(answered, Some(Answered::Whole(whole)) if *whole == ticket)
}

#[test]
fn what_does_not_fit_comes_back_and_takes_no_slot() {
    let file = std::sync::Arc::new(tempfile::tempfile().unwrap());
    let mut slab = InFlight::<()>::with_capacity(1);
    let sync = || IOEvent::sync(std::sync::Arc::clone(&file));
    for _ in 0..3 {
        let back = slab.insert_if(sync(), |event| event.action() == IOAction::Nop);
        let Err(back) = back else {
            panic!("a sync is no NOP");
        };
        assert_eq!((back.action(), slab.len()), (IOAction::Sync, 0));
        drop(back);
        assert_eq!(std::sync::Arc::strong_count(&file), 1);
    }
    let (ticket, request) = slab.insert_if(sync(), |_| true).expect("there is room");
    assert_eq!(
        (request.action(), request.event_count()),
        (IOAction::Sync, 1)
    );
    assert!(slab.insert_if(sync(), |_| true).is_err(), "it is full");
    drop(slab.remove(ticket));
    assert_eq!(std::sync::Arc::strong_count(&file), 1);
}

/// These become requests in other ways.
#[test]
fn what_carries_others_or_goes_on_never_fits() {
    let mut slab = InFlight::<()>::with_capacity(1);
    let read = |offset| IOEvent::new(-1, vec![0; 10].into(), IOAction::Read, offset);
    let merged = MergedEvents::new(vec![read(0), read(10)]).unwrap();
    let carrier = IOEvent::from_merged(merged);
    let back = slab
        .insert_if(carrier, |_| true)
        .expect_err("it carries two");
    assert_eq!(back.event_count(), 2);

    let mut short = Vec::new();
    Completion::from_kernel(Request::from(read(0)), 4).report(&mut short);
    let back = slab.insert_if(short.remove(0), |_| true);
    assert_eq!(back.expect_err("it goes on").transferred(), 4);
    assert!(slab.is_empty());
}

#[test]
#[should_panic(expected = "was not called whole")]
fn a_callback_of_what_the_kernel_may_still_have_cannot_be_taken() {
    let (mut slab, tickets) = two_in_flight();
    assert!(is_whole(&slab.answer(tickets[0], 0), tickets[0]));
    let _ = slab.take_callback(tickets[1]);
}

#[test]
#[should_panic(expected = "was not called whole")]
fn what_the_kernel_may_still_have_cannot_be_taken() {
    let (mut slab, tickets) = two_in_flight();
    assert!(is_whole(&slab.answer(tickets[0], 0), tickets[0]));
    drop(slab.take_whole(tickets[1]));
}

#[test]
#[should_panic(expected = "was not called whole")]
fn what_was_called_whole_can_be_taken_once() {
    let (mut slab, tickets) = two_in_flight();
    assert!(is_whole(&slab.answer(tickets[0], 0), tickets[0]));
    drop(slab.take_whole(tickets[0]));
    drop(slab.take_whole(tickets[0]));
}

#[test]
#[should_panic(expected = "stale")]
fn what_was_called_whole_and_removed_cannot_be_taken() {
    let (mut slab, tickets) = two_in_flight();
    assert!(is_whole(&slab.answer(tickets[0], 0), tickets[0]));
    drop(slab.remove(tickets[0]));
    drop(slab.take_whole(tickets[0]));
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn nothing_is_whole_under_the_ticket_of_the_doorbell() {
    let mut slab = InFlight::<()>::with_capacity(1);
    drop(slab.take_whole(Ticket::DOORBELL));
}

/// A carrier needs no callback, and drops the one that it was given.
#[test]
fn a_panic_in_what_a_carrier_drops_costs_neither_a_slot_nor_its_events() {
    struct Grudge(bool);
    impl IOCallback for Grudge {
        fn call(self, _: IOEvent<Self>) {}
    }
    impl Drop for Grudge {
        fn drop(&mut self) {
            assert!(!self.0, "as it was told to");
        }
    }
    let event = |offset| {
        let mut event = IOEvent::new(-1, vec![0; 10].into(), IOAction::Read, offset);
        event.set_callback(Grudge(false));
        event
    };
    let merged = MergedEvents::new(vec![event(0), event(10)]).unwrap();
    let mut carrier = IOEvent::from_merged(merged);
    carrier.set_callback(Grudge(true));
    let mut slab = InFlight::with_capacity(1);
    let (ticket, request) = slab.insert_event(carrier).unwrap();
    assert_eq!(request.event_count(), 2);
    drop(slab.remove(ticket));
    assert!(slab.insert_event(event(0)).is_ok() && slab.len() == 1);
}

#[test]
fn what_is_still_inside_is_dropped_with_the_slab_and_nothing_else_is() {
    let file = std::sync::Arc::new(tempfile::tempfile().unwrap());
    let mut slab = InFlight::<()>::with_capacity(8);
    let mut insert = || {
        let event = IOEvent::sync(std::sync::Arc::clone(&file));
        slab.insert(Request::from(event)).unwrap().0
    };
    let tickets: Vec<Ticket> = std::iter::repeat_with(&mut insert).take(5).collect();
    assert_eq!(std::sync::Arc::strong_count(&file), 6);
    drop(slab.remove(tickets[1]));
    drop(slab.remove(tickets[4]));
    assert_eq!(std::sync::Arc::strong_count(&file), 4);
    drop(slab);
    assert_eq!(std::sync::Arc::strong_count(&file), 1);
}
