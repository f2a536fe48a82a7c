//! The seeds, and simple variations of them, without a fuzzer.

use std::fs;
use std::path::Path;

use gannet_fuzz::{TARGETS, Target};

/// Variations of each seed.
const VARIATIONS: u64 = 30;

fn replay(name: &str) {
    let (_, run): &Target = TARGETS.iter().find(|(n, _)| *n == name).expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .expect("a folder of seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for (number, path) in seeds.iter().enumerate() {
        let seed = fs::read(path).expect("a seed");
        run(&seed);
        for variation in 0..VARIATIONS {
            let number = u64::try_from(number).expect("few");
            let mut rng = fastrand::Rng::with_seed(number << 32 | variation);
            run(&varied(&seed, &mut rng));
        }
    }
    println!(
        "{name}: {} seeds, {VARIATIONS} variations of each",
        seeds.len()
    );
}

fn varied(seed: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(0..=bytes.len());
        match rng.u8(0..4) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            2 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..].iter().copied().take(rng.usize(0..20));
                let piece: Vec<u8> = piece.collect();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn urls() {
    replay("url");
}

#[test]
fn codings() {
    replay("decode");
}

#[test]
fn redirects() {
    replay("location");
}

#[test]
fn http1() {
    replay("http1");
}

#[test]
fn frames() {
    replay("frames");
}
