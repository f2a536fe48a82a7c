use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{
    BrotliEncoder, DeflateEncoder, EncodeV2, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use proptest::prelude::*;

use super::*;

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

fn with(mut encoder: impl EncodeV2, plain: &[u8]) -> Vec<u8> {
    let mut room = vec![0; plain.len() * 2 + 1024];
    let mut out = WriteBuffer::new_initialized(&mut room);
    let mut input = PartialBuffer::new(plain);
    while !input.unwritten().is_empty() {
        encoder.encode(&mut input, &mut out).expect("room enough");
    }
    while !encoder.finish(&mut out).expect("room enough") {}
    let written = out.written_len();
    room.truncate(written);
    room
}

fn encoded(coding: Coding, plain: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => with(GzipEncoder::new(Level::Default.into()), plain),
        Coding::Deflate => with(ZlibEncoder::new(Level::Default.into()), plain),
        Coding::Brotli => with(BrotliEncoder::new(Default::default()), plain),
        Coding::Zstd => with(ZstdEncoder::new(3), plain),
    }
}

/// All that comes out of `chunks`.
fn decoded<'a>(
    codings: &[Coding],
    caps: Caps,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, (Fault, usize)> {
    let mut decoder = Decoder::new(codings, caps);
    let mut whole = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_piece() {
                Ok(Some(piece)) => {
                    assert!(!piece.is_empty() && piece.len() <= 64 << 10);
                    whole.extend_from_slice(&piece);
                }
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.next_piece(), Err(fault.clone()));
                    return Err((fault, whole.len()));
                }
            }
        }
    }
    match decoder.finish() {
        Ok(()) => Ok(whole),
        Err(fault) => Err((fault, whole.len())),
    }
}

fn text() -> Vec<u8> {
    (0..20_000u32)
        .flat_map(|n| format!("{} ", n * n % 9_973).into_bytes())
        .collect()
}

#[test]
fn each_coding_comes_out_as_it_went_in_however_it_is_cut() {
    let plain = text();
    let raw = with(DeflateEncoder::new(Level::Default.into()), &plain);
    for size in [1, 2, 3, 17, 1_000, usize::MAX] {
        for coding in ALL {
            let coded = encoded(coding, &plain);
            let got = decoded(
                &[coding],
                Caps::default(),
                coded.chunks(size.min(coded.len())),
            );
            let fault = got.as_ref().err();
            assert!(got.as_ref() == Ok(&plain), "{coding} in {size}s: {fault:?}");
        }
        let got = decoded(
            &[Coding::Deflate],
            Caps::default(),
            raw.chunks(size.min(raw.len())),
        );
        assert!(got.as_ref() == Ok(&plain), "raw deflate in {size}s");
    }
}

#[test]
fn what_is_cut_off_is_never_a_success() {
    let plain = &text()[..2_000];
    for coding in ALL {
        let coded = encoded(coding, plain);
        for end in 1..coded.len() {
            let got = decoded(&[coding], Caps::default(), [&coded[..end]]);
            assert!(got.is_err(), "{coding} cut at {end} of {}", coded.len());
        }
        assert_eq!(decoded(&[coding], Caps::default(), []), Ok(Vec::new()));
    }
}

#[test]
fn members_and_frames_follow_each_other_and_padding_is_passed_over() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let twice = [encoded(coding, b"one, "), encoded(coding, b"two")].concat();
        for size in [1, twice.len()] {
            let got = decoded(&[coding], Caps::default(), twice.chunks(size));
            assert_eq!(got, Ok(b"one, two".to_vec()), "{coding}");
        }
    }
    let padded = [encoded(Coding::Gzip, b"one"), vec![0; 512]].concat();
    assert_eq!(
        decoded(&[Coding::Gzip], Caps::default(), [&padded[..]]),
        Ok(b"one".to_vec())
    );
    let behind = [encoded(Coding::Brotli, b"one"), b"more".to_vec()].concat();
    assert_eq!(
        decoded(&[Coding::Brotli], Caps::default(), [&behind[..]]),
        Ok(b"one".to_vec())
    );
}

#[test]
fn bombs_cost_no_more_than_the_caps() {
    let plain = vec![0; 8 << 20];
    let caps = |max_decoded, max_ratio| Caps {
        max_decoded,
        max_ratio,
        ratio_floor: 1 << 20,
    };
    for coding in ALL {
        let bomb = encoded(coding, &plain);
        let size = plain.len() as u64;
        let got = decoded(&[coding], caps(size, u64::MAX), [&bomb[..]]);
        assert_eq!(got.expect("just inside").len(), plain.len(), "{coding}");
        let (fault, out) = decoded(&[coding], caps(size - 1, u64::MAX), [&bomb[..]]).expect_err("");
        assert_eq!(fault, Fault::TooLarge(size - 1), "{coding}");
        assert_eq!(out as u64, size - 1, "{coding}");
        let ratio = size.div_ceil(bomb.len() as u64);
        let got = decoded(&[coding], caps(u64::MAX, ratio), [&bomb[..]]);
        assert_eq!(got.expect("just inside").len(), plain.len(), "{coding}");
        let (fault, _) = decoded(&[coding], caps(u64::MAX, ratio - 1), [&bomb[..]]).expect_err("");
        assert_eq!(fault, Fault::TooMuchExpansion(ratio - 1), "{coding}");
        let (fault, out) = decoded(&[coding], caps(u64::MAX, 50), [&bomb[..]]).expect_err("a bomb");
        assert_eq!(fault, Fault::TooMuchExpansion(50), "{coding}");
        assert!(out <= (bomb.len() * 50).max(1 << 20), "{coding}: {out}");
        let twice = encoded(Coding::Gzip, &bomb);
        let chain = [coding, Coding::Gzip];
        let (fault, out) = decoded(&chain, caps(u64::MAX, 50), [&twice[..]]).expect_err("a bomb");
        assert_eq!(fault, Fault::TooMuchExpansion(50), "{coding}");
        assert!(out <= (twice.len() * 50).max(1 << 20), "{coding}: {out}");
    }
}

#[test]
fn a_zstd_window_beyond_8_mib_is_refused() {
    // Magic, a descriptor without sizes, a window of 2^(10+n), then a block of nothing.
    let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
    assert!(decoded(&[Coding::Zstd], Caps::default(), [&frame(13)[..]]).is_ok());
    let (fault, _) = decoded(&[Coding::Zstd], Caps::default(), [&frame(14)[..]]).expect_err("");
    assert!(
        matches!(fault, Fault::Corrupt(Coding::Zstd, _)),
        "{fault:?}"
    );
}

proptest! {
    #[test]
    fn any_chain_of_any_bytes_in_any_pieces_is_undone(
        plain in prop::collection::vec(any::<u8>(), 1..3_000),
        codings in prop::collection::vec(prop::sample::select(&ALL[..]), 1..=2),
        sizes in prop::collection::vec(1usize..500, 1..20),
    ) {
        let coded = codings.iter().fold(plain.clone(), |bytes, coding| encoded(*coding, &bytes));
        let mut left = &coded[..];
        let chunks = sizes.iter().cycle().map_while(|size| {
            let (chunk, behind) = left.split_at((*size).min(left.len()));
            left = behind;
            (!chunk.is_empty()).then_some(chunk)
        });
        prop_assert_eq!(decoded(&codings, Caps::default(), chunks), Ok(plain));
    }

    #[test]
    fn whatever_is_put_in_nothing_panics_and_the_caps_hold(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        coding in prop::sample::select(&ALL[..]),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
        is_random in any::<bool>(),
    ) {
        let caps = Caps { max_decoded: 10_000, max_ratio: 20, ratio_floor: 100 };
        let mut coded = if is_random { bytes.clone() } else { encoded(coding, &bytes) };
        if !coded.is_empty() {
            let at = at.index(coded.len());
            coded[at] ^= flip;
        }
        match decoded(&[coding], caps, [&coded[..]]) {
            Ok(out) => {
                prop_assert!(out.len() <= 10_000);
                // gzip, zlib and zstd have sums to tell.
                if coding == Coding::Gzip && !is_random && out != bytes {
                    prop_assert!(out.is_empty() || bytes.starts_with(&out));
                }
            }
            Err((_, out)) => prop_assert!(out <= 10_000),
        }
    }
}
