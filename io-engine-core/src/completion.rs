//! A request that the kernel has answered: sharing its bytes out over its events.

use std::fmt;
use std::os::fd::RawFd;

use crate::action::IOAction;
use crate::callback::IOCallback;
use crate::delivery::deliver;
use crate::errno::{self, Verdict};
use crate::event::IOEvent;
use crate::file::DirectAlignment;
use crate::invalid_request::InvalidRequest;
use crate::request::{Request, Run};

/// A request with its answer. The backend has let go of it; the kernel no longer knows it.
///
/// [`settle`](Self::settle) carries short transfers on, as the event loop does;
/// [`finish`](Self::finish) ends every event with what it has and calls the callbacks.
#[must_use = "dropping a completion loses its events and their callbacks"]
pub struct Completion<C: IOCallback> {
    request: Request<C>,
    answer: Answer,
}

enum Answer {
    Bytes(u64),
    Errno(i32),
    /// In a box because it is rare, and a completion is copied for each request.
    Invalid(Box<InvalidRequest>),
}

/// What becomes of the event of a run in which the transfer ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    ContinuingBegun,
    ReportingBegun,
}

impl<C: IOCallback> Completion<C> {
    /// The answer as the kernel gives it in a completion: bytes from 0 on, below 0 a negated errno.
    #[inline]
    pub fn from_kernel(request: Request<C>, result: i64) -> Self {
        let answer = match u64::try_from(result) {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(_) => Answer::Errno(i32::try_from(result.unsigned_abs()).unwrap_or(libc::EIO)),
        };
        Self { request, answer }
    }

    /// A request that was refused before the kernel saw it.
    pub fn invalid(request: Request<C>, invalid: InvalidRequest) -> Self {
        Self {
            request,
            answer: Answer::Invalid(Box::new(invalid)),
        }
    }

    /// A continued request that has nothing left to do.
    pub fn complete(request: Request<C>) -> Self {
        Self {
            request,
            answer: Answer::Bytes(0),
        }
    }

    /// The completion of a request that the kernel need not see: one that cannot work
    /// ([`Request::check`]) or is complete from the start. Backends ask
    /// [`Request::needs_kernel`] first.
    pub fn without_kernel(request: Request<C>) -> Self {
        match request.check() {
            Err(invalid) => Self::invalid(request, invalid),
            Ok(()) => Self::complete(request),
        }
    }

    /// A request that was inside when the queue to the kernel broke. Its buffers are given up for
    /// ever: the kernel may still write to them.
    pub fn queue_broken(mut request: Request<C>) -> Self {
        request.leak_buffers();
        Self::queue_broken_unsent(request)
    }

    /// As [`queue_broken`](Self::queue_broken), of a request that came later: it keeps its buffers.
    pub fn queue_broken_unsent(request: Request<C>) -> Self {
        Self::ended_with(request, errno::QUEUE_BROKEN)
    }

    /// A request that was inside when the queue to the kernel was closed to it, and that another queue may
    /// carry out: see [`into_request`](Self::into_request). It keeps its buffers.
    pub fn not_carried_out(request: Request<C>) -> Self {
        Self::ended_with(request, errno::NOT_CARRIED_OUT)
    }

    /// A request whose answer is not waited for any more. Its buffers are given up for ever: the kernel
    /// may still write to them.
    pub fn given_up(mut request: Request<C>) -> Self {
        request.leak_buffers();
        Self::given_up_unsent(request)
    }

    /// As [`given_up`](Self::given_up), of a request that nobody has begun: it keeps its buffers.
    pub fn given_up_unsent(request: Request<C>) -> Self {
        Self::ended_with(request, errno::GIVEN_UP)
    }

    /// A request that never reached the engine, because the queue towards it took no more. Its
    /// events end with an error of kind `BrokenPipe` and keep their buffers.
    pub fn queue_closed(request: Request<C>) -> Self {
        Self::ended_with(request, errno::QUEUE_CLOSED)
    }

    pub(crate) fn ended_with(request: Request<C>, errno: i32) -> Self {
        Self {
            request,
            answer: Answer::Errno(errno),
        }
    }

    /// Appends the events that are at their end to `finished`, and to `again` what the kernel has
    /// to be asked for once more: the rest of a short transfer, an interrupted request, and, after
    /// an error within a run, each event that the error may not belong to.
    ///
    /// A transfer is at its end when all bytes are moved, at the end of the file, or on an error.
    #[inline]
    pub fn settle(self, finished: &mut Vec<IOEvent<C>>, again: &mut Vec<Request<C>>) {
        match self.answer {
            Answer::Bytes(bytes) if self.request.is_whole_with(bytes) => {
                let transferred = self.request.position() + bytes;
                if let Some(mut event) = self.request.into_event() {
                    event.finish_whole(transferred);
                    finished.push(event);
                }
            }
            Answer::Bytes(_) | Answer::Errno(_) | Answer::Invalid(_) => {
                self.settle_otherwise(finished, again);
            }
        }
    }

    fn settle_otherwise(mut self, finished: &mut Vec<IOEvent<C>>, again: &mut Vec<Request<C>>) {
        match self.answer {
            Answer::Bytes(bytes) if self.request.action().moves_bytes() => {
                self.settle_bytes(bytes, finished, again);
            }
            Answer::Bytes(_) => self.report(finished),
            Answer::Errno(errno) if errno::verdict(errno) == Verdict::Transient => {
                if self.request.count_attempt() < errno::ATTEMPTS_MAX {
                    again.push(self.request);
                } else {
                    let errno = errno::after_too_many_attempts(errno);
                    Self::ended_with(self.request, errno).settle_failure(finished, again);
                }
            }
            Answer::Errno(_) | Answer::Invalid(_) => self.settle_failure(finished, again),
        }
    }

    /// As [`settle`](Self::settle), but a short transfer is [reported](Self::report) instead of
    /// resumed. Of a run, only the event in which it ended is short; those behind it were not tried
    /// yet. A write that moved nothing is an error of kind `WriteZero`.
    pub fn settle_reporting(self, finished: &mut Vec<IOEvent<C>>, again: &mut Vec<Request<C>>) {
        match self.answer {
            // Reported as short, it would be handed over again without an end.
            Answer::Bytes(0) if self.request.has_bytes_to_write() => {
                self.settle_otherwise(finished, again);
            }
            Answer::Bytes(_) if self.request.event_count() == 1 || self.is_end_of_file() => {
                self.report(finished);
            }
            Answer::Bytes(bytes) => {
                let reached = self.request.done().max(self.request.position() + bytes);
                self.split_at(reached, finished, again, Split::ReportingBegun);
            }
            Answer::Errno(_) | Answer::Invalid(_) => self.settle_otherwise(finished, again),
        }
    }

    /// Ends every event with what it has, appending them to `finished`: a short transfer stays
    /// short, with [`res`](IOEvent::res) as the bytes so far, and can be handed over again.
    pub fn report(mut self, finished: &mut Vec<IOEvent<C>>) {
        if let Answer::Errno(number) = self.answer
            && errno::verdict(number) == Verdict::Invalid
            && let Some(invalid) = self.explain_invalid()
        {
            self.answer = Answer::Invalid(Box::new(invalid));
        }
        let end_of_file = self.is_end_of_file();
        let action = self.request.action();
        let reached = match self.answer {
            Answer::Bytes(bytes) => self.request.done().max(self.request.position() + bytes),
            Answer::Errno(_) | Answer::Invalid(_) => self.request.done(),
        };
        let mut end = |mut event: IOEvent<C>, transferred: u64| {
            let size = event.get_size();
            let complete = transferred > 0 && transferred == size;
            match &self.answer {
                _ if complete => event.finish_transferred(size, false),
                Answer::Bytes(_) => event.finish_transferred(transferred, end_of_file),
                Answer::Errno(errno) => event.finish_errno(*errno, transferred),
                Answer::Invalid(invalid) => event.finish_invalid(**invalid, transferred),
            }
            finished.push(event);
        };
        match self.request.into_run() {
            Run::One(event) => {
                let size = event.get_size();
                end(
                    event,
                    reached.min(if action.moves_bytes() { size } else { 0 }),
                );
            }
            Run::Many(merged) => merged.share_out(reached, end),
        }
    }

    /// [Reports](Self::report) every event and calls its callback, right here. A panic in a
    /// callback is caught and logged; the others are called all the same.
    pub fn finish(self) {
        let mut finished = Vec::with_capacity(self.request.event_count());
        self.report(&mut finished);
        for event in finished {
            // A caught panic has been logged, and there is nobody here who counts.
            let _ = deliver(event);
        }
    }

    /// Whether its answer was not waited for.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        matches!(self.answer, Answer::Errno(errno::GIVEN_UP))
    }

    /// How many events end because its answer was not waited for: of a run, those that had not all of
    /// their bytes before. 0 if it was not [given up](Self::is_given_up).
    #[must_use]
    pub fn given_up_count(&self) -> usize {
        match self.is_given_up() {
            true => self.request.unserved_count(),
            false => 0,
        }
    }

    /// Whether another queue may carry its request out.
    #[must_use]
    pub fn is_not_carried_out(&self) -> bool {
        matches!(self.answer, Answer::Errno(errno::NOT_CARRIED_OUT))
    }

    /// How many events it carries.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.request.event_count()
    }

    /// What it was asked to do.
    #[must_use]
    pub fn action(&self) -> IOAction {
        self.request.action()
    }

    /// The number of the file descriptor.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.request.fd()
    }

    pub(crate) fn errno(&self) -> Option<i32> {
        match self.answer {
            Answer::Errno(errno) => Some(errno),
            Answer::Bytes(_) | Answer::Invalid(_) => None,
        }
    }

    /// The request, with its answer forgotten.
    pub fn into_request(self) -> Request<C> {
        self.request
    }

    fn settle_bytes(
        mut self,
        bytes: u64,
        finished: &mut Vec<IOEvent<C>>,
        again: &mut Vec<Request<C>>,
    ) {
        let (position, total) = (self.request.position(), self.request.total_bytes());
        if position + bytes >= total || self.is_end_of_file() {
            return self.report(finished);
        }
        if position + bytes > self.request.done() {
            self.request.resume_after(position + bytes);
            again.push(self.request);
            return;
        }
        // A direct transfer that was continued from before what was known may bring less than that.
        if bytes > 0 && self.request.count_attempt() < errno::ATTEMPTS_MAX {
            again.push(self.request);
            return;
        }
        let errno = match bytes {
            0 => errno::WRITE_ZERO,
            _ => errno::NO_PROGRESS,
        };
        Self::ended_with(self.request, errno).settle_failure(finished, again);
    }

    /// A read that brought nothing, though there was room, or that came to the very place to which the
    /// one before it came, has met the end of the file; the latter not if the file is known to go on.
    fn is_end_of_file(&self) -> bool {
        let request = &self.request;
        let Answer::Bytes(bytes) = self.answer else {
            return false;
        };
        let is_stuck = bytes == 0 || request.position() + bytes == request.done();
        is_stuck
            && request.action() == IOAction::Read
            && request.done() < request.total_bytes()
            && (bytes == 0 || !request.file_goes_on())
    }

    /// A lone event gets its error. Of a run, what lies wholly before the error is finished and
    /// everything else is asked for once more on its own, so that only the event that fails gets
    /// the error. Without its buffers, and without a queue, there is nothing left to ask for.
    fn settle_failure(self, finished: &mut Vec<IOEvent<C>>, again: &mut Vec<Request<C>>) {
        let gone = matches!(
            self.answer,
            Answer::Errno(
                errno::QUEUE_BROKEN
                    | errno::QUEUE_CLOSED
                    | errno::GIVEN_UP
                    | errno::NOT_CARRIED_OUT
            )
        );
        if gone || self.request.event_count() == 1 {
            return self.report(finished);
        }
        let done = self.request.done();
        self.split_at(done, finished, again, Split::ContinuingBegun);
    }

    /// Ends what a run has moved up to `reached`; what it has not begun is asked for on its own.
    fn split_at(
        self,
        reached: u64,
        finished: &mut Vec<IOEvent<C>>,
        again: &mut Vec<Request<C>>,
        split: Split,
    ) {
        let Run::Many(merged) = self.request.into_run() else {
            unreachable!("a run of one is a lone event");
        };
        merged.share_out(reached, |mut event, transferred| {
            let size = event.get_size();
            if transferred > 0 {
                event.finish_transferred(transferred, false);
            }
            let ends_here = transferred > 0 && split == Split::ReportingBegun;
            if transferred == size || ends_here {
                finished.push(event);
            } else {
                again.push(Request::from(event));
            }
        });
    }

    /// The kernel says EINVAL for anything; mostly it means alignment.
    fn explain_invalid(&mut self) -> Option<InvalidRequest> {
        if !self.request.action().moves_bytes() {
            return None;
        }
        let alignment = DirectAlignment::of(self.request.fd())?;
        self.request.check_alignment(alignment).err()
    }
}

impl<C: IOCallback> fmt::Debug for Completion<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
