//! The arguments of the demo.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// What a user asks of the demo; [`Job`](super::job::Job) is what becomes of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Folder for the temporary file; the system's temporary folder if left out
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub(crate) dir: Option<PathBuf>,

    /// Reads this file or block device in random order and never writes it
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// Bytes to write and read, with K, M or G; 64M, or the whole of --file
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) size: Option<u64>,

    /// Requests in flight
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) depth: usize,

    /// Bytes per request, with K, M or G
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "4K")]
    pub(crate) block: u64,

    /// Past the page cache, with `O_DIRECT`
    #[arg(long)]
    pub(crate) direct: bool,

    /// Prints JSON in place of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Gives up when no request has finished for this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) stall_limit: Duration,

    /// Runs as it was built, for the tests: the numbers mean nothing
    #[arg(long, hide = true)]
    pub(crate) unoptimised: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("a whole number of seconds, at least 1".to_owned()),
    }
}

/// A number of bytes, as in `4096`, `4K`, `64M`, `2GiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err("a number of bytes, as in 4096, 4K, 64M or 2G".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a number of bytes, as in 4096, 4K, 64M or 2G".to_owned())?;
    match number.checked_mul(unit) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err("from 1 byte to below 16 EiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_suffix() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("4k"), Ok(4096));
        assert_eq!(bytes("64M"), Ok(64 << 20));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "K", "0", "-1", "4.5K", "4T", "1 2", "99999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
