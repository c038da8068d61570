//! The fuzz target: performs the script that libFuzzer has made up.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the ordinary tests, which share it, count as well")]
#[path = "../../../io-engine/tests/script/mod.rs"]
mod script;

fuzz_target!(|bytes: &[u8]| {
    script::perform(bytes);
});
