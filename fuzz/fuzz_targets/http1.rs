//! See `gannet_fuzz::http1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gannet_fuzz::http1::run(data));
