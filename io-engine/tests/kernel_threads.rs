//! Files in memory cost no kernel thread. Alone in its program: it counts the threads of the process.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver};
use io_engine_core::FileNature;
use machine::engine::{Engine, WAYS};
use machine::within_deadline;

mod machine;

/// How many threads the kernel has made for rings of this process.
fn kernel_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("iou-wrk"))
        .count()
}

#[test]
fn files_in_memory_cost_no_kernel_thread() {
    let Ok(memory) = tempfile::tempfile_in("/dev/shm") else {
        eprintln!("skipped: no file in /dev/shm");
        return;
    };
    memory.set_len(40 * 4096).unwrap();
    let memory = Arc::new(memory);
    within_deadline("no kernel thread", move || {
        let read_all = |driver| {
            let mut engine = Engine::new(driver, WAYS[0], 16);
            let read = |block: i64| {
                let buffer = Buffer::aligned(4096).unwrap();
                IOEvent::new(&memory, buffer, IOAction::Read, block * 4096)
            };
            for event in engine.carry_out((0..40).map(read).collect()) {
                event.get_read_result().unwrap();
            }
            let threads = kernel_threads();
            engine.finish();
            threads
        };
        assert_eq!(read_all(Driver::Auto), 0);
        // That the number means something: a ring that is taken by its word has them, if this kernel
        // cannot read such files without blocking.
        let nature = FileNature::of(memory.as_raw_fd());
        if nature == FileNature::InMemory && machine::drivers().contains(&Driver::Uring) {
            assert!(read_all(Driver::Uring) > 0);
        }
    });
}
