//! A queue on a kernel that follows a script, and what it yields.

use io_engine_core::{Buffer, Completion, IOAction, IOEvent, Request, Wait, Waker};

use crate::queue::Queue;
use crate::scripted_kernel::ScriptedKernel;

pub(crate) struct Bench {
    pub(crate) kernel: ScriptedKernel,
    pub(crate) queue: Queue<(), ScriptedKernel>,
    pub(crate) done: Vec<Completion<()>>,
}

#[allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
impl Bench {
    pub(crate) fn with_depth(depth: usize) -> Self {
        let kernel = ScriptedKernel::default();
        let queue = Queue::new(kernel.clone(), Waker::new().unwrap(), depth);
        let mut bench = Self {
            kernel,
            queue,
            done: Vec::new(),
        };
        bench.queue.try_out().unwrap();
        bench.kernel.script().batch_sizes.clear();
        bench
    }

    /// Pushes reads of 8 bytes at these offsets.
    pub(crate) fn push_reads(&mut self, offsets: impl IntoIterator<Item = i64>) {
        for offset in offsets {
            let event = IOEvent::new(0, Buffer::from(vec![0; 8]), IOAction::Read, offset);
            self.queue.push(Request::from(event)).unwrap();
        }
    }

    pub(crate) fn drive(&mut self, wait: Wait) {
        self.queue.drive(wait, &mut self.done).unwrap();
    }

    /// What was yielded: offset and `res`, by offset.
    pub(crate) fn results(&mut self) -> Vec<(i64, i32)> {
        let mut events = Vec::new();
        self.done.drain(..).for_each(|one| one.report(&mut events));
        let mut results: Vec<_> = events.iter().map(|e| (e.offset(), e.res())).collect();
        results.sort_unstable();
        results
    }
}

pub(crate) fn all_good(offsets: impl IntoIterator<Item = i64>) -> Vec<(i64, i32)> {
    offsets.into_iter().map(|offset| (offset, 8)).collect()
}
