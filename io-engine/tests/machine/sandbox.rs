//! Forbidding system calls, and limits, for the child processes of the tests.
#![allow(
    unsafe_code,
    reason = "seccomp and setrlimit have no safe interface in std"
)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

pub(crate) const URING: [libc::c_long; 3] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

pub(crate) const AIO: [libc::c_long; 4] = [
    libc::SYS_io_setup,
    libc::SYS_io_submit,
    libc::SYS_io_getevents,
    libc::SYS_io_destroy,
];

pub(crate) const NEW_THREADS: [libc::c_long; 2] = [libc::SYS_clone, libc::SYS_clone3];

/// Makes `calls` fail with `errno`, on this thread and those that it starts from now on.
pub(crate) fn forbid(calls: &[libc::c_long], errno: i32) {
    let answer = libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    for call in calls {
        install(*call, answer, 0);
    }
}

/// Makes `call` hang until what this returns is dropped; then it fails with `ENOSYS`. On this thread and
/// those that it starts from now on, once a process.
pub(crate) fn hang(call: libc::c_long) -> OwnedFd {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let number = install(call, libc::SECCOMP_RET_USER_NOTIF, listener);
    // SAFETY: the kernel has just made it, for nobody else.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// As [`forbid`], on every thread of the process, those that run already among them.
pub(crate) fn forbid_everywhere(calls: &[libc::c_long], errno: i32) {
    let everywhere = libc::SECCOMP_FILTER_FLAG_TSYNC;
    let answer = libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    for call in calls {
        install(*call, answer, everywhere);
    }
}

/// The answer of the kernel: 0, or the number of the listener that was asked for.
fn install(call: libc::c_long, answer: u32, flags: libc::c_ulong) -> i32 {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let call = u32::try_from(call).expect("calls have small numbers");
    let mut steps = [
        // The number of the call is the first word that a filter sees.
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, call),
        step(RETURN, 0, 0, answer),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: takes numbers only.
    let answer = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    let filter_mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel copies the program and its steps, which this frame owns, during the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, filter_mode, flags, &raw const program) };
    assert!(answer >= 0, "{}", io::Error::last_os_error());
    i32::try_from(answer).expect("numbers of descriptors are small")
}

/// Closes a number as code that has confused its numbers would.
pub(crate) fn close_number(fd: std::os::fd::RawFd) {
    // SAFETY: takes a number only. Whoever owns it is what the test is about.
    assert_eq!(unsafe { libc::close(fd) }, 0);
}

/// Sets the soft limit of `resource`, which is one of the `RLIMIT_` numbers.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one rlimit to the pointer, which this frame owns.
    let answer = unsafe { libc::getrlimit(resource, &raw mut limits) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    limits.rlim_cur = value.min(limits.rlim_max);
    // SAFETY: the kernel reads one rlimit, which this frame owns.
    let answer = unsafe { libc::setrlimit(resource, &raw const limits) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
}

/// Makes the process that of `user`; false if it may not. Limits on threads do not bind root.
pub(crate) fn become_user(user: libc::uid_t) -> bool {
    // SAFETY: takes numbers only; libc changes all threads of the process.
    let answer = unsafe { libc::setresuid(user, user, user) };
    answer == 0
}
