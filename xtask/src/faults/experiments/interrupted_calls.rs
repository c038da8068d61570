//! System calls that fail, are cut short or are late, as `strace` makes them.

use std::path::Path;

use anyhow::Context;

use super::Experiment;
use crate::faults::finding::{Finding, Skip};
use crate::faults::ground::Ground;
use crate::faults::job::Job;
use crate::faults::scene::{Answer, Named, Scene};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "injected-enter",
        needs_root: false,
        cases: &[51, 54],
        mechanism: "strace: io_uring_enter, 7 faults at 4 rhythms",
        run: |ground, finding| matrix(ground, finding, &ENTER),
    },
    Experiment {
        name: "injected-submit",
        needs_root: false,
        cases: &[51, 52, 53],
        mechanism: "strace: io_submit, 8 faults at 4 rhythms",
        run: |ground, finding| matrix(ground, finding, &SUBMIT),
    },
    Experiment {
        name: "injected-getevents",
        needs_root: false,
        cases: &[63],
        mechanism: "strace: io_getevents, 4 faults at 4 rhythms",
        run: |ground, finding| matrix(ground, finding, &GETEVENTS),
    },
    Experiment {
        name: "injected-setup",
        needs_root: false,
        cases: &[10],
        mechanism: "strace: io_uring_setup, EINVAL and others",
        run: |ground, finding| matrix(ground, finding, &SETUP),
    },
    Experiment {
        name: "ring-memory",
        needs_root: false,
        cases: &[9],
        mechanism: "strace: ENOMEM for each mmap of a ring",
        run: ring_memory,
    },
];

/// A call, and what is done to it.
struct Target {
    driver: Named,
    /// As `strace` names it; a list where the kernel has several for the same.
    call: &'static str,
    faults: &'static [Fault],
    rhythms: &'static [&'static str],
}

struct Fault {
    injection: &'static str,
    seen_by: SeenBy,
}

/// How far up a fault may be noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SeenBy {
    /// The engine gets over it.
    Nobody,
    /// The engine gets over it once it has started; a start may be refused.
    TheStart,
    /// Requests may end with an error.
    Callbacks,
}

const fn fault(injection: &'static str, seen_by: SeenBy) -> Fault {
    Fault { injection, seen_by }
}

const RHYTHMS: [&str; 4] = ["1", "2", "3+5", "5+7"];

const ENTER: Target = Target {
    driver: Named::Uring,
    call: "io_uring_enter",
    faults: &[
        fault("error=EINTR", SeenBy::Nobody),
        fault("error=EAGAIN", SeenBy::TheStart),
        fault("error=EBUSY", SeenBy::TheStart),
        fault("error=ENOMEM", SeenBy::Callbacks),
        fault("retval=0", SeenBy::Nobody),
        fault("delay_exit=2000", SeenBy::Nobody),
        fault("signal=SIGALRM", SeenBy::Nobody),
    ],
    rhythms: &RHYTHMS,
};

const SUBMIT: Target = Target {
    driver: Named::Aio,
    call: "io_submit",
    faults: &[
        fault("error=EINTR", SeenBy::Nobody),
        fault("error=EAGAIN", SeenBy::TheStart),
        fault("error=ENOMEM", SeenBy::Callbacks),
        fault("error=EIO", SeenBy::Callbacks),
        fault("error=EFAULT", SeenBy::Callbacks),
        fault("retval=0", SeenBy::Nobody),
        fault("delay_exit=2000", SeenBy::Nobody),
        fault("signal=SIGALRM", SeenBy::Nobody),
    ],
    rhythms: &RHYTHMS,
};

const GETEVENTS: Target = Target {
    driver: Named::Aio,
    call: "io_getevents,io_pgetevents",
    faults: &[
        fault("error=EINTR", SeenBy::Nobody),
        fault("retval=0", SeenBy::Nobody),
        fault("delay_exit=2000", SeenBy::Nobody),
        fault("signal=SIGALRM", SeenBy::Nobody),
    ],
    rhythms: &RHYTHMS,
};

const SETUP: Target = Target {
    driver: Named::Uring,
    call: "io_uring_setup",
    faults: &[
        // What an old kernel says to flags that it does not know.
        fault("error=EINVAL", SeenBy::Callbacks),
        fault("error=ENOMEM", SeenBy::Callbacks),
        fault("error=EAGAIN", SeenBy::Callbacks),
        fault("delay_exit=2000", SeenBy::Nobody),
    ],
    rhythms: &["1", "2", "1..2", "1..3"],
};

fn matrix(ground: &Ground, finding: &mut Finding, target: &Target) -> anyhow::Result<()> {
    if !ground.has(target.driver) {
        let name = target.driver.name();
        return Err(Skip(format!("{name} does not start here")).into());
    }
    let rhythms = if ground.quick {
        &target.rhythms[..2]
    } else {
        target.rhythms
    };
    for fault in target.faults {
        let mut injected = 0;
        for rhythm in rhythms {
            let cell = one_cell(ground, finding, target, fault, rhythm)?;
            injected += cell;
        }
        finding.demand(injected > 0, || {
            let (call, fault) = (target.call, fault.injection);
            format!("{call}, {fault}: never injected")
        });
    }
    Ok(())
}

/// How often the fault was injected.
fn one_cell(
    ground: &Ground,
    finding: &mut Finding,
    target: &Target,
    fault: &Fault,
    rhythm: &str,
) -> anyhow::Result<u64> {
    let (call, injection) = (target.call, fault.injection);
    let what = format!("{call}, {injection}, when={rhythm}");
    let log = ground.path("strace.log");
    let job = Job::scene(Scene::Blocks, target.driver, &ground.path("traced"))?;
    let job = job.set("blocks", "128").with("direct");
    // Only the thread of the caller takes signals.
    let is_signal = injection.starts_with("signal=");
    let job = if is_signal {
        job.with("on-this-thread").set("alarm", "0")
    } else {
        job
    };
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:{injection}:when={rhythm}");
    // Only strace's slower way brings signals along.
    let how = if is_signal { "-q" } else { "--seccomp-bpf" };
    let job = job.traced(&[how, "-e", &trace, "-e", &inject], &log);
    let answer = job.run()?;
    let mut heard = 0;
    if let Some(answer) = finding.take(&what, &answer) {
        heard = answer.injected;
        judge(finding, &what, answer, fault);
    }
    // The process itself counts the signals that it gets.
    let traced = if is_signal {
        0
    } else {
        count_injected(&job.trace()?)
    };
    finding.injected += traced;
    Ok(traced + heard)
}

fn judge(finding: &mut Finding, what: &str, answer: &Answer, fault: &Fault) {
    if let Some(refused) = &answer.not_started {
        let said = format!("{what}: {}", refused.text);
        finding.demand(fault.seen_by != SeenBy::Nobody, || said.clone());
        return finding.remarks.push(said);
    }
    let may_fail = fault.seen_by == SeenBy::Callbacks;
    finding.demand(may_fail || answer.failed() == 0, || {
        format!("{what}: callbacks saw {:?}", answer.errors)
    });
}

fn count_injected(trace: &str) -> u64 {
    let is_marked = |line: &&str| line.contains("(INJECTED)") || line.contains("(DELAYED)");
    trace.lines().filter(is_marked).count() as u64
}

fn ring_memory(ground: &Ground, finding: &mut Finding) -> anyhow::Result<()> {
    if !ground.has(Named::Uring) {
        return Err(Skip("io_uring does not start here".to_owned()).into());
    }
    let log = ground.path("strace-mmap.log");
    let plain = traced_mmap(ground, Named::Uring, None, &log)?;
    finding.take("without a fault", &plain.run()?);
    let places = ring_mappings(&plain.trace()?);
    places
        .first()
        .context("no mmap of a ring is in the trace")?;
    for place in places {
        for driver in [Named::Uring, Named::Auto] {
            let what = format!("{}, mmap {place}", driver.name());
            let job = traced_mmap(ground, driver, Some(place), &log)?;
            let answer = job.run()?;
            finding.injected += count_injected(&job.trace()?);
            let Some(answer) = finding.take(&what, &answer) else {
                continue;
            };
            let well = answer.failed() == 0 && answer.verified_bytes > 0;
            let is_told = answer
                .not_started
                .as_ref()
                .is_some_and(|refused| refused.errno == "ENOMEM");
            finding.demand(well || (driver == Named::Uring && is_told), || {
                format!("{what}: {:?} {:?}", answer.not_started, answer.errors)
            });
        }
    }
    Ok(())
}

/// A loop on the main thread, so that the calls are always in the same order.
fn traced_mmap(
    ground: &Ground,
    driver: Named,
    fails: Option<usize>,
    log: &Path,
) -> anyhow::Result<Job> {
    let job = Job::scene(Scene::Blocks, driver, &ground.path("traced-mmap"))?;
    let job = job.with("on-this-thread").set("blocks", "16");
    let inject = fails.map(|place| format!("inject=mmap:error=ENOMEM:when={place}"));
    let mut arguments = vec!["--seccomp-bpf", "-y", "-e", "trace=mmap"];
    if let Some(inject) = &inject {
        arguments.extend(["-e", inject]);
    }
    Ok(job.traced(&arguments, log))
}

/// The mappings of rings, counted from the first `mmap` of their thread, as `strace` counts.
fn ring_mappings(trace: &str) -> Vec<usize> {
    let main = trace.split_whitespace().next().unwrap_or_default();
    let of_main = trace
        .lines()
        .filter(|line| line.split_whitespace().next() == Some(main) && line.contains(" mmap("));
    let numbered = (1..).zip(of_main);
    numbered
        .filter(|(_, line)| line.contains("[io_uring]"))
        .map(|(number, _)| number)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
17 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3</lib/x>, 0) = 0x7f00
17 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_POPULATE, 4<anon_inode:[io_uring]>, 0) = 0x7f01
18 mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE, -1, 0) = 0x7f02
17 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 4<anon_inode:[io_uring]>, 0x10000000) = -1 ENOMEM (Cannot allocate memory) (INJECTED)
17 io_submit(0x1, 1, [...]) = 1 (DELAYED)
";

    #[test]
    fn mappings_of_rings_are_counted_on_the_main_thread() {
        assert_eq!(ring_mappings(TRACE), [2, 3]);
        assert!(ring_mappings("").is_empty());
    }

    #[test]
    fn injections_of_each_kind_are_counted() {
        assert_eq!(count_injected(TRACE), 2);
        assert_eq!(count_injected(""), 0);
    }
}
