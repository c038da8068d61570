//! What happens when an event is finished.

use std::fmt;

use crate::event::IOEvent;

/// Takes a finished event. Called exactly once for each event that the engine accepted.
///
/// Implemented by a struct or an enum it costs no allocation: the callback travels inside the
/// event. For closures there is [`ClosureCb`]; for events whose result nobody wants, `()`.
///
/// ```
/// use io_engine_core::{IOCallback, IOEvent};
///
/// enum Page {
///     Loaded { id: u64 },
///     Flushed,
/// }
///
/// impl IOCallback for Page {
///     fn call(self, event: IOEvent<Self>) {
///         match (self, event.get_result()) {
///             (Page::Loaded { id }, Ok(bytes)) => println!("page {id}: {bytes} bytes"),
///             (Page::Flushed, Ok(_)) => println!("flushed"),
///             (_, Err(error)) => eprintln!("{error}"),
///         }
///     }
/// }
/// ```
pub trait IOCallback: Sized + Send + 'static {
    /// Takes the finished event; its callback is `self`, so the event comes without one.
    ///
    /// Runs on the loop's thread or on a worker, as the engine was set up. A panic in here is
    /// caught, counted and logged by the engine; other events are not touched by it.
    fn call(self, event: IOEvent<Self>);
}

/// A closure as callback: one allocation per event.
pub struct ClosureCb(
    /// Called with the finished event.
    pub Box<dyn FnOnce(IOEvent<Self>) + Send>,
);

impl ClosureCb {
    /// Boxes `closure`.
    pub fn new(closure: impl FnOnce(IOEvent<Self>) + Send + 'static) -> Self {
        Self(Box::new(closure))
    }
}

impl IOCallback for ClosureCb {
    fn call(self, event: IOEvent<Self>) {
        (self.0)(event);
    }
}

impl fmt::Debug for ClosureCb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClosureCb(..)")
    }
}

impl IOCallback for () {
    fn call(self, _event: IOEvent<Self>) {}
}
