//! fio as one of the engines: its command line from a cell, a result from its JSON.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::cell::{CellResult, CellSpec, Workload};
use super::pattern::Pattern;
use super::statistics::as_float;

/// What fio calls itself, if it is installed.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("fio").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

/// fio with blocks of 1 MiB, and as many bytes in flight as the cell has.
const IN_MEBIBYTES: &str = "fio-uring-1m";
const MEBIBYTE: u32 = 1 << 20;

fn blocks_of_a_mebibyte(spec: &CellSpec) -> usize {
    (MEBIBYTE / spec.block.max(1)).max(1) as usize
}

/// fio for a cell; `None` where it cannot do the same as the others.
///
/// It submits and reaps in batches as the raw loops do, with buffers and files unregistered as
/// they have them.
pub(crate) fn command(spec: &CellSpec) -> Option<Command> {
    let rw = match spec.workload {
        Workload::RandomRead => "randread",
        Workload::RandomWrite => "randwrite",
        Workload::SequentialRead => "read",
        Workload::SequentialWrite => "write",
        Workload::Mixed => "randrw",
        // Its `fdatasync=1` counts the syncs apart, and it has no nop through a ring.
        Workload::Nop | Workload::Log => return None,
    };
    // It has no streams that take turns.
    if spec.pattern != Pattern::default() {
        return None;
    }
    let engine = match spec.engine.as_str() {
        "fio-uring" | IN_MEBIBYTES => "io_uring",
        "fio-libaio" => "libaio",
        _ => return None,
    };
    let (block, depth) = match spec.engine.as_str() {
        IN_MEBIBYTES => (MEBIBYTE, spec.depth.div_ceil(blocks_of_a_mebibyte(spec))),
        _ => (spec.block, spec.depth),
    };
    let mut command = Command::new("fio");
    command.arg("--name=cell");
    command.arg(format!("--filename={}", spec.path.display()));
    command.arg(format!("--size={}", spec.file_bytes));
    command.arg(format!("--rw={rw}"));
    command.arg(format!("--ioengine={engine}"));
    command.arg(format!("--bs={block}"));
    command.arg(format!("--iodepth={depth}"));
    command.arg(format!("--iodepth_batch_submit={}", depth.div_ceil(4)));
    command.arg(format!("--iodepth_batch_complete_max={depth}"));
    command.arg(format!("--direct={}", u8::from(spec.direct)));
    command.arg(format!("--runtime={}ms", spec.measure_ms));
    command.arg(format!("--ramp_time={}ms", spec.warm_up_ms));
    command.arg(format!("--randseed={}", spec.seed));
    command.args([
        "--rwmixread=70",
        "--iodepth_batch_complete_min=1",
        "--time_based",
        "--norandommap",
        // The page cache is to stay as it is.
        "--invalidate=0",
        "--unified_rw_reporting=1",
        "--clat_percentiles=0",
        "--lat_percentiles=1",
        "--percentile_list=50:99:99.9",
        "--output-format=json",
    ]);
    Some(command)
}

#[derive(Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    error: i32,
    mixed: Mixed,
    /// In milliseconds.
    job_runtime: u64,
    /// In percent of the run time.
    usr_cpu: f64,
    sys_cpu: f64,
}

#[derive(Deserialize)]
struct Mixed {
    io_bytes: u64,
    total_ios: u64,
    /// In milliseconds.
    runtime: u64,
    lat_ns: Latency,
}

#[derive(Deserialize)]
struct Latency {
    #[serde(rename = "N")]
    samples: u64,
    #[serde(default)]
    percentile: Percentiles,
}

#[derive(Default, Deserialize)]
struct Percentiles {
    #[serde(rename = "50.000000")]
    p50: u64,
    #[serde(rename = "99.000000")]
    p99: u64,
    #[serde(rename = "99.900000")]
    p999: u64,
}

/// Reads what fio printed. Its memory and its system calls are not in there.
pub(crate) fn result(stdout: &str) -> anyhow::Result<CellResult> {
    // It prints warnings before the JSON.
    let begin = stdout.find('{').context("fio printed no JSON")?;
    let output: Output = serde_json::from_str(&stdout[begin..]).context("fio's JSON")?;
    let job = output.jobs.first().context("fio's JSON has no job")?;
    ensure!(job.error == 0, "fio's error {}", job.error);
    let run_time = as_float(job.job_runtime) * 1000.0;
    let part = |percent: f64| percent / 100.0 * run_time;
    Ok(CellResult {
        ios: job.mixed.total_ios,
        bytes: job.mixed.io_bytes,
        seconds: Duration::from_millis(job.mixed.runtime).as_secs_f64(),
        p50_ns: job.mixed.lat_ns.percentile.p50,
        p99_ns: job.mixed.lat_ns.percentile.p99,
        p999_ns: job.mixed.lat_ns.percentile.p999,
        samples: job.mixed.lat_ns.samples,
        cpu_user_us: part(job.usr_cpu),
        cpu_system_us: part(job.sys_cpu),
        ..CellResult::default()
    })
}

/// Counts the I/Os of large blocks as the others count theirs.
pub(crate) fn in_blocks_of_the_cell(spec: &CellSpec, mut result: CellResult) -> CellResult {
    if spec.engine == IN_MEBIBYTES {
        result.ios *= blocks_of_a_mebibyte(spec) as u64;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(engine: &str, workload: Workload) -> CellSpec {
        CellSpec {
            engine: engine.to_owned(),
            workload,
            path: "data".into(),
            file_bytes: 1 << 20,
            direct: true,
            block: 4096,
            depth: 32,
            contexts: 1,
            warm_up_ms: 10,
            measure_ms: 40,
            pattern: Pattern::default(),
            seed: 1,
            syscall_tracepoint: None,
        }
    }

    #[test]
    fn the_command_line_says_what_the_cell_says() {
        let command = command(&spec("fio-libaio", Workload::Mixed)).unwrap();
        let arguments: Vec<_> = command
            .get_args()
            .filter_map(|text| text.to_str())
            .collect();
        for expected in [
            "--rw=randrw",
            "--ioengine=libaio",
            "--direct=1",
            "--runtime=40ms",
        ] {
            assert!(arguments.contains(&expected), "{expected}: {arguments:?}");
        }
    }

    #[test]
    fn what_fio_cannot_do_in_the_same_way_is_left_out() {
        assert!(command(&spec("fio-uring", Workload::Log)).is_none());
        assert!(command(&spec("fio-uring", Workload::Nop)).is_none());
        assert!(command(&spec("fio-sync", Workload::Mixed)).is_none());
    }

    const OUTPUT: &str = r#"note: something
        {"fio version": "fio-3.33", "jobs": [{"error": 0, "job_runtime": 400, "usr_cpu": 10.0,
        "sys_cpu": 25.0, "mixed": {"io_bytes": 4096000, "total_ios": 1000, "runtime": 500,
        "lat_ns": {"N": 1000, "percentile": {"50.000000": 5, "99.000000": 6, "99.900000": 7}}}}]}"#;

    #[test]
    fn the_result_is_in_the_units_of_the_others() {
        let result = result(OUTPUT).unwrap();
        assert_eq!(
            (result.ios, result.bytes, result.seconds),
            (1000, 4_096_000, 0.5)
        );
        assert_eq!((result.p50_ns, result.p99_ns, result.p999_ns), (5, 6, 7));
        assert_eq!(
            (result.cpu_user_us, result.cpu_system_us),
            (40_000.0, 100_000.0)
        );
    }

    #[test]
    fn an_error_of_fio_is_none_of_its_results() {
        let failed = OUTPUT.replace("\"error\": 0", "\"error\": 5");
        assert!(result(&failed).unwrap_err().to_string().contains('5'));
        assert!(result("fio: no such file").is_err());
    }

    #[test]
    fn large_blocks_are_counted_in_those_of_the_cell() {
        let spec = spec(IN_MEBIBYTES, Workload::SequentialRead);
        let command = command(&spec).unwrap();
        let arguments: Vec<_> = command
            .get_args()
            .filter_map(|text| text.to_str())
            .collect();
        assert!(arguments.contains(&"--bs=1048576") && arguments.contains(&"--iodepth=1"));
        assert_eq!(
            in_blocks_of_the_cell(&spec, result(OUTPUT).unwrap()).ios,
            256_000
        );
    }

    #[test]
    fn it_has_no_streams() {
        let pattern = Pattern {
            streams: 4,
            window: 1,
        };
        let spec = CellSpec {
            pattern,
            ..spec("fio-uring", Workload::SequentialRead)
        };
        assert!(command(&spec).is_none());
    }
}
