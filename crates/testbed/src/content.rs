//! Bodies that derive from the path they are served under, so that a client can check them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::route::{self, Route};

/// Size of all the pieces of a body but the last. A multiple of eight, the size of a word.
const PIECE: u64 = 64 * 1024;
/// The increment of the splitmix64 generator.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Each of 32 values of a byte has a letter here; the spaces make words of them.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz     \n";

/// The pieces, 64 KiB each but for the last, of a derived body. Made by [`content`].
#[derive(Clone, Debug)]
pub struct Content {
    state: u64,
    left: u64,
}

impl Content {
    /// How many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.left
    }
}

impl Iterator for Content {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let size = self.left.min(PIECE);
        self.left -= size;
        // At most PIECE, which fits any usize.
        let mut piece = vec![0; size as usize];
        let mut words = piece.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&next_word(&mut self.state).to_le_bytes());
        }
        let tail = words.into_remainder();
        if !tail.is_empty() {
            let word = next_word(&mut self.state).to_le_bytes();
            tail.copy_from_slice(&word[..tail.len()]);
        }
        Some(Bytes::from(piece))
    }
}

/// The body of `len` bytes that derives from `path_and_query`, piece by piece.
///
/// The path is hashed to 64 bits (FNV-1a) that seed a splitmix64 stream, whose words are written
/// little-endian.
#[must_use]
pub fn content(path_and_query: &str, len: u64) -> Content {
    Content {
        state: fnv1a(path_and_query.as_bytes()),
        left: len,
    }
}

/// The text of `len` bytes that derives from `path_and_query`: what `/gzip`, `/br` and `/zstd`
/// encode.
#[must_use]
pub fn text(path_and_query: &str, len: u64) -> Vec<u8> {
    let letters = |piece: Bytes| piece.into_iter().map(letter);
    content(path_and_query, len).flat_map(letters).collect()
}

/// Whether `body` is what the testbed serves under `path_and_query`, which has to be that of a
/// route with a derived body: `/bytes`, `/drip`, `/gzip`, `/br`, `/zstd` (the body decoded), or
/// any of them after `/delay`.
///
/// The length is read from the path. Any other path is `false`.
#[must_use]
pub fn verify(path_and_query: &str, body: &[u8]) -> bool {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
    match route::plan(path).route {
        Route::Bytes { len } | Route::Drip { len, .. } => {
            matches(path_and_query, len, body, |byte| byte)
        }
        Route::Coded { len, .. } => matches(path_and_query, len, body, letter),
        _ => false,
    }
}

/// The SHA-256 digest of `bytes` in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Remembers the digests of bodies served before, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    known: Mutex<HashMap<String, String>>,
}

impl Digests {
    const MOST: usize = 4096;
    const LONGEST_PATH: usize = 256;

    /// The digest of the derived body, made now if it is not remembered.
    ///
    /// Other connections get their turns between the pieces, as a large body takes seconds.
    pub(crate) async fn digest(&self, path_and_query: &str, len: u64) -> String {
        if let Some(known) = self.lock().get(path_and_query) {
            return known.clone();
        }
        let mut hasher = Sha256::new();
        let mut pieces = content(path_and_query, len);
        while let Some(piece) = pieces.next() {
            hasher.update(&piece);
            if pieces.remaining() > 0 {
                tokio::task::yield_now().await;
            }
        }
        let digest = hex(&hasher.finalize());
        self.remember(path_and_query, &digest);
        digest
    }

    fn remember(&self, path_and_query: &str, digest: &str) {
        if path_and_query.len() > Self::LONGEST_PATH {
            return;
        }
        let mut known = self.lock();
        // Starting anew is the cheapest bound, and digests are quickly made again.
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(path_and_query.to_owned(), digest.to_owned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn matches(path_and_query: &str, len: u64, body: &[u8], map: impl Fn(u8) -> u8) -> bool {
    if u64::try_from(body.len()) != Ok(len) {
        return false;
    }
    let mut rest = body;
    content(path_and_query, len).all(|piece| {
        let (here, after) = rest.split_at(piece.len());
        rest = after;
        piece.iter().map(|byte| map(*byte)).eq(here.iter().copied())
    })
}

fn letter(byte: u8) -> u8 {
    LETTERS[usize::from(byte & 31)]
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn next_word(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GAMMA);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(path: &str, len: u64) -> Vec<u8> {
        content(path, len).flatten().collect()
    }

    #[test]
    fn content_has_the_length_asked_for() {
        for len in [0, 1, 7, 8, 9, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            assert_eq!(whole("/bytes", len).len() as u64, len);
        }
    }

    #[test]
    fn shorter_content_is_a_prefix_of_longer_content() {
        let long = whole("/x", 2 * PIECE);
        let short = whole("/x", PIECE + 3);
        assert_eq!(long[..short.len()], short[..]);
    }

    #[test]
    fn words_are_those_of_splitmix64() {
        let mut state = 0;
        assert_eq!(next_word(&mut state), 0xe220_a839_7b1d_cdaf);
        assert_eq!(next_word(&mut state), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn verify_reads_the_length_from_the_path() {
        for (path, len) in [
            ("/bytes/0", 0),
            ("/bytes/100", 100),
            ("/bytes/70000/name.bin?a=b/c", 70_000),
            ("/delay/50/bytes/100", 100),
            ("/delay/1/delay/2/bytes/9", 9),
            ("/drip/20/3", 20),
        ] {
            assert!(verify(path, &whole(path, len)), "{path}");
            assert!(!verify(path, &whole(path, len + 1)), "{path}");
            assert!(len == 0 || !verify(path, &whole("/other", len)), "{path}");
        }
        assert!(verify("/gzip/300", &text("/gzip/300", 300)));
        assert!(verify("/br", &text("/br", 10_000)));
    }

    #[test]
    fn verify_refuses_what_has_no_derived_body() {
        for path in ["", "/", "/echo", "/bytes", "/bytes/x", "/bytes/17179869185"] {
            assert!(!verify(path, b""), "{path}");
        }
    }

    #[test]
    fn one_wrong_byte_is_found() {
        let mut body = whole("/bytes/100000", 100_000);
        body[99_999] ^= 1;
        assert!(!verify("/bytes/100000", &body));
    }

    #[test]
    fn sha256_of_the_empty_body() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_hex(b""), expected);
    }

    #[tokio::test]
    async fn digests_are_those_of_the_content_and_bounded() {
        let digests = Digests::default();
        for round in 0..=Digests::MOST {
            let path = format!("/bytes/10/{round}");
            let expected = sha256_hex(&whole(&path, 10));
            assert_eq!(digests.digest(&path, 10).await, expected);
            assert_eq!(digests.digest(&path, 10).await, expected);
        }
        assert!(digests.lock().len() <= Digests::MOST);
    }
}
