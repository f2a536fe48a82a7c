//! Content codings undone.

use bytes::Bytes;
use gannet::decode::{Caps, Chain, Coding, Decoder, Fault};

use crate::take;

const CAPS: Caps = Caps {
    max_decoded: 1 << 20,
    max_ratio: 100,
    ratio_floor: 64 << 10,
};

/// The first bytes choose codings and how the rest is split. However it is split, what is sound comes
/// out the same, within the caps, and what is not fails.
pub fn run(mut data: &[u8]) {
    let [chain, split] = take(&mut data);
    let named = ["gzip", "deflate", "br", "zstd", "identity", "x-gzip, br"];
    let name = named[usize::from(chain) % named.len()];
    let Some(Chain::Known(codings)) = Chain::parse([name]) else {
        return;
    };
    let whole = undone(&codings, data, data.len());
    let split = undone(&codings, data, usize::from(split));
    // The caps are looked at piece by piece; the rest is the same.
    if [&whole, &split].iter().all(|(_, fault)| !is_cap(fault)) {
        // A fault may be noticed before all that stands in front of it has come out.
        let is_one = whole.0.starts_with(&split.0) || split.0.starts_with(&whole.0);
        assert!(is_one);
        assert!(whole.0.len() == split.0.len() || whole.1.is_some());
        assert_eq!(
            whole.1.is_some(),
            split.1.is_some(),
            "{:?} {:?}",
            whole.1,
            split.1
        );
    }
}

fn is_cap(fault: &Option<Fault>) -> bool {
    matches!(fault, Some(Fault::TooLarge(_) | Fault::TooMuchExpansion(_)))
}

/// All that comes out, and what is wrong at its end.
fn undone(codings: &[Coding], data: &[u8], size: usize) -> (Vec<u8>, Option<Fault>) {
    let mut decoder = Decoder::new(codings, CAPS);
    let mut out = Vec::new();
    for piece in data.chunks(size.max(1)) {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next_piece() {
                Ok(Some(piece)) => {
                    assert!(!piece.is_empty() && piece.len() <= 64 << 10);
                    out.extend_from_slice(&piece);
                    assert!(out.len() as u64 <= CAPS.max_decoded);
                }
                Ok(None) => break,
                Err(fault) => return (out, Some(fault)),
            }
        }
    }
    let fault = decoder.finish().err();
    (out, fault)
}
