//! Where a batch goes.

use io_engine_core::{IOCallback, IOEvent, Request};

/// What takes that which a [`Merger`](crate::Merger) releases, in the order in which it is to be pushed.
///
/// An event that travels alone is given as it is: to make a request of it before it is in the slot of a
/// backend would cost copies of it, and most random traffic travels alone.
pub trait Outgoing<C: IOCallback> {
    /// An event that was joined with no other.
    fn lone(&mut self, event: IOEvent<C>);

    /// Events that travel as one.
    fn run(&mut self, request: Request<C>);
}

/// Requests, whatever is in them.
pub(crate) struct AsRequests<F>(pub(crate) F);

impl<C: IOCallback, F: FnMut(Request<C>)> Outgoing<C> for AsRequests<F> {
    fn lone(&mut self, event: IOEvent<C>) {
        self.0(Request::from(event));
    }

    fn run(&mut self, request: Request<C>) {
        self.0(request);
    }
}
