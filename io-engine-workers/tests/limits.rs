//! What happens at the limits of the system, each in a process of its own.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(
    unsafe_code,
    reason = "setting limits and giving up privileges have no safe interface"
)]

mod deadline;

use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use deadline::{DEADLINE, in_time};
use io_engine_core::{Backend, Buffer, ClosureCb, IOAction, IOEvent, Request, Wait};
use io_engine_workers::{BlockingBackend, BlockingSettings, IOWorkers};

const CHILD: &str = "IO_ENGINE_LIMITS_CHILD";

/// No status that a test harness ends with, which might have run no test at all.
const BODY_WAS_RUN: i32 = 42;

/// Runs `body` in a process of its own, in which it may spoil what it likes: this test binary
/// once more, with only the test called `name`.
fn in_a_process_of_its_own(name: &str, body: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        body();
        std::process::exit(BODY_WAS_RUN);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            panic!("it hangs");
        }
        thread::yield_now();
    };
    assert_eq!(status.code(), Some(BODY_WAS_RUN), "{status}");
}

fn set_limit(resource: libc::__rlimit_resource_t, value: u64) {
    let limit = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: the pointer leads to an initialised limit of this frame.
    let answer = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(answer, 0);
}

/// After this the system refuses every new thread.
fn forbid_threads() {
    // SAFETY: it only asks.
    if unsafe { libc::geteuid() } == 0 {
        // Root is above the limit. The whole process becomes a user that has nothing else running.
        const LONELY: libc::uid_t = 64_321;
        // SAFETY: it takes no pointer; libc carries it out in all threads.
        let answer = unsafe { libc::setresuid(LONELY, LONELY, LONELY) };
        assert_eq!(answer, 0);
    }
    set_limit(libc::RLIMIT_NPROC, 1);
    let refused = thread::Builder::new().spawn(|| {});
    assert!(refused.is_err(), "the limit is not in force");
}

fn thread_count() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn fd_count() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_write_beyond_the_file_size_limit_is_an_error_and_not_the_end_of_the_process() {
    let name = "a_write_beyond_the_file_size_limit_is_an_error_and_not_the_end_of_the_process";
    in_a_process_of_its_own(name, || {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let settings = BlockingSettings::with_depth(4);
        let mut backend = BlockingBackend::<()>::new(settings).unwrap();
        set_limit(libc::RLIMIT_FSIZE, 4096);
        let events = [
            IOEvent::new(&file, Buffer::from(vec![1; 10]), IOAction::Write, 4096),
            IOEvent::new_no_buf(&file, IOAction::Allocate, 0, 8192),
        ];
        for event in events {
            backend.push(Request::from(event)).unwrap();
        }
        let (mut done, mut finished, mut again) = (Vec::new(), Vec::new(), Vec::new());
        backend.drive(Wait::For(2), &mut done).unwrap();
        for completion in done {
            completion.settle(&mut finished, &mut again);
        }
        assert_eq!((finished.len(), again.len()), (2, 0));
        for event in finished {
            assert_eq!(event.res(), -libc::EFBIG);
        }
        file.write_all_at(&[1; 10], 0).unwrap();
    });
}

#[test]
fn a_backend_without_threads_does_not_start_and_leaves_nothing_behind() {
    let name = "a_backend_without_threads_does_not_start_and_leaves_nothing_behind";
    in_a_process_of_its_own(name, || {
        forbid_threads();
        let before = (thread_count(), fd_count());
        let settings = BlockingSettings::with_depth(4);
        let error = BlockingBackend::<()>::new(settings).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(error.advice().contains("RLIMIT_NPROC"));
        assert!(error.advice().contains("pids.max"));
        assert_eq!((thread_count(), fd_count()), before);
    });
}

#[test]
fn a_pool_without_threads_says_so_or_calls_where_it_delivers() {
    let name = "a_pool_without_threads_says_so_or_calls_where_it_delivers";
    in_a_process_of_its_own(name, || {
        forbid_threads();
        let error = IOWorkers::try_new(2).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));

        let workers = IOWorkers::new(2);
        assert_eq!(workers.thread_count(), 0);
        let lane = workers.lane::<ClosureCb>(4);
        let (tx, rx) = channel();
        let here = thread::current().id();
        for round in 0..10 {
            let (tx, inner) = (tx.clone(), lane.clone());
            let mut event = IOEvent::sync(-1);
            event.set_callback(ClosureCb::new(move |_| {
                assert_eq!(thread::current().id(), here);
                // A callback that delivers is not called from within another.
                let mut event = IOEvent::sync(-1);
                let later = tx.clone();
                event.set_callback(ClosureCb::new(move |_| later.send(round + 100).unwrap()));
                inner.deliver(&mut vec![event]);
                inner.wait_idle();
                tx.send(round).unwrap();
            }));
            lane.deliver(&mut vec![event]);
            lane.wait_idle();
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), [round, round + 100]);
        }
        assert_eq!(lane.outstanding(), 0);
        assert_eq!(workers.callback_panics(), 0);
    });
}

#[test]
fn no_request_is_lost_when_the_doorbell_cannot_be_slept_at() {
    let name = "no_request_is_lost_when_the_doorbell_cannot_be_slept_at";
    in_a_process_of_its_own(name, || {
        in_time(|| {
            let file = Arc::new(tempfile::tempfile().unwrap());
            let settings = BlockingSettings::with_depth(64).threads(1);
            let mut backend = BlockingBackend::<()>::new(settings).unwrap();
            // poll(2) refuses more descriptors than this limit: one is more.
            set_limit(libc::RLIMIT_NOFILE, 0);
            let mut done = Vec::new();
            let answer = loop {
                for _ in 0..64 {
                    backend.push(Request::from(IOEvent::sync(&file))).unwrap();
                }
                done.clear();
                // With all done before the sleep there is nothing to refuse.
                if let Err(error) = backend.drive(Wait::For(64), &mut done) {
                    break error;
                }
                assert_eq!(done.len(), 64);
            };
            assert_eq!(answer.raw_os_error(), Some(libc::EINVAL));
            assert_eq!((done.len(), backend.in_flight()), (64, 0));
        });
    });
}
