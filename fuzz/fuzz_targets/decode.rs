//! See `gannet_fuzz::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gannet_fuzz::decode::run(data));
