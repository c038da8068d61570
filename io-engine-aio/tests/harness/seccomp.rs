//! Sandboxes for one thread: a filter binds only the thread that installs it, and ends with it.
#![allow(unsafe_code, reason = "seccomp has no safe interface in std")]

use std::io;

/// Makes `call` fail with `errno` on this thread from now on.
pub(crate) fn forbid(call: libc::c_long, errno: i32) {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let call = u32::try_from(call).expect("calls have small numbers");
    let errno = libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    let mut program = [
        // The number of the call is the first word of what a filter sees.
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, call),
        step(RETURN, 0, 0, errno),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: takes four numbers.
    let answer = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(answer, 0);
    // SAFETY: the kernel copies the program, which this frame owns, during the call.
    let answer = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
}
