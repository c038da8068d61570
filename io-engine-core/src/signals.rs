//! Keeping signals away from the engine's own threads.
#![allow(
    unsafe_code,
    reason = "the signal mask of a thread has no safe interface"
)]

use std::mem::MaybeUninit;

/// Blocks every signal in the calling thread that can be blocked, but for those that report a
/// fault of the thread itself.
///
/// For threads that the engine starts. Signal handlers of the program then run on the program's
/// own threads. It also turns a write beyond `RLIMIT_FSIZE` into `EFBIG`: unblocked, `SIGXFSZ`
/// would end the process ([`setrlimit(2)`]).
///
/// [`setrlimit(2)`]: https://man7.org/linux/man-pages/man2/setrlimit.2.html
pub fn block_signals_in_this_thread() {
    const OF_THE_THREAD_ITSELF: [i32; 5] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
    ];
    // An interpreter has neither the calls nor the signals.
    if cfg!(miri) {
        return;
    }
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the whole set behind the pointer, which this frame owns.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    for signal in OF_THE_THREAD_ITSELF {
        // SAFETY: the set was initialised above and the signal is a valid number.
        unsafe { libc::sigdelset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: the set is initialised; a null pointer means that the old mask is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}
