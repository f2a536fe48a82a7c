//! What is fuzzed, as plain functions of bytes: each panics where something is wrong.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run --features libfuzzer frames -- -max_total_time=300
//! ```
//!
//! runs one of them under a fuzzer, from the seeds in `fuzz/corpus`. `cargo test --package gannet-fuzz`
//! runs the seeds, and simple variations of them, in a few seconds.
//!
//! The last three speak to an engine over loopback, as a server would that says what the bytes tell.

pub mod decode;
pub mod frames;
pub mod http1;
pub mod location;
mod server;
pub mod url;

/// The name of a target, which is that of its folder of seeds, too; and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("url", url::run),
    ("decode", decode::run),
    ("location", location::run),
    ("http1", http1::run),
    ("frames", frames::run),
];

/// Takes bytes off the front of `data`; zeros where there are none left.
fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let (front, rest) = data.split_at(N.min(data.len()));
    taken[..front.len()].copy_from_slice(front);
    *data = rest;
    taken
}

/// Takes at most `length` bytes off the front of `data`.
fn take_slice<'a>(data: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (front, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    front
}
