//! Finds the frames in a server's bytes (RFC 9113 §4.1), and decides what is handed on together.

use std::ops::RangeInclusive;
use std::rc::Rc;

use super::orphans::{GivenUp, Orphans};
use super::sight::Tally;
use crate::message::GoAway;

pub(super) const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// What says in one byte that a response is a final one: the statuses from 200 to 500 in HPACK's static
/// table (RFC 7541, appendix A).
const FINAL: RangeInclusive<u8> = 0x88..=0x8e;

/// What to do with the first of the bytes shown. Those behind it are to be shown again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Piece {
    /// To take out first.
    pub(super) skip: usize,
    /// To hand on, as one piece.
    pub(super) pass: usize,
    /// The stream of the header block that the piece belongs to.
    pub(super) block: Option<u32>,
}

/// Walks from frame to frame, reading no more of each than its head.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// What is still to come of the frame begun, its head included.
    rest: u32,
    /// All of it.
    len: u32,
    block: Option<Block>,
    /// Set while a GOAWAY passes.
    goaway: Option<Gather>,
    /// The length of a DATA frame that may be all padding, until the length of that has passed.
    padded: Option<u32>,
    tally: Tally,
    /// Header blocks that may be interim responses.
    unsure: u64,
    given_up: Rc<GivenUp>,
    orphans: Orphans,
}

/// A header block of which the end has not passed.
#[derive(Clone, Copy, Debug)]
struct Block {
    stream: u32,
    /// The frame begun is its last.
    ends: bool,
}

/// The fixed part of a GOAWAY, which may come split.
#[derive(Debug, Default)]
struct Gather {
    bytes: [u8; HEAD + 8],
    len: usize,
}

/// The head of a frame.
#[derive(Clone, Copy)]
struct Head {
    len: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Scan {
    pub(super) fn new(given_up: Rc<GivenUp>) -> Self {
        Self {
            given_up,
            ..Self::default()
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn unsure(&self) -> u64 {
        self.unsure
    }

    /// The next piece of `bytes`, of at most `limit`.
    ///
    /// A header block shares no piece with anything else. Neither bytes to skip nor to pass means
    /// that the head of a frame is incomplete: more is to be read, and shown behind it. The stream of
    /// a frame may be put right.
    pub(super) fn feed(&mut self, bytes: &mut [u8], limit: usize) -> Piece {
        let mut piece = Piece::default();
        loop {
            let left = &mut bytes[piece.skip + piece.pass..];
            if left.is_empty() || piece.pass == limit {
                return piece;
            }
            if self.rest == 0 {
                let Some(head) = Head::parse(left) else {
                    return piece;
                };
                let stands_apart = self.stands_apart(head);
                if stands_apart && piece.pass > 0 {
                    return piece;
                }
                if stands_apart && self.is_needless(head) {
                    self.count(head);
                    self.tally.empty_data += 1;
                    piece.skip += HEAD;
                    continue;
                }
                self.begin(head);
                self.unsure += u64::from(head.may_be_interim(&left[HEAD..]));
                if let Some(parent) = self.orphans.parent(head.stream) {
                    left[5..HEAD].copy_from_slice(&parent.to_be_bytes());
                }
            }
            let n = left.len().min(limit - piece.pass).min(self.rest as usize);
            piece.pass += n;
            piece.block = self.block.map(|block| block.stream);
            if self.pass(&left[..n]) {
                return piece;
            }
        }
    }

    /// Whether a piece must end before this frame.
    fn stands_apart(&self, head: Head) -> bool {
        match self.block {
            Some(block) => !head.continues(block),
            None => head.starts_block() || self.is_needless(head),
        }
    }

    /// Whether leaving the frame out makes no difference to a reader. Where no DATA may be it
    /// makes one: amid a header block (RFC 9113 §4.3) and on stream 0 (§6.1).
    fn is_needless(&self, head: Head) -> bool {
        head.kind == DATA
            && head.len == 0
            && head.flags & (END_STREAM | PADDED) == 0
            && head.stream != 0
            && self.block.is_none()
    }

    fn begin(&mut self, head: Head) {
        self.count(head);
        self.rest = HEAD as u32 + head.len;
        let ends = head.flags & END_HEADERS != 0;
        let stream = head.stream;
        self.block = match self.block {
            Some(block) if head.continues(block) => Some(Block { ends, ..block }),
            None if head.starts_block() => Some(Block { stream, ends }),
            _ => None,
        };
        let is_orphan = head.kind == PUSH_PROMISE && self.given_up.has(stream);
        let is_padded = head.flags & PADDED != 0;
        self.orphans.begin(is_orphan.then_some(stream), is_padded);
        self.len = self.rest;
        self.goaway = (head.kind == GOAWAY && stream == 0).then(Gather::default);
    }

    fn count(&mut self, head: Head) {
        let is_step = match head.kind {
            DATA => head.flags & END_STREAM != 0,
            // An upload goes on.
            WINDOW_UPDATE => head.stream != 0,
            kind => matches!(kind, HEADERS | CONTINUATION | RST_STREAM),
        };
        let is_in_doubt = head.kind == DATA && head.may_be_padding();
        self.padded = is_in_doubt.then_some(head.len);
        self.tally.frames += 1;
        self.tally.has_head |= head.kind == HEADERS;
        if matches!(head.kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
            self.tally.head_bytes += u64::from(head.len);
        }
        self.tally.steps += u64::from(is_step);
        self.tally.content += u64::from(head.kind == DATA && head.len > 0 && !is_in_doubt);
    }

    /// Looks for the length of the padding (RFC 9113 §6.1) in these bytes of the frame begun.
    fn weigh(&mut self, bytes: &[u8], len: u32) {
        let before = HEAD + len as usize - self.rest as usize;
        let Some(padding) = HEAD.checked_sub(before).and_then(|at| bytes.get(at)) else {
            return;
        };
        self.padded = None;
        self.tally.content += u64::from(len > 1 + u32::from(*padding));
    }

    /// Notes that these bytes of the frame begun are handed on; true if they end a header block.
    fn pass(&mut self, bytes: &[u8]) -> bool {
        if let Some(len) = self.padded {
            self.weigh(bytes, len);
        }
        self.orphans.pass(bytes, (self.len - self.rest) as usize);
        self.rest -= bytes.len() as u32;
        if let Some(gather) = &mut self.goaway
            && let Some(goaway) = gather.add(bytes)
        {
            self.tally.goaway = Some(goaway);
        }
        let ends = self.rest == 0 && self.block.is_some_and(|block| block.ends);
        if ends {
            self.block = None;
        }
        ends
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes.first_chunk::<HEAD>()?;
        Some(Self {
            len: u32::from_be_bytes([0, l0, l1, l2]),
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & (u32::MAX >> 1),
        })
    }

    /// Of DATA: whether its length alone does not tell. There is padding of up to 255 bytes, and one
    /// byte to say so.
    fn may_be_padding(self) -> bool {
        self.flags & PADDED != 0 && (1..=256).contains(&self.len)
    }

    /// Whether it may begin an interim response (RFC 9113 §8.1); `payload` is as much of it as is there.
    fn may_be_interim(self, payload: &[u8]) -> bool {
        if self.kind != HEADERS || self.flags & END_STREAM != 0 {
            return false;
        }
        let padding = usize::from(self.flags & PADDED != 0);
        let priority = if self.flags & PRIORITY == 0 { 0 } else { 5 };
        // By one byte most servers say a status that is in the static table.
        !payload
            .get(padding + priority)
            .is_some_and(|first| FINAL.contains(first))
    }

    fn starts_block(self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE)
    }

    fn continues(self, block: Block) -> bool {
        self.kind == CONTINUATION && self.stream == block.stream
    }
}

impl Gather {
    fn add(&mut self, bytes: &[u8]) -> Option<GoAway> {
        let room = &mut self.bytes[self.len..];
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.len += n;
        let [.., l0, l1, l2, l3, c0, c1, c2, c3] = self.bytes;
        (self.len == self.bytes.len()).then(|| GoAway {
            last: u32::from_be_bytes([l0, l1, l2, l3]) & (u32::MAX >> 1),
            code: u32::from_be_bytes([c0, c1, c2, c3]),
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
