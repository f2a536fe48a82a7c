//! What a server pushes along with a response that was given up meanwhile.
//!
//! The h2 crate does not take such a promise in, and ends the session at the first frame of the stream
//! promised, of which it does not know. It does know the stream that was given up, and overlooks what
//! still comes for that, with its bytes returned to the connection's window and its header blocks
//! decoded. So frames of the one are handed on as frames of the other.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::scan::HEAD;

/// As many streams given up are remembered, and as many promises along with them. A promise that
/// comes later than that ends the session.
const REMEMBERED: usize = 1_000;

/// The streams that this side has given up, where the server may push.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    streams: RefCell<VecDeque<u32>>,
    /// Whether the server is to be told before anything else of its is read.
    is_news: Cell<bool>,
}

impl GivenUp {
    pub(super) fn add(&self, stream: u32) {
        let mut streams = self.streams.borrow_mut();
        streams.truncate(REMEMBERED - 1);
        streams.push_front(stream);
        self.is_news.set(true);
    }

    pub(super) fn take_news(&self) -> bool {
        self.is_news.take()
    }

    pub(super) fn has(&self, stream: u32) -> bool {
        self.streams.borrow().contains(&stream)
    }
}

/// Streams promised along with those given up.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Each with the one it was promised along with.
    known: VecDeque<(u32, u32)>,
    /// Of a promise that passes: its stream, and where its payload has the stream promised.
    passing: Option<(u32, usize)>,
    seen: [u8; 4],
}

impl Orphans {
    /// The stream that a frame of `stream` is handed on as.
    pub(super) fn parent(&self, stream: u32) -> Option<u32> {
        let mut known = self.known.iter();
        known
            .find(|(id, _)| *id == stream)
            .map(|(_, parent)| *parent)
    }

    /// A frame begins; if it is a promise along with a stream given up, that stream is its `parent`.
    pub(super) fn begin(&mut self, parent: Option<u32>, is_padded: bool) {
        self.passing = parent.map(|parent| (parent, HEAD + usize::from(is_padded)));
    }

    /// Some of a frame passes, which stand `at` so many bytes behind its beginning.
    pub(super) fn pass(&mut self, bytes: &[u8], at: usize) {
        let Some((parent, place)) = self.passing else {
            return;
        };
        for (byte, at) in bytes.iter().zip(at..) {
            if (place..place + 4).contains(&at) {
                self.seen[at - place] = *byte;
            }
        }
        if at + bytes.len() >= place + 4 {
            let promised = u32::from_be_bytes(self.seen) & (u32::MAX >> 1);
            self.passing = None;
            // Streams of the server's own have even numbers (RFC 9113 §5.1.1).
            if promised != 0 && promised.is_multiple_of(2) {
                self.known.truncate(REMEMBERED - 1);
                self.known.push_front((promised, parent));
            }
        }
    }
}
