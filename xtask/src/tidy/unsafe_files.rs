//! The files that may hold `unsafe`, by name.
//!
//! The compiler denies `unsafe` everywhere (`unsafe_code = "deny"`); a file that needs it opts in
//! at its top. This list makes a new one a decision that a reviewer sees.

use crate::workspace::TextFile;

/// Every file that opts in, sorted.
const ALLOWED: &[&str] = &[
    "io-engine-aio/src/kernel_context.rs",
    "io-engine-aio/src/queue.rs",
    "io-engine-aio/src/scripted_kernel.rs",
    "io-engine-aio/src/syscall.rs",
    "io-engine-aio/tests/allocations.rs",
    "io-engine-aio/tests/file_size_limit.rs",
    "io-engine-aio/tests/harness/seccomp.rs",
    "io-engine-aio/tests/signals.rs",
    "io-engine-aio/tests/start_and_drop.rs",
    "io-engine-core/src/aligned.rs",
    "io-engine-core/src/event/taking.rs",
    "io-engine-core/src/file.rs",
    "io-engine-core/src/file_nature.rs",
    "io-engine-core/src/in_flight.rs",
    "io-engine-core/src/in_flight/answering.rs",
    "io-engine-core/src/in_flight/inserting.rs",
    "io-engine-core/src/merged.rs",
    "io-engine-core/src/signals.rs",
    "io-engine-core/src/sim/user_memory.rs",
    "io-engine-core/src/storage.rs",
    "io-engine-core/tests/fake_kernel/mod.rs",
    "io-engine-core/tests/pread_backend/mod.rs",
    "io-engine-merge/tests/allocations.rs",
    "io-engine-merge/tests/merging/sharing_out.rs",
    "io-engine-uring/src/backend.rs",
    "io-engine-uring/src/backend/entering.rs",
    "io-engine-uring/src/backend/queueing.rs",
    "io-engine-uring/src/ring.rs",
    "io-engine-workers/src/blocking_backend_signal_tests.rs",
    "io-engine-workers/src/blocking_backend_tests.rs",
    "io-engine-workers/src/blocking_call.rs",
    "io-engine-workers/src/job.rs",
    "io-engine-workers/tests/allocations.rs",
    "io-engine-workers/tests/leaks.rs",
    "io-engine-workers/tests/limits.rs",
    "io-engine/src/callback_scope.rs",
    "io-engine/tests/machine/allocator.rs",
    "io-engine/tests/machine/child.rs",
    "io-engine/tests/machine/disk.rs",
    "io-engine/tests/machine/sandbox.rs",
    "xtask/peers/cell/src/memory.rs",
    "xtask/peers/compio/src/main.rs",
    "xtask/peers/monoio/src/main.rs",
    "xtask/peers/tokio-uring/src/main.rs",
    "xtask/src/bench/engines/raw_aio.rs",
    "xtask/src/bench/engines/raw_uring.rs",
    "xtask/src/bench/page_buffer.rs",
    "xtask/src/faults/scene/forked.rs",
    "xtask/src/faults/scene/storm.rs",
    "xtask/src/model/guarded_memory.rs",
];

pub(super) fn faults(files: &[TextFile]) -> Vec<String> {
    against(ALLOWED, files)
}

fn against(allowed: &[&str], files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let (at_top, elsewhere) = opt_ins(&file.text);
        if elsewhere {
            faults.push(format!(
                "{}: unsafe code is allowed for a whole file, at its top, or not at all",
                file.path
            ));
        }
        if at_top && !allowed.contains(&file.path.as_str()) {
            faults.push(format!(
                "{}: has unsafe code and is missing from the list in xtask/src/tidy/unsafe_files.rs",
                file.path
            ));
        }
    }
    let is_stale = |path: &&&str| {
        let file = files.iter().find(|file| file.path == ***path);
        !file.is_some_and(|file| opt_ins(&file.text).0)
    };
    let stale = allowed.iter().filter(is_stale);
    faults.extend(stale.map(|path| {
        format!("{path}: in the list of xtask/src/tidy/unsafe_files.rs, but has no unsafe code")
    }));
    faults
}

/// Whether a file opts in at its top, and whether it does anywhere else.
fn opt_ins(text: &str) -> (bool, bool) {
    let code: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .flat_map(|line| line.split(' '))
        .collect();
    // Written in two parts so that this file does not find itself.
    let lint = concat!("(unsafe", "_code");
    let has = |attribute: &str| code.contains(&format!("{attribute}{lint}"));
    let at_top = has("#![allow") || has("#![expect");
    let elsewhere = has("#[allow") || has("#[expect");
    (at_top, elsewhere)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn opting_in(attribute: &str) -> String {
        format!(
            "//! Doc.\n{attribute}(\n    unsafe{}, reason = \"x\")]\n",
            "_code"
        )
    }

    #[test]
    fn a_file_with_unsafe_code_is_in_the_list() {
        let files = [file("a/src/b.rs", &opting_in("#![allow"))];
        assert_eq!(against(&[], &files).len(), 1);
        assert!(against(&["a/src/b.rs"], &files).is_empty());
    }

    #[test]
    fn the_list_has_no_file_that_is_gone_or_has_become_safe() {
        let files = [file("a/src/b.rs", "//! Doc.\n")];
        assert_eq!(against(&["a/src/b.rs", "a/src/gone.rs"], &files).len(), 2);
    }

    #[test]
    fn opting_in_for_one_item_is_refused() {
        let files = [file("a/src/b.rs", &opting_in("#[allow"))];
        assert_eq!(against(&[], &files).len(), 1);
    }
}
