//! See `gannet_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gannet_fuzz::frames::run(data));
