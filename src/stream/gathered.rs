//! A body in the making.

use bytes::{Bytes, BytesMut};

/// What is reserved at once on the word of a server; beyond, the body grows as it comes.
const TRUSTED: u64 = 1 << 20;
/// A single piece of at least this size is handed on as it is; smaller ones are copied, so that
/// a small body does not keep alive the whole read buffer it came in.
const WORTH_KEEPING: usize = 16 << 10;

/// Gathers pieces.
#[derive(Debug)]
pub(crate) struct Gathered {
    announced: usize,
    only: Option<Bytes>,
    gathered: BytesMut,
}

impl Gathered {
    pub(crate) fn new(announced: Option<u64>) -> Self {
        let announced = announced.unwrap_or(0).min(TRUSTED);
        Self {
            announced: usize::try_from(announced).unwrap_or(0),
            only: None,
            gathered: BytesMut::new(),
        }
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.only.is_none() && self.gathered.is_empty() && piece.len() >= WORTH_KEEPING {
            self.only = Some(piece);
            return;
        }
        let is_whole =
            self.only.is_none() && self.gathered.is_empty() && piece.len() == self.announced;
        if is_whole {
            self.only = Some(Bytes::copy_from_slice(&piece));
            return;
        }
        if self.gathered.capacity() == 0 {
            self.gathered.reserve(self.announced.max(piece.len()));
        }
        if let Some(first) = self.only.take() {
            self.gathered.extend_from_slice(&first);
        }
        self.gathered.extend_from_slice(&piece);
    }

    pub(crate) fn finish(self) -> Bytes {
        self.only.unwrap_or_else(|| self.gathered.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_come_out_in_order_however_they_are_cut(
            pieces in prop::collection::vec(0usize..40_000, 0..6),
            announced in prop::option::of(0u64..u64::MAX),
        ) {
            let mut body = Gathered::new(announced);
            let mut expected = Vec::new();
            for (n, len) in pieces.into_iter().enumerate() {
                let piece = vec![n as u8; len];
                expected.extend_from_slice(&piece);
                body.push(piece.into());
            }
            prop_assert_eq!(&body.finish()[..], &expected[..]);
        }
    }
}
