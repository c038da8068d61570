//! Which backend carries the requests: choosing it, starting it, and why.
//!
//! The only file besides `lib.rs` that knows which features are compiled in.

use std::fmt;
use std::io;
use std::sync::Arc;

use io_engine_core::{
    Answered, Backend, Completion, Full, IOCallback, IOEvent, Request, StartError, Ticket, Wait,
    Waker,
};

#[cfg(all(any(feature = "aio", feature = "uring"), feature = "threads"))]
use crate::carried::Carried;
use crate::driver_report::DriverReport;
#[cfg(all(feature = "uring", feature = "threads"))]
use crate::file_table::FileTable;
#[cfg(all(any(feature = "aio", feature = "uring"), feature = "threads"))]
use crate::routes::Routes;
#[cfg(all(feature = "uring", feature = "threads"))]
use crate::routes::route_to;
#[cfg(feature = "threads")]
use io_engine_workers::{BlockingBackend, BlockingSettings};

#[cfg(not(any(feature = "uring", feature = "aio", feature = "threads")))]
compile_error!("io-engine needs at least one of the features `uring`, `aio`, `threads`");

/// `fallocate` is rare and waits for the file system's journal; two threads keep one slow file from
/// holding up another.
#[cfg(all(feature = "aio", feature = "threads"))]
const ALLOCATION_THREADS: usize = 2;

/// How requests reach the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Driver {
    /// io_uring, else Linux AIO, else threads: the first that starts on this machine. What was
    /// passed over, and why, is logged once and told by `fallback_reason()`.
    ///
    /// If a sandbox forbids io_uring after the start, what is inside and what comes goes on with the next
    /// of them, given the feature `threads`; without it everything fails from then on. Only a sync, and a
    /// transfer of a file without places (a pipe), that was with the kernel at that moment ends with an
    /// error of kind `BrokenPipe`: repeating it could hide or lose something.
    ///
    /// With io_uring it looks at each file: where the kernel could only hand transfers to threads of
    /// its own, those of files in memory (tmpfs, zram) are carried out on the loop's thread, with
    /// helpers where several are in flight, and those of others by blocking calls on a small
    /// pool. These threads are started with the first request that needs them.
    Auto,
    /// io_uring (Linux 5.11), or an error that says why not.
    Uring,
    /// Linux AIO, or an error that says why not. Truly asynchronous for files open with
    /// `O_DIRECT`; on buffered files the submission itself may block.
    Aio,
    /// Blocking calls on a small pool: works where both kernel interfaces are forbidden.
    Threads,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Uring => "io_uring",
            Self::Aio => "AIO",
            Self::Threads => "threads",
        })
    }
}

/// What carries the requests of a loop.
#[derive(Clone, Debug)]
pub(crate) enum Carrier {
    Driver(Driver),
    #[cfg(feature = "sim")]
    Disk(io_engine_core::sim::SimDisk),
}

impl Carrier {
    pub(crate) fn start<C: IOCallback>(&self, depth: usize) -> Result<Started<C>, StartError> {
        match self {
            Self::Driver(driver) => driver.start(depth),
            #[cfg(feature = "sim")]
            Self::Disk(disk) => Ok(Started {
                kernel: Kernel::Simulated(io_engine_core::sim::SimBackend::start(disk, depth)?),
                report: Arc::new(DriverReport::new(Driver::Auto, None)),
            }),
        }
    }
}

/// A backend that has started, and how it came to be this one.
pub(crate) struct Started<C: IOCallback> {
    pub(crate) kernel: Kernel<C>,
    pub(crate) report: Arc<DriverReport>,
}

impl Driver {
    pub(crate) fn start<C: IOCallback>(self, depth: usize) -> Result<Started<C>, StartError> {
        io_engine_core::check_depth(depth)?;
        if self != Self::Auto {
            let kernel = Kernel::start(self, depth)?;
            let report = Arc::new(DriverReport::new(self, None));
            return Ok(Started { kernel, report });
        }
        let mut reasons: Vec<String> = Vec::new();
        let mut last_error = None;
        for driver in [Self::Uring, Self::Aio, Self::Threads] {
            match Kernel::start(driver, depth) {
                Ok(kernel) => {
                    let fallback_reason = (!reasons.is_empty()).then(|| reasons.join("; "));
                    report_choice(driver, fallback_reason.as_deref());
                    let report = Arc::new(DriverReport::new(driver, fallback_reason));
                    let kernel = kernel.routed(depth, &report);
                    return Ok(Started { kernel, report });
                }
                Err(error) => {
                    reasons.push(format!("{driver}: {error}"));
                    last_error = Some(error);
                }
            }
        }
        Err(last_error.expect("three drivers were tried"))
    }
}

fn report_choice(driver: Driver, fallback_reason: Option<&str>) {
    match fallback_reason {
        None => tracing::info!(%driver, "driver chosen"),
        Some(reason) => tracing::warn!(%driver, reason, "driver chosen as a fallback"),
    }
}

/// The backends as a closed set: the match is inlined where a trait object would be called.
#[allow(clippy::large_enum_variant, reason = "one per loop, moved once")]
pub(crate) enum Kernel<C: IOCallback> {
    #[cfg(feature = "uring")]
    Uring(io_engine_uring::UringBackend<C>),
    #[cfg(all(feature = "aio", not(feature = "threads")))]
    Aio(io_engine_aio::AioBackend<C>),
    /// What AIO has no opcode for is carried by threads.
    #[cfg(all(feature = "aio", feature = "threads"))]
    Aio(Carried<C, io_engine_aio::AioBackend<C>>),
    /// Files that a ring only hands to kernel threads are served elsewhere.
    #[cfg(all(feature = "uring", feature = "threads"))]
    Routed(
        Carried<C, io_engine_uring::UringBackend<C>>,
        Arc<DriverReport>,
    ),
    #[cfg(feature = "threads")]
    Threads(BlockingBackend<C>),
    #[cfg(feature = "sim")]
    Simulated(io_engine_core::sim::SimBackend<C>),
}

/// Runs an expression on whichever backend it is.
macro_rules! on_backend {
    ($kernel:expr, $backend:ident => $act:expr) => {
        match $kernel {
            #[cfg(feature = "uring")]
            Kernel::Uring($backend) => $act,
            #[cfg(feature = "aio")]
            Kernel::Aio($backend) => $act,
            #[cfg(all(feature = "uring", feature = "threads"))]
            Kernel::Routed($backend, _) => $act,
            #[cfg(feature = "threads")]
            Kernel::Threads($backend) => $act,
            #[cfg(feature = "sim")]
            Kernel::Simulated($backend) => $act,
        }
    };
}

impl<C: IOCallback> Kernel<C> {
    fn start(driver: Driver, depth: usize) -> Result<Self, StartError> {
        match driver {
            #[cfg(feature = "uring")]
            Driver::Uring => {
                let settings = io_engine_uring::UringSettings::with_depth(depth);
                io_engine_uring::UringBackend::new(settings).map(Self::Uring)
            }
            #[cfg(all(feature = "aio", not(feature = "threads")))]
            Driver::Aio => {
                let settings = io_engine_aio::AioSettings::with_depth(depth);
                io_engine_aio::AioBackend::new(settings).map(Self::Aio)
            }
            #[cfg(all(feature = "aio", feature = "threads"))]
            Driver::Aio => {
                let settings = io_engine_aio::AioSettings::with_depth(depth);
                let queue = io_engine_aio::AioBackend::new(settings)?;
                Ok(Self::aio(queue, depth, None))
            }
            #[cfg(feature = "threads")]
            Driver::Threads => {
                let settings = BlockingSettings::with_depth(depth);
                BlockingBackend::new(settings).map(Self::Threads)
            }
            _ => Err(not_compiled_in(driver)),
        }
    }
}

impl<C: IOCallback> Kernel<C> {
    /// For a driver that was not asked for by name: each file is served the way that is best for it, and
    /// if a ring is forbidden later, another driver takes over.
    fn routed(self, depth: usize, report: &Arc<DriverReport>) -> Self {
        match self {
            #[cfg(all(feature = "uring", feature = "threads"))]
            Self::Uring(ring) => {
                let routes = Routes::ByFile(FileTable::new(route_to));
                let threads = BlockingSettings::with_depth(depth);
                Self::Routed(Carried::new(ring, routes, threads), Arc::clone(report))
            }
            other => {
                let _ = (depth, report);
                other
            }
        }
    }

    /// A driver that goes on where the ring of `carried` has ended, with its doorbell, and with the calls
    /// that its carrier has under way.
    #[cfg(all(feature = "uring", feature = "threads"))]
    pub(crate) fn taking_over(
        carried: &mut Carried<C, io_engine_uring::UringBackend<C>>,
    ) -> Option<(Self, Driver)> {
        let (depth, waker) = (carried.capacity(), carried.waker());
        #[cfg(feature = "aio")]
        {
            let settings = io_engine_aio::AioSettings::with_depth(depth);
            if let Ok(queue) = io_engine_aio::AioBackend::taking_over(settings, waker.clone()) {
                let carrier = carried.take_busy_carrier();
                return Some((Self::aio(queue, depth, carrier), Driver::Aio));
            }
        }
        // It is for as many requests, and can be slept in.
        if let Some(carrier) = carried.take_busy_carrier() {
            return Some((Self::Threads(carrier), Driver::Threads));
        }
        let settings = BlockingSettings::with_depth(depth);
        let threads = BlockingBackend::taking_over(settings, waker);
        Some((Self::Threads(threads.ok()?), Driver::Threads))
    }

    #[cfg(all(feature = "aio", feature = "threads"))]
    fn aio(
        queue: io_engine_aio::AioBackend<C>,
        depth: usize,
        carrier: Option<BlockingBackend<C>>,
    ) -> Self {
        let routes = Routes::ByAction(io_engine_aio::AioBackend::<C>::supports);
        let threads = BlockingSettings::with_depth(depth).threads(ALLOCATION_THREADS);
        Self::Aio(Carried::new(queue, routes, threads).going_on_with(carrier))
    }

    /// Whether a ring has ended that is not the end of all.
    #[cfg(all(feature = "uring", feature = "threads"))]
    #[inline]
    fn is_cut_off(&self) -> bool {
        matches!(self, Self::Routed(carried, _) if carried.cut_off().is_some())
    }

    /// The way out of a drive: its error is none if another driver has taken over.
    fn driven(
        &mut self,
        driven: io::Result<()>,
        before: usize,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        match driven {
            #[cfg(all(feature = "uring", feature = "threads"))]
            driven if driven.is_err() || self.is_cut_off() => {
                self.go_on_without_ring(driven, before, done)
            }
            driven => {
                let _ = (before, done);
                driven
            }
        }
    }
}

fn not_compiled_in(driver: Driver) -> StartError {
    let feature = match driver {
        Driver::Uring => "uring",
        Driver::Aio => "aio",
        Driver::Threads => "threads",
        Driver::Auto => "uring, aio or threads",
    };
    StartError::new(
        "the driver is not compiled in",
        io::Error::from(io::ErrorKind::Unsupported),
        format!("enable the feature `{feature}` of the crate io-engine"),
    )
}

impl<C: IOCallback> Backend<C> for Kernel<C> {
    #[inline]
    fn capacity(&self) -> usize {
        on_backend!(self, backend => backend.capacity())
    }

    #[inline]
    fn in_flight(&self) -> usize {
        on_backend!(self, backend => backend.in_flight())
    }

    #[inline]
    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        on_backend!(self, backend => backend.push(request))
    }

    #[inline(always)]
    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        on_backend!(self, backend => backend.push_event(event))
    }

    #[inline]
    fn push_unseen(&mut self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        on_backend!(self, backend => backend.push_unseen(event))
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let before = done.len();
        let driven = on_backend!(self, backend => backend.drive(wait, done));
        self.driven(driven, before, done)
    }

    fn waker(&self) -> Waker {
        on_backend!(self, backend => backend.waker())
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        on_backend!(self, backend => backend.abandon(done));
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        on_backend!(self, backend => backend.look_at_each(look));
    }

    #[inline(always)]
    fn drive_lazily(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let before = done.len();
        let driven = on_backend!(self, backend => backend.drive_lazily(wait, done));
        self.driven(driven, before, done)
    }

    #[inline]
    fn next_answer(&mut self) -> Option<Answered<C>> {
        on_backend!(self, backend => backend.next_answer())
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        on_backend!(self, backend => backend.take_callback(ticket))
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        on_backend!(self, backend => backend.take_whole(ticket))
    }
}
