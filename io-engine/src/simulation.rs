//! Loops and contexts on a simulated disk.

use io_engine_core::IOCallback;
use io_engine_core::sim::SimDisk;

use crate::driver::Carrier;
use crate::event_queue::EventQueue;
use crate::settings::{ContextBuilder, LoopBuilder};

impl<C: IOCallback> LoopBuilder<C> {
    /// Carries the events to `disk` instead of to a kernel. Everything else is the engine as it is:
    /// resuming, merging, errors, callbacks. In place of a [`driver`](Self::driver).
    ///
    /// All that happens follows from the seed of the disk and from what is submitted and when.
    ///
    /// ```
    /// use io_engine::sim::{Fault, SimDisk};
    /// use io_engine::tasks::{IOAction, IOCallback, IOEvent};
    /// use io_engine::{EventLoop, Wait};
    ///
    /// struct Written;
    ///
    /// impl IOCallback for Written {
    ///     fn call(self, event: IOEvent<Self>) {
    ///         event.get_write_result().expect("short transfers are resumed");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let disk = SimDisk::new(7);
    /// disk.inject(Fault::Short.one_in(2));
    /// let file = disk.open("data");
    /// let mut engine = EventLoop::<Written>::builder().simulated(&disk).build()?;
    /// let mut event = IOEvent::new(file, vec![1; 4096].into(), IOAction::Write, 0);
    /// event.set_callback(Written);
    /// engine.submit(event)?;
    /// assert_eq!(engine.run(Wait::For(1))?, 1);
    /// assert_eq!(disk.content(file), vec![1; 4096]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn simulated(self, disk: &SimDisk) -> Self {
        self.carried_by(Carrier::Disk(disk.clone()))
    }
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    /// Carries the events to `disk` instead of to a kernel. Else as [`LoopBuilder::simulated`]; but the
    /// context has a thread, so when it gathers what is sent is up to the machine, and the same seed
    /// may bring another order.
    ///
    /// ```
    /// use io_engine::IOContext;
    /// use io_engine::callback_worker::Inline;
    /// use io_engine::sim::SimDisk;
    /// use io_engine::tasks::{IOAction, IOEvent};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let disk = SimDisk::new(7);
    /// let file = disk.open("data");
    /// let (tx, rx) = io_engine::channel::<()>(64);
    /// let ctx = IOContext::builder().simulated(&disk).build(rx, &Inline)?;
    /// tx.send(IOEvent::new(file, b"hello".to_vec().into(), IOAction::Write, 0))?;
    /// ctx.shutdown()?;
    /// assert_eq!(disk.content(file), b"hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn simulated(self, disk: &SimDisk) -> Self {
        self.carried_by(Carrier::Disk(disk.clone()))
    }
}
