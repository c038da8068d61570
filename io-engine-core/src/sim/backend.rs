//! The queue to a simulated disk.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::call::Call;
use super::disk::SimDisk;
use super::faults::{Fault, Stage};
use super::outcome::Accepted;
use crate::backend::{Answered, Backend, Wait};
use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::in_flight::{InFlight, Ticket};
use crate::readiness::readable_until;
use crate::refusal::Full;
use crate::request::Request;
use crate::start_error::{StartError, check_depth};
use crate::waker::Waker;

/// How long a wait for what hangs looks away from the disk, which may be healed meanwhile.
const HEALING_IS_SEEN_AFTER: Duration = Duration::from_millis(1);

/// Carries requests to a [`SimDisk`].
///
/// Its time is its own: a tick passes with each `drive`, and one that waits lets as many pass as it
/// takes. It sleeps only where all that is in flight hangs, or where nothing is and it is told to wait
/// until a moment.
pub struct SimBackend<C: IOCallback> {
    disk: SimDisk,
    slots: InFlight<C>,
    /// Not for the disk; they are done with the next drive.
    refused: Vec<Completion<C>>,
    /// In their slots, and not accepted by the disk.
    pushed: VecDeque<(Ticket, Call)>,
    /// With the disk: by the tick in which they are answered, and then in the order in which they were
    /// accepted.
    accepted: BTreeMap<(u64, u64), (Ticket, Accepted)>,
    /// With the disk, and not answered before it is healed once more than so often.
    hung: Vec<(u64, Ticket, Accepted)>,
    /// Answered by the disk, and not yielded.
    answers: VecDeque<(Ticket, i64)>,
    ticks: u64,
    accepted_count: u64,
    waker: Waker,
    is_broken: bool,
}

impl<C: IOCallback> SimBackend<C> {
    /// A queue for `depth` requests, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX).
    ///
    /// # Panics
    /// If it [cannot start](Self::start).
    #[must_use]
    pub fn new(disk: &SimDisk, depth: usize) -> Self {
        Self::start(disk, depth).expect("a depth in range, and a descriptor for the doorbell")
    }

    /// As [`new`](Self::new).
    ///
    /// # Errors
    /// The depth is out of range, or there is no descriptor left for the doorbell.
    pub fn start(disk: &SimDisk, depth: usize) -> Result<Self, StartError> {
        check_depth(depth)?;
        let waker = Waker::new().map_err(|cause| {
            StartError::new(
                "the doorbell of a simulated disk",
                cause,
                "the limit is RLIMIT_NOFILE (ulimit -n); raise it or close files",
            )
        })?;
        Ok(Self {
            disk: disk.clone(),
            slots: InFlight::with_capacity(depth),
            refused: Vec::new(),
            pushed: VecDeque::new(),
            accepted: BTreeMap::new(),
            hung: Vec::new(),
            answers: VecDeque::new(),
            ticks: 0,
            accepted_count: 0,
            waker,
            is_broken: false,
        })
    }

    /// Sends what was pushed, and lets time pass until as much is answered as is waited for.
    fn turn(&mut self, wait: Wait) -> io::Result<()> {
        self.ticks += 1;
        self.send()?;
        let wait = if self.waker.hear() { Wait::Never } else { wait };
        let (target, deadline) = wait.target(self.in_flight());
        self.answer_what_is_due();
        while self.answers.len() + self.refused.len() < target {
            if let Some(&(tick, _)) = self.accepted.keys().next() {
                self.ticks = self.ticks.max(tick);
            } else if !self.pushed.is_empty() {
                self.send()?;
            } else if !self.hung.is_empty() {
                let rung = self.sleep(Instant::now() + HEALING_IS_SEEN_AFTER);
                if rung || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    break;
                }
            } else {
                if let Some(deadline) = deadline {
                    self.sleep(deadline);
                }
                break;
            }
            self.answer_what_is_due();
        }
        Ok(())
    }

    /// Hands what was pushed to the disk, as far as it takes it.
    fn send(&mut self) -> io::Result<()> {
        let disk = self.disk.clone();
        let mut disk = disk.lock();
        while let Some((ticket, call)) = self.pushed.pop_front() {
            if disk.strike(Stage::Queue, &call).is_some() {
                self.pushed.push_front((ticket, call));
                return Err(io::Error::from_raw_os_error(libc::EBADF));
            }
            let struck = disk.strike(Stage::Sending, &call);
            match struck {
                Some(Fault::Busy) if !self.accepted.is_empty() => {
                    self.pushed.push_front((ticket, call));
                    return Ok(());
                }
                Some(fault) if fault.errno().is_some() => {
                    let errno = fault.errno().unwrap_or(libc::EIO);
                    self.answers.push_back((ticket, -i64::from(errno)));
                    continue;
                }
                _ => {}
            }
            let accepted = disk.accept(call);
            match disk.delay(&accepted) {
                Some(ticks) => {
                    let due = (self.ticks + ticks, self.accepted_count);
                    self.accepted.insert(due, (ticket, accepted));
                    self.accepted_count += 1;
                }
                None => self.hung.push((disk.rules.clearings(), ticket, accepted)),
            }
            if struck == Some(Fault::Prefix) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer_what_is_due(&mut self) {
        let mut disk = self.disk.lock();
        let clearings = disk.rules.clearings();
        let healed = self.hung.extract_if(.., |(before, ..)| *before < clearings);
        for (_, ticket, accepted) in healed {
            let due = (self.ticks, self.accepted_count);
            self.accepted.insert(due, (ticket, accepted));
            self.accepted_count += 1;
        }
        while let Some(entry) = self.accepted.first_entry()
            && entry.key().0 <= self.ticks
        {
            let (ticket, accepted) = entry.remove();
            let answer = disk.answer(&accepted);
            self.answers.push_back((ticket, answer));
            match disk.stray(&accepted) {
                Some(Fault::RepeatedTicket) => self.answers.push_back((ticket, answer)),
                Some(_) => {
                    let unknown = Ticket::from_user_data(!ticket.to_user_data());
                    self.answers.push_back((unknown, answer));
                }
                None => {}
            }
        }
    }

    /// Sleeps until the bell is rung or `deadline` has come; says whether it was rung.
    fn sleep(&self, deadline: Instant) -> bool {
        while readable_until(&self.waker, Some(deadline)).is_err() {}
        self.waker.hear()
    }

    /// Gives everything back; what the disk may still write to is leaked.
    fn give_back(&mut self, end: fn(Request<C>) -> Completion<C>, done: &mut Vec<Completion<C>>) {
        let end = match std::mem::replace(&mut self.is_broken, true) {
            true => Completion::queue_broken_unsent,
            false => end,
        };
        self.pushed.clear();
        self.accepted.clear();
        self.hung.clear();
        self.answers.clear();
        done.append(&mut self.refused);
        let slots = &mut self.slots;
        let tickets = slots.tickets().into_iter();
        done.extend(tickets.map(|ticket| end(slots.remove(ticket))));
    }

    fn turn_unless_broken(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.refused.extend(self.slots.untaken());
        let turned = match self.is_broken {
            true => Err(io::Error::from_raw_os_error(libc::EBADF)),
            false => self.turn(wait),
        };
        if turned.is_err() {
            self.give_back(Completion::queue_broken, done);
        }
        done.append(&mut self.refused);
        turned
    }

    fn take_in(&mut self, ticket: Ticket) {
        let call = Call::of(self.slots.get_mut(ticket));
        self.pushed.push_back((ticket, call));
    }
}

impl<C: IOCallback> Backend<C> for SimBackend<C> {
    fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    fn in_flight(&self) -> usize {
        self.slots.len() + self.refused.len()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        if request.needs_kernel() {
            let (ticket, _) = self.slots.insert(request)?;
            self.take_in(ticket);
        } else {
            self.refused.push(Completion::without_kernel(request));
        }
        Ok(())
    }

    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(event));
        }
        if event.is_plain() && !event.is_carrier_or_continued() {
            let (ticket, _) = self.slots.insert_event(event)?;
            self.take_in(ticket);
            return Ok(());
        }
        let pushed = self.push(Request::from(event));
        pushed.expect("there is room for one more");
        Ok(())
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.turn_unless_broken(wait, done)?;
        for (ticket, answer) in self.answers.drain(..) {
            self.slots.complete(ticket, answer, done);
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        done.extend(self.slots.untaken());
        let pushed = std::mem::take(&mut self.pushed).into_iter();
        let unsent = pushed.map(|(ticket, _)| self.slots.remove(ticket));
        done.extend(unsent.map(Completion::given_up_unsent));
        self.give_back(Completion::given_up, done);
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.slots.look_at_each(look);
    }

    fn drive_lazily(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.turn_unless_broken(wait, done)
    }

    fn next_answer(&mut self) -> Option<Answered<C>> {
        if let Some(untaken) = self.slots.untaken() {
            return Some(Answered::Other(untaken));
        }
        let (ticket, answer) = self.answers.pop_front()?;
        self.slots.answer(ticket, answer)
    }

    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.slots.take_callback(ticket)
    }

    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.slots.take_whole(ticket)
    }
}

impl<C: IOCallback> Drop for SimBackend<C> {
    /// What the disk has accepted is carried out, as a kernel would; then the slots are free.
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let mut disk = self.disk.lock();
        for (_, accepted) in self.accepted.values() {
            disk.answer(accepted);
        }
        for (_, _, accepted) in &self.hung {
            disk.answer(accepted);
        }
    }
}

impl<C: IOCallback> fmt::Debug for SimBackend<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBackend")
            .field("disk", &self.disk)
            .field("in_flight", &self.in_flight())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
