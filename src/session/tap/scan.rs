//! Finds the frames in a server's bytes (RFC 9113 §4.1), and decides what is handed on together.

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
    block: Option<Block>,
    /// Set while a GOAWAY passes.
    goaway: Option<Gather>,
    tally: Tally,
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
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// The next piece of `bytes`, of at most `limit`.
    ///
    /// A header block shares no piece with anything else. Neither bytes to skip nor to pass means
    /// that the head of a frame is incomplete: more is to be read, and shown behind it.
    pub(super) fn feed(&mut self, bytes: &[u8], limit: usize) -> Piece {
        let mut piece = Piece::default();
        loop {
            let left = &bytes[piece.skip + piece.pass..];
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
        self.goaway = (head.kind == GOAWAY && stream == 0).then(Gather::default);
    }

    fn count(&mut self, head: Head) {
        let moves_on = match head.kind {
            DATA => head.len > 0 || head.flags & END_STREAM != 0,
            // An upload goes on.
            WINDOW_UPDATE => head.stream != 0,
            kind => matches!(kind, HEADERS | CONTINUATION | RST_STREAM),
        };
        self.tally.progress += u64::from(moves_on);
        self.tally.has_head |= head.kind == HEADERS;
    }

    /// Notes that these bytes of the frame begun are handed on; true if they end a header block.
    fn pass(&mut self, bytes: &[u8]) -> bool {
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
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ops::Range;

    pub(in super::super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut bytes = vec![len[1], len[2], len[3], kind, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// What should become of a server's bytes, by a plain parse of them all.
    #[derive(Debug, Default)]
    pub(in super::super) struct Model {
        pub(in super::super) out: Vec<u8>,
        /// Where the header blocks lie in `out`, and their streams.
        blocks: Vec<(Range<usize>, u32)>,
        pub(in super::super) tally: Tally,
    }

    impl Model {
        pub(in super::super) fn of(mut bytes: &[u8]) -> Self {
            let mut model = Self::default();
            let mut open = None;
            while let Some(head) = Head::parse(bytes) {
                let end = (HEAD + head.len as usize).min(bytes.len());
                let (frame, behind) = bytes.split_at(end);
                bytes = behind;
                model.count(head, frame);
                let is_legal = open.is_none() && head.stream != 0;
                if head.kind == 0 && head.len == 0 && head.flags & 9 == 0 && is_legal {
                    model.tally.empty_data += 1;
                    continue;
                }
                let at = model.out.len();
                model.out.extend(frame);
                let is_block = match open {
                    None => head.kind == 1 || head.kind == 5,
                    Some(stream) => head.kind == 9 && head.stream == stream,
                };
                match model.blocks.last_mut() {
                    Some((range, _)) if is_block && open.is_some() => range.end += end,
                    _ if is_block => model.blocks.push((at..at + end, head.stream)),
                    _ => {}
                }
                open = (is_block && head.flags & 4 == 0).then_some(head.stream);
            }
            model.out.extend(bytes);
            model
        }

        fn count(&mut self, head: Head, frame: &[u8]) {
            let tally = &mut self.tally;
            let moves_on = head.kind == 0 && (head.len > 0 || head.flags & 1 == 1);
            let moves_on = moves_on || head.kind == 8 && head.stream != 0;
            tally.progress += u64::from(moves_on || [1, 3, 9].contains(&head.kind));
            tally.has_head |= head.kind == 1;
            if head.kind == 7 && head.stream == 0 && frame.len() >= 17 {
                let word = |at: usize| {
                    frame[at..at + 4]
                        .iter()
                        .fold(0, |n, &b| n << 8 | u32::from(b))
                };
                let (last, code) = (word(9) % (1 << 31), word(13));
                tally.goaway = Some(GoAway { last, code });
            }
        }

        /// The stream of the header block that this piece of `out` is in. Panics if it is only
        /// partly.
        pub(in super::super) fn block_at(&self, piece: &Range<usize>) -> Option<u32> {
            let touches = |range: &Range<usize>| range.start < piece.end && piece.start < range.end;
            let (range, stream) = self.blocks.iter().find(|(range, _)| touches(range))?;
            assert!(
                range.start <= piece.start && piece.end <= range.end,
                "{piece:?} is not alone in {range:?}"
            );
            Some(*stream)
        }
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let payload = prop::collection::vec(any::<u8>(), 0..30);
        (0u8..12, any::<u8>(), 0u32..6, payload)
            .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
    }

    fn block() -> impl Strategy<Value = Vec<u8>> {
        let parts = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..4);
        (prop_oneof![4 => Just(1u8), 1 => Just(5)], 1u32..6, parts).prop_map(
            |(kind, stream, parts)| {
                let last = parts.len() - 1;
                let frames = parts.iter().enumerate().flat_map(|(i, part)| {
                    let kind = if i == 0 { kind } else { 9 };
                    frame(kind, if i == last { 4 } else { 0 }, stream, part)
                });
                frames.collect()
            },
        )
    }

    /// What a server may send, rightly or not, and broken off anywhere.
    pub(in super::super) fn script() -> impl Strategy<Value = Vec<u8>> {
        let goaway = prop::collection::vec(any::<u8>(), 0..12);
        let item = prop_oneof![
            3 => any_frame(),
            4 => block(),
            4 => (1u32..6).prop_map(|stream| frame(0, 0, stream, &[])),
            2 => (1u32..6, 0usize..300).prop_map(|(stream, n)| frame(0, 1, stream, &vec![7; n])),
            1 => goaway.prop_map(|payload| frame(7, 0, 0, &payload)),
            1 => prop::collection::vec(any::<u8>(), 0..12),
        ];
        let items = prop::collection::vec(item, 0..30).prop_map(|items| items.concat());
        (items, prop_oneof![Just(1.0), 0.0..1.0]).prop_map(|(mut bytes, kept): (Vec<u8>, f64)| {
            bytes.truncate((bytes.len() as f64 * kept) as usize);
            bytes
        })
    }

    #[test]
    fn a_block_that_fits_is_one_piece_and_so_is_the_data_between_two() {
        let block = [
            frame(1, 1, 3, b"ab"),
            frame(9, 0, 3, b""),
            frame(9, 4, 3, b"c"),
        ]
        .concat();
        let data = [
            frame(0, 0, 1, b"body"),
            frame(8, 0, 1, b"1234"),
            frame(0, 1, 1, b""),
        ]
        .concat();
        let parts = [
            (&data, None),
            (&block, Some(3)),
            (&block, Some(3)),
            (&data, None),
        ];
        let bytes = parts.map(|(part, _)| &part[..]).concat();
        let (mut scan, mut at) = (Scan::default(), 0);
        for (part, stream) in parts {
            let piece = scan.feed(&bytes[at..], usize::MAX);
            assert_eq!(
                (piece.skip, piece.pass, piece.block),
                (0, part.len(), stream)
            );
            at += part.len();
        }
    }

    #[test]
    fn an_empty_frame_stays_where_it_is_an_error() {
        let amid_a_block = [frame(1, 0, 1, b""), frame(0, 0, 1, b"")].concat();
        for bytes in [frame(0, 0, 0, b""), frame(0, 8, 1, b""), amid_a_block] {
            let mut scan = Scan::default();
            let mut left = &bytes[..];
            while !left.is_empty() {
                let piece = scan.feed(left, usize::MAX);
                assert!(piece.skip == 0 && piece.pass > 0);
                left = &left[piece.pass..];
            }
            assert_eq!(scan.tally().empty_data, 0);
        }
    }

    proptest! {
        #[test]
        fn pieces_are_what_a_plain_parse_of_the_whole_yields(
            bytes in script(),
            steps in prop::collection::vec((1usize..60, 1usize..60), 1..20),
        ) {
            let model = Model::of(&bytes);
            let (mut scan, mut out) = (Scan::default(), Vec::<u8>::new());
            let (mut at, mut shown) = (0, 0);
            for &(more, limit) in steps.iter().cycle() {
                let piece = scan.feed(&bytes[at..shown], limit);
                prop_assert!(piece.pass <= limit);
                let start = out.len();
                out.extend(&bytes[at + piece.skip..][..piece.pass]);
                at += piece.skip + piece.pass;
                if piece.pass > 0 {
                    prop_assert_eq!(piece.block, model.block_at(&(start..out.len())));
                } else if shown < bytes.len() {
                    shown = (shown + more).min(bytes.len());
                } else {
                    break;
                }
            }
            prop_assert!(bytes.len() - at < HEAD);
            out.extend(&bytes[at..]);
            prop_assert_eq!(&out, &model.out);
            prop_assert_eq!(scan.tally(), model.tally);
        }
    }
}
