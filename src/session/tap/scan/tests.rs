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
        tally.frames += 1;
        tally.has_head |= head.kind == 1;
        tally.head_bytes += [1, 5, 9].contains(&head.kind) as u64 * u64::from(head.len);
        let is_step = head.kind == 0 && head.flags & 1 == 1;
        let is_step = is_step || head.kind == 8 && head.stream != 0;
        tally.steps += u64::from(is_step || [1, 3, 9].contains(&head.kind));
        let padding = match head.flags & 8 {
            0 => 0,
            // What has not come may be anything.
            _ if head.len <= 256 => frame.get(9).map_or(256, |&n| 1 + u32::from(n)),
            _ => 256,
        };
        tally.content += u64::from(head.kind == 0 && head.len > padding);
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
    (prop_oneof![4 => Just(1u8), 1 => Just(5)], 1u32..6, parts).prop_map(|(kind, stream, parts)| {
        let last = parts.len() - 1;
        let frames = parts.iter().enumerate().flat_map(|(i, part)| {
            let kind = if i == 0 { kind } else { 9 };
            frame(kind, if i == last { 4 } else { 0 }, stream, part)
        });
        frames.collect()
    })
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
    let mut bytes = parts.map(|(part, _)| &part[..]).concat();
    let (mut scan, mut at) = (Scan::default(), 0);
    for (part, stream) in parts {
        let piece = scan.feed(&mut bytes[at..], usize::MAX);
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
            let piece = scan.feed(&mut left.to_vec(), usize::MAX);
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
            let piece = scan.feed(&mut bytes[at..shown].to_vec(), limit);
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

#[test]
fn only_what_surely_is_no_interim_response_is_taken_for_none() {
    let unsure = |flags, payload: &[u8], shown: usize| {
        let mut scan = Scan::default();
        let mut bytes = frame(HEADERS, END_HEADERS | flags, 1, payload);
        scan.feed(&mut bytes[..HEAD + shown], 1_000);
        scan.unsure() == 1
    };
    for status in [0x88, 0x8b, 0x8e] {
        assert!(!unsure(0, &[status], 1), "200 to 500 of the static table");
    }
    for first in [0x87, 0x8f, 0x48, 0x08, 0xbe, 0x20] {
        assert!(
            unsure(0, &[first], 1),
            "another field, a literal, or a table resized"
        );
        assert!(!unsure(END_STREAM, &[first], 1), "interim ones end nothing");
    }
    assert!(unsure(0, &[0x88], 0), "it has yet to come");
    assert!(!unsure(PADDED, &[1, 0x88, 0], 3) && unsure(PADDED, &[0x88, 0x48, 0], 3));
    assert!(!unsure(PADDED | PRIORITY, &[0, 0, 0, 0, 0, 0, 0x88], 7));
    assert!(unsure(PRIORITY, &[0x88, 0, 0, 0, 0, 0x48], 6));
}

#[test]
fn what_is_promised_with_a_stream_given_up_comes_as_frames_of_that() {
    for (padding, limit) in [(&[][..], 1_000), (&[0], 7), (&[0], 1)] {
        let given_up = Rc::new(GivenUp::default());
        let mut scan = Scan::new(Rc::clone(&given_up));
        given_up.add(5);
        let flags = END_HEADERS | if padding.is_empty() { 0 } else { PADDED };
        let promise = |parent, promised: u32| {
            let payload = [padding, &promised.to_be_bytes(), b"block"].concat();
            frame(PUSH_PROMISE, flags, parent, &payload)
        };
        let frames = |orphan| {
            [
                promise(5, 2),
                promise(7, 4),
                frame(HEADERS, 0, orphan, b"he"),
                frame(CONTINUATION, END_HEADERS, orphan, b"ad"),
                frame(HEADERS, END_HEADERS, 4, b"head"),
                frame(DATA, END_STREAM, orphan, b"data"),
            ]
            .concat()
        };
        let (mut bytes, mut at) = (frames(2), 0);
        while at < bytes.len() {
            let piece = scan.feed(&mut bytes[at..], limit);
            at += piece.skip + piece.pass;
        }
        assert_eq!(bytes, frames(5), "{limit}");
    }
}
