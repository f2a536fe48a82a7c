//! See `gannet_fuzz::url`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gannet_fuzz::url::run(data));
