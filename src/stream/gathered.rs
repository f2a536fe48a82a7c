//! A body in the making.

use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::body::Spares;

/// What is reserved at once on the word of a server. A larger body is believed once it has begun to come:
/// up to here its pieces are kept, beyond that they would take twice the memory.
const TRUSTED: usize = 1 << 20;
/// Then its word counts for so many times of what has come: a body that grows by doubling would have
/// pages returned to the system, and fetched again, which costs more than all else.
const CREDIT: usize = 16;
/// A piece of at least this size is kept as it is; smaller ones are copied, so that a small body does
/// not keep alive the whole read buffer it came in.
const WORTH_KEEPING: usize = 16 << 10;
/// What smaller pieces are copied to, where more is not known to be of use.
const BLOCK: usize = 64 << 10;

/// Gathers pieces.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// In all, if the server is to be believed.
    announced: usize,
    pieces: Vec<Bytes>,
    /// What has come behind them.
    tail: BytesMut,
    /// All, once that is more than is joined at the end.
    whole: Option<Vec<u8>>,
    /// Of all.
    length: usize,
}

impl Gathered {
    pub(crate) fn new(announced: Option<u64>) -> Self {
        Self {
            announced: usize::try_from(announced.unwrap_or(0)).unwrap_or(0),
            pieces: Vec::new(),
            tail: BytesMut::new(),
            whole: None,
            length: 0,
        }
    }

    pub(crate) fn push(&mut self, piece: Bytes, spares: &Spares) {
        let before = self.length;
        self.length += piece.len();
        // While it is in the processor's cache, and so that what it was read into can be used again.
        let is_joined_at_once =
            self.announced > piece.len().max(WORTH_KEEPING) && self.announced <= TRUSTED;
        if self.whole.is_some() || is_joined_at_once || self.length > TRUSTED {
            self.grow(&piece, spares);
        } else if piece.len() >= WORTH_KEEPING {
            self.close_tail();
            self.pieces.push(piece);
        } else {
            self.add(&piece, before);
        }
    }

    fn add(&mut self, piece: &[u8], before: usize) {
        if self.tail.capacity() - self.tail.len() < piece.len() {
            self.close_tail();
            let expected = self.announced.saturating_sub(before);
            let most = if before == 0 { TRUSTED } else { BLOCK };
            let room = match expected {
                0 => before.min(BLOCK),
                expected => expected.min(most),
            };
            self.tail = BytesMut::with_capacity(room.max(piece.len()));
        }
        self.tail.extend_from_slice(piece);
    }

    /// Puts a piece, which is counted, behind all that has come.
    fn grow(&mut self, piece: &[u8], spares: &Spares) {
        let credit = self.length.saturating_mul(CREDIT).max(TRUSTED);
        let room = self.announced.min(credit).max(self.length);
        let mut whole = match self.whole.take() {
            Some(whole) => whole,
            None => {
                self.close_tail();
                let mut whole = spares.take(room);
                for piece in self.pieces.drain(..) {
                    whole.extend_from_slice(&piece);
                }
                whole
            }
        };
        if self.length > whole.capacity() {
            whole.reserve(room - whole.len());
        }
        whole.extend_from_slice(piece);
        self.whole = Some(whole);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(mem::take(&mut self.tail).freeze());
        }
    }

    pub(crate) fn finish(mut self, spares: &Arc<Spares>) -> Bytes {
        if let Some(whole) = self.whole {
            return spares.lend(whole);
        }
        if self.pieces.is_empty() {
            return self.tail.freeze();
        }
        self.close_tail();
        if let [_] = self.pieces[..] {
            return self.pieces.swap_remove(0);
        }
        let mut whole = spares.take(self.length);
        for piece in self.pieces.drain(..) {
            whole.extend_from_slice(&piece);
        }
        spares.lend(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spares() -> Arc<Spares> {
        Arc::new(Spares::new(1 << 20))
    }

    #[test]
    fn memory_follows_what_comes_not_what_is_announced() {
        for announced in [u64::MAX, 32 << 20, 20_000, 0] {
            let mut body = Gathered::new(Some(announced));
            body.push(Bytes::from_static(b"x"), &spares());
            assert!(body.tail.capacity() <= TRUSTED);
            for _ in 0..10_000 {
                body.push(Bytes::from_static(&[7; 1_000]), &spares());
            }
            let held = body.whole.as_ref().expect("it is large").capacity();
            // A server that has sent a megabyte is believed sixteen; without a word it grows by doubling.
            let most = usize::try_from(announced).unwrap_or(usize::MAX);
            let most = most.min(CREDIT * (TRUSTED + 1_000)).max(20_000_000);
            assert!(held <= most, "{announced}: {held}");
        }
    }

    #[test]
    fn a_body_that_is_as_announced_takes_no_more_than_its_size() {
        for size in [1, 1_000, 16_384, 100_000, 10_000_000] {
            let mut body = Gathered::new(Some(size));
            for piece in vec![7; size as usize].chunks(if size > 1 << 20 { 16_384 } else { 1_000 })
            {
                body.push(Bytes::copy_from_slice(piece), &spares());
            }
            let body = Vec::from(body.finish(&spares()));
            assert_eq!(
                (body.len(), body.capacity()),
                (size as usize, size as usize)
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_come_out_in_order_however_they_are_cut(
            pieces in prop::collection::vec(0usize..40_000, 0..6),
            announced in prop::option::of(prop_oneof![0u64..100_000, any::<u64>()]),
        ) {
            let mut body = Gathered::new(announced);
            let mut expected = Vec::new();
            for (n, len) in pieces.into_iter().enumerate() {
                let piece = vec![n as u8; len];
                expected.extend_from_slice(&piece);
                body.push(piece.into(), &spares());
            }
            prop_assert_eq!(&body.finish(&spares())[..], &expected[..]);
        }
    }
}
