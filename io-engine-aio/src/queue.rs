//! What is pushed, what the kernel has, and what comes back: the whole logic of the backend.
//!
//! It is written against [`Kernel`], so that a scripted one can show it everything that the real
//! one does once in a year.
#![allow(
    unsafe_code,
    reason = "submits control blocks that refer to memory of the requests in flight"
)]

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_engine_core::{
    Completion, Full, IOAction, IOCallback, InFlight, Request, Ticket, Wait, Waker,
};
use rustix::io::Errno;

use crate::allocation::Allocation;
use crate::control_block::{ControlBlock, KernelEvent};
use crate::kernel_context::Kernel;

mod giving_up;

/// How many blocks one `io_submit` carries. The pointers to them lie on the stack; beyond this the
/// price of a system call per block is below what can be measured.
const SUBMIT_COUNT_MAX: usize = 256;

/// How many events one `io_getevents` brings.
const REAP_COUNT_MAX: usize = 256;

/// How often in a row the kernel may put a batch off although it has nothing to do, before the
/// first request of the batch gets that as its answer.
const PUT_OFF_COUNT_MAX: u32 = 8;

pub(crate) struct Queue<C: IOCallback, K: Kernel> {
    kernel: K,
    waker: Waker,
    doorbell: Doorbell,
    /// Every request but those in `ready`. Leaked whole if the kernel does not let go of some.
    requests: ManuallyDrop<InFlight<C>>,
    /// One per slot of `requests`, and the doorbell's at the end. The kernel uses them only during
    /// `io_submit`.
    blocks: Box<[ControlBlock]>,
    /// Pushed and not yet accepted by the kernel, in order; the doorbell too.
    unsent: VecDeque<Ticket>,
    /// Pushed, and to be carried out without the kernel's queue.
    allocations: Vec<(Ticket, Allocation)>,
    /// Complete without a call, and not yet yielded.
    ready: Vec<Completion<C>>,
    /// Accepted by the kernel and not yet reaped, without the doorbell.
    in_kernel: usize,
    /// Requests were given back while the kernel had them: it may have them still.
    has_left_some: bool,
    events: Box<[KernelEvent]>,
    broken: Option<Errno>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doorbell {
    /// A ring is seen only when it is armed the next time.
    Idle,
    /// Among the unsent.
    Unsent,
    /// The kernel has it: a ring ends a sleep.
    Armed,
}

/// How long one look at the kernel's answers may take.
#[derive(Clone, Copy, Debug)]
enum Sleep {
    Not,
    UntilWoken,
    Until(Instant),
}

/// What one look at the kernel's answers has found.
#[derive(Clone, Copy, Debug)]
struct Reaped {
    event_count: usize,
    rung: bool,
}

impl<C: IOCallback, K: Kernel> Queue<C, K> {
    /// An empty queue for `depth` requests.
    pub(crate) fn new(kernel: K, waker: Waker, depth: usize) -> Self {
        let mut blocks = vec![ControlBlock::default(); depth + 1].into_boxed_slice();
        blocks[depth] = ControlBlock::for_doorbell(waker.as_raw_fd());
        Self {
            kernel,
            waker,
            doorbell: Doorbell::Idle,
            requests: ManuallyDrop::new(InFlight::with_capacity(depth)),
            blocks,
            unsent: VecDeque::with_capacity(depth + 1),
            allocations: Vec::new(),
            ready: Vec::new(),
            in_kernel: 0,
            has_left_some: false,
            events: vec![KernelEvent::default(); REAP_COUNT_MAX.min(depth + 1)].into(),
            broken: None,
        }
    }

    /// Makes the first calls, which show whether there will be others: arms the doorbell and looks
    /// for answers.
    pub(crate) fn try_out(&mut self) -> Result<(), (&'static str, Errno)> {
        self.queue_doorbell();
        let mut none = Vec::new();
        self.send(&mut none).map_err(|errno| ("io_submit", errno))?;
        match self.kernel.reap(0, &mut [], Some(Duration::ZERO)) {
            // A signal is pending on this thread; that the kernel looked for one shows that the
            // call is allowed.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(("io_getevents", errno)),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.requests.capacity()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.requests.len() + self.ready.len()
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.requests.look_at_each(look);
    }

    pub(crate) fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        if !request.needs_kernel() {
            self.ready.push(Completion::without_kernel(request));
            return Ok(());
        }
        if request.action() == IOAction::Nop {
            self.ready.push(Completion::from_kernel(request, 0));
            return Ok(());
        }
        let (ticket, request) = self.requests.insert(request)?;
        let (operation, fd) = (request.operation(), request.fd());
        if let Some(allocation) = Allocation::of(operation) {
            self.allocations.push((ticket, allocation));
        } else if let Some(block) = ControlBlock::for_operation(operation, fd, ticket) {
            self.blocks[ticket.index()] = block;
            self.unsent.push_back(ticket);
        }
        Ok(())
    }

    pub(crate) fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if let Some(errno) = self.broken {
            self.give_back_everything(errno, done);
            return Err(errno.into());
        }
        self.turn(wait, done).map_err(|errno| {
            tracing::error!(%errno, in_kernel = self.in_kernel, "the AIO queue is broken");
            self.broken = Some(errno);
            self.give_back_everything(errno, done);
            errno.into()
        })
    }

    /// One turn of a queue that works. Its error is the end of the queue.
    fn turn(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> Result<(), Errno> {
        let (wanted, asleep) = match wait {
            Wait::Never => (0, Sleep::Not),
            Wait::For(count) => (count.min(self.in_flight()), Sleep::UntilWoken),
            Wait::Until(deadline) => (1, Sleep::Until(deadline)),
        };
        let enough = done.len() + wanted;
        done.append(&mut self.ready);
        if done.len() < enough {
            self.queue_doorbell();
        }
        self.send(done)?;
        self.allocate(done);
        loop {
            let has_enough = done.len() >= enough;
            let reaped = self.reap(if has_enough { Sleep::Not } else { asleep }, done)?;
            let is_over = reaped.rung || reaped.event_count == 0;
            if reaped.event_count > 0 {
                // What the kernel had put off has room now, also if nobody asks again.
                self.send(done)?;
            }
            let may_be_more = reaped.event_count == self.events.len();
            if is_over || (done.len() >= enough && !may_be_more) {
                return Ok(());
            }
        }
    }

    fn queue_doorbell(&mut self) {
        if self.doorbell == Doorbell::Idle {
            self.unsent.push_front(Ticket::DOORBELL);
            self.doorbell = Doorbell::Unsent;
        }
    }

    /// Sends until the kernel has everything, or puts the rest off and has something to finish
    /// first. What it refuses is answered one by one: the others in the batch go on.
    fn send(&mut self, done: &mut Vec<Completion<C>>) -> Result<(), Errno> {
        let mut put_off_count = 0;
        while !self.unsent.is_empty() {
            let errno = match self.submit_batch() {
                Ok(accepted) if accepted > 0 => {
                    put_off_count = 0;
                    self.take_note_of_accepted(accepted);
                    continue;
                }
                Ok(_) => Errno::AGAIN,
                Err(errno) => errno,
            };
            if matches!(errno, Errno::AGAIN | Errno::INTR) {
                if self.in_kernel > 0 {
                    return Ok(());
                }
                put_off_count += 1;
                if put_off_count < PUT_OFF_COUNT_MAX {
                    continue;
                }
                put_off_count = 0;
            } else {
                self.confirm(errno)?;
            }
            self.answer_head(errno, done)?;
        }
        Ok(())
    }

    fn submit_batch(&mut self) -> Result<usize, Errno> {
        let mut batch = [std::ptr::null_mut(); SUBMIT_COUNT_MAX];
        let doorbell = self.requests.capacity();
        let first = self.blocks.as_mut_ptr();
        let count = self.unsent.len().min(SUBMIT_COUNT_MAX);
        for (pointer, ticket) in batch.iter_mut().zip(&self.unsent) {
            let index = if *ticket == Ticket::DOORBELL {
                doorbell
            } else {
                ticket.index()
            };
            debug_assert!(index < self.blocks.len());
            *pointer = first.wrapping_add(index);
        }
        // SAFETY: the pointers lead into `blocks`, which `&mut self` keeps from everyone else
        // during the call. A block refers to buffers and segments that its request owns and to the
        // open eventfd of `waker`. The request stays in `requests`, which gives no access to it,
        // until its event has been reaped; `drop` closes the kernel's side first and leaks
        // `requests` if that fails; `give_back_everything` and `abandon` leak the buffers of what the
        // kernel may have.
        unsafe { self.kernel.submit(&mut batch[..count]) }
    }

    fn take_note_of_accepted(&mut self, accepted: usize) {
        for ticket in self.unsent.drain(..accepted) {
            if ticket == Ticket::DOORBELL {
                self.doorbell = Doorbell::Armed;
            } else {
                self.in_kernel += 1;
            }
        }
    }

    /// Tells an errno of the first request in a batch from one of the whole queue. Some of them
    /// may be either: a sandbox that came later and a file that may not be touched are both EPERM,
    /// a context that is gone and a bad argument are both EINVAL. An empty batch is free of the
    /// second kind.
    fn confirm(&self, errno: Errno) -> Result<(), Errno> {
        if !matches!(
            errno,
            Errno::PERM | Errno::NOSYS | Errno::INVAL | Errno::ACCESS
        ) {
            return Ok(());
        }
        // SAFETY: an empty batch leads to no block.
        match unsafe { self.kernel.submit(&mut []) } {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn answer_head(&mut self, errno: Errno, done: &mut Vec<Completion<C>>) -> Result<(), Errno> {
        match self.unsent.pop_front() {
            Some(Ticket::DOORBELL) => {
                self.doorbell = Doorbell::Idle;
                match errno {
                    // Out of memory for the moment: this sleep is short, the next one tries again.
                    Errno::AGAIN | Errno::INTR => Ok(()),
                    errno => Err(errno),
                }
            }
            Some(ticket) => {
                let request = self.requests.remove(ticket);
                done.push(refused(request, errno));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn allocate(&mut self, done: &mut Vec<Completion<C>>) {
        for (ticket, allocation) in self.allocations.drain(..) {
            let request = self.requests.remove(ticket);
            done.push(match allocation.carry_out(request.fd()) {
                Ok(()) => Completion::from_kernel(request, 0),
                Err(errno) => refused(request, errno),
            });
        }
    }

    /// Looks for answers once. Sleeps for one at most: the kernel would let a sleep for several
    /// sleep through the doorbell.
    fn reap(&mut self, sleep: Sleep, done: &mut Vec<Completion<C>>) -> Result<Reaped, Errno> {
        let mut reaped = Reaped {
            event_count: 0,
            rung: false,
        };
        let can_be_woken = self.in_kernel > 0 || self.doorbell == Doorbell::Armed;
        let sleep = if can_be_woken { sleep } else { Sleep::Not };
        if self.in_kernel == 0 && matches!(sleep, Sleep::Not) {
            return Ok(reaped);
        }
        reaped.event_count = loop {
            let (min, timeout) = match sleep {
                Sleep::Not => (0, Some(Duration::ZERO)),
                Sleep::UntilWoken => (1, None),
                Sleep::Until(deadline) => {
                    (1, Some(deadline.saturating_duration_since(Instant::now())))
                }
            };
            match self.kernel.reap(min, &mut self.events, timeout) {
                Err(Errno::INTR) => {}
                answer => break answer?,
            }
        };
        for event in &self.events[..reaped.event_count] {
            let ticket = Ticket::from_user_data(event.user_data);
            if ticket == Ticket::DOORBELL {
                self.doorbell = Doorbell::Idle;
                self.waker.hear();
                reaped.rung = true;
            } else {
                self.in_kernel -= 1;
                self.requests.complete(ticket, event.result, done);
            }
        }
        Ok(reaped)
    }
}

/// A request that the kernel does not have, with its error.
fn refused<C: IOCallback>(request: Request<C>, errno: Errno) -> Completion<C> {
    Completion::from_kernel(request, -i64::from(errno.raw_os_error()))
}

impl<C: IOCallback, K: Kernel> Drop for Queue<C, K> {
    fn drop(&mut self) {
        for ticket in self.unsent.drain(..) {
            if ticket != Ticket::DOORBELL {
                drop(self.requests.remove(ticket));
            }
        }
        // Awaited here and not in io_destroy: this sleep a signal can end.
        let mut done = Vec::new();
        while self.in_kernel > 0 && self.reap(Sleep::UntilWoken, &mut done).is_ok() {
            done.clear();
        }
        // The doorbell is the one request that may never be answered of itself.
        self.waker.knock();
        match self.kernel.close() {
            Err(errno) if self.in_kernel > 0 => {
                tracing::error!(
                    %errno,
                    in_kernel = self.in_kernel,
                    "the kernel does not let go of requests; their memory is leaked"
                );
            }
            // SAFETY: the kernel has none of the requests any more: each was reaped, or `close` has
            // succeeded. This is `drop`, so nobody uses the field after it.
            Ok(()) | Err(_) => unsafe { ManuallyDrop::drop(&mut self.requests) },
        }
    }
}
