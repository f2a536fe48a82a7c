//! The heads of responses as they came, and what of them hyper is shown.
//!
//! hyper skips interim responses without a limit, takes as much head as its buffer holds, and keeps
//! neither the order nor the case of names across fields. All this is seen to here.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::BufRead;

use bytes::{Bytes, BytesMut};

use crate::error::Error;

/// Lines of a head that hyper is shown as they are, the first included. More than 100 fields at once it
/// takes only if it makes room for all that may be before it reads a head, which costs more than to read
/// one. What it must know of those behind is little, so there is room for it.
pub(super) const SHOWN: usize = 90;

/// The head of the response that is awaited, in the making.
#[derive(Debug)]
pub(super) struct Heads {
    /// Bytes that one response may spend on heads, interim ones included.
    limit: usize,
    /// Interim responses (1xx) before the final one.
    most_interim: usize,
    /// Fields of one head.
    most_fields: usize,
    state: State,
    /// Of a head that came in more than one piece.
    raw: BytesMut,
    /// Where the current line begins in `raw`.
    line: usize,
    /// Lines before it.
    lines: usize,
    /// The final head, once it is complete.
    whole: Whole,
    /// Interim heads that hyper has not been shown all of, by number.
    thinned: VecDeque<(usize, Bytes)>,
    /// Bytes of interim heads before it.
    spent: usize,
    interim: usize,
    fault: Option<Error>,
    refusal: Option<Error>,
}

/// A head as it came.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) raw: Bytes,
    /// Whether hyper has not been shown all of it.
    pub(super) is_thinned: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// No head is awaited; what comes is a body, or hyper's to judge.
    Elsewhere,
    /// A head is coming, or the first byte of it is.
    Head,
}

impl Heads {
    pub(super) fn new(limit: usize, most_interim: usize, most_fields: usize) -> Self {
        Self {
            limit,
            most_interim,
            most_fields,
            state: State::Elsewhere,
            raw: BytesMut::new(),
            line: 0,
            lines: 0,
            whole: Whole::default(),
            thinned: VecDeque::new(),
            spent: 0,
            interim: 0,
            fault: None,
            refusal: None,
        }
    }

    /// A request goes out: the next bytes are a head.
    pub(super) fn expect(&mut self) {
        self.state = State::Head;
        self.raw.clear();
        self.thinned.clear();
        (self.line, self.lines, self.spent, self.interim) = (0, 0, 0, 0);
    }

    /// Whether any byte has come since the last request.
    pub(super) fn has_begun(&self) -> bool {
        self.state == State::Elsewhere || self.spent > 0 || !self.raw.is_empty()
    }

    /// The final head, once it is complete.
    pub(super) fn take(&mut self) -> Whole {
        std::mem::take(&mut self.whole)
    }

    /// The interim head of this number, counted from 1, if hyper has not been shown all of it.
    pub(super) fn take_interim(&mut self, number: usize) -> Option<Bytes> {
        self.thinned
            .front()
            .filter(|(thinned, _)| *thinned == number)?;
        self.thinned.pop_front().map(|(_, raw)| raw)
    }

    /// What was wrong with what came.
    pub(super) fn fault(&self) -> Option<&Error> {
        self.fault.as_ref()
    }

    /// What the server has against this side's certificate.
    pub(super) fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    /// The server has this against this side's certificate.
    pub(super) fn refuse(&mut self, refusal: Error) {
        self.refusal = Some(refusal);
    }

    /// Takes in what has just been read. What hyper is to be shown, if that is not all of it; an error once
    /// there is a [fault](Self::fault).
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ()> {
        if self.fault.is_none() && self.state == State::Head && !bytes.is_empty() {
            match self.see(bytes) {
                Ok(shown) => return Ok(shown),
                Err(fault) => self.fault = Some(fault),
            }
        }
        match self.fault {
            Some(_) => Err(()),
            None => Ok(None),
        }
    }

    fn see(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.see_whole(bytes)? {
            return Ok(None);
        }
        let (mut rest, mut shown) = (bytes, None);
        while self.state == State::Head && !rest.is_empty() {
            let end = line_of(rest);
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.spent + self.raw.len() + piece.len() > self.limit {
                return Err(self.too_long());
            }
            // Neither an empty line nor what an earlier response left behind may come before it.
            if self.raw.is_empty() && piece[0] != b'H' {
                return Err(broken("what came is no HTTP response"));
            }
            self.raw.extend_from_slice(piece);
            let is_beyond = self.lines >= SHOWN;
            if is_beyond && shown.is_none() {
                shown = Some(bytes[..bytes.len() - rest.len()].to_vec());
            }
            if let Some(shown) = &mut shown {
                let line = &self.raw[self.line..];
                match is_beyond {
                    false => shown.extend_from_slice(piece),
                    true if end.is_some() && (is_empty(line) || is_framing(line)) => {
                        shown.extend_from_slice(line);
                    }
                    true => {}
                }
            }
            if end.is_some() {
                self.end_line()?;
            }
            rest = after;
        }
        if let Some(shown) = &mut shown {
            shown.extend_from_slice(rest);
        }
        Ok(shown)
    }

    /// Most heads come in one piece, and are final. Whether this one did and is.
    fn see_whole(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        if !self.raw.is_empty() || bytes.first() != Some(&b'H') {
            return Ok(false);
        }
        let Some((length, lines)) = end_of_head(bytes) else {
            return Ok(false);
        };
        let raw = &bytes[..length];
        if is_interim(raw) {
            return Ok(false);
        }
        if self.spent + length > self.limit {
            return Err(self.too_long());
        }
        self.check(lines)?;
        self.whole = Whole {
            raw: Bytes::copy_from_slice(raw),
            is_thinned: false,
        };
        self.state = State::Elsewhere;
        Ok(true)
    }

    fn too_long(&self) -> Error {
        broken(format!("the head exceeds {} bytes", self.limit))
    }

    /// `lines`: of a head, its first included.
    fn check(&self, lines: usize) -> Result<(), Error> {
        match lines > self.most_fields.saturating_add(1) {
            true => Err(broken("the head has too many fields")),
            false => Ok(()),
        }
    }

    fn end_line(&mut self) -> Result<(), Error> {
        let is_end = is_empty(&self.raw[self.line..]);
        self.line = self.raw.len();
        if !is_end {
            self.lines += 1;
            return self.check(self.lines);
        }
        let is_thinned = self.lines > SHOWN;
        let raw = self.raw.split().freeze();
        (self.line, self.lines) = (0, 0);
        if !is_interim(&raw) {
            self.whole = Whole { raw, is_thinned };
            self.state = State::Elsewhere;
            return Ok(());
        }
        self.interim += 1;
        if self.interim > self.most_interim {
            return Err(broken("interim responses and no end of them"));
        }
        self.spent += raw.len();
        if is_thinned {
            self.thinned.push_back((self.interim, raw));
        }
        Ok(())
    }
}

/// The length of the head that `bytes` begin with, and its lines; unless it goes on, or has more lines than
/// hyper is shown.
fn end_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    for lines in 0..=SHOWN {
        let length = line_of(&bytes[at..])?;
        let line = &bytes[at..at + length];
        at += length;
        if is_empty(line) {
            return Some((at, lines));
        }
    }
    None
}

/// The length of the first line, if it is complete.
fn line_of(mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    // Looks at many bytes at once.
    let length = bytes.skip_until(b'\n').ok()?;
    all[..length].ends_with(b"\n").then_some(length)
}

fn is_empty(line: &[u8]) -> bool {
    line == b"\n" || line == b"\r\n"
}

/// Whether hyper needs to see this field to know where the response ends, and whether another may come.
fn is_framing(line: &[u8]) -> bool {
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    ["connection", "content-length", "transfer-encoding"]
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing.as_bytes()))
}

/// Whether a head says 1xx; 101 is an end, if not the one that was asked for.
fn is_interim(head: &[u8]) -> bool {
    let status = head.get(9..12).unwrap_or_default();
    status.starts_with(b"1") && status != b"101"
}

fn broken(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::Protocol {
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FINAL: &[u8] = b"HTTP/1.1 200 OK\r\nB: 1\r\na: 2\r\n\r\n";

    fn heads(limit: usize) -> Heads {
        let mut heads = Heads::new(limit, 16, 256);
        heads.expect();
        heads
    }

    #[test]
    fn too_many_interim_heads_are_a_fault_and_a_few_are_not() {
        let mut few = heads(10_000);
        for _ in 0..16 {
            few.see(b"HTTP/1.1 103 Early Hints\r\n\r\n").expect("fine");
        }
        assert!(few.see(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_err());
    }

    #[test]
    fn interim_heads_count_against_the_limit() {
        let mut heads = heads(FINAL.len() + 10);
        assert!(heads.see(b"HTTP/1.1 100 C\r\n\r\n").is_ok());
        assert!(heads.see(FINAL).is_err());
    }

    proptest! {
        #[test]
        fn the_final_head_is_kept_however_it_is_cut(cuts in prop::collection::vec(1usize..9, 0..40)) {
            let mut heads = heads(1_000);
            let wire = [b"HTTP/1.1 100 Continue\r\n\r\n", FINAL, b"HTTP/1.1 is the body"].concat();
            let (mut at, mut cuts) = (0, cuts.into_iter());
            while at < wire.len() {
                let to = cuts.next().map_or(wire.len(), |cut| (at + cut).min(wire.len()));
                prop_assert_eq!(heads.has_begun(), at > 0);
                heads.see(&wire[at..to]).expect("faultless");
                at = to;
            }
            prop_assert_eq!(&heads.take().raw[..], FINAL);
        }

        /// What hyper reads of a long head frames the same body, and is short enough for it.
        #[test]
        fn of_a_long_head_what_frames_it_is_shown_however_it_is_cut(
            fields in prop::collection::vec(0u8..12, 85..250),
            cuts in prop::collection::vec(1usize..90, 0..200),
        ) {
            let names = ["Content-Length", "connection", "TRANSFER-ENCODING", "X-A", "Content-Lengths"];
            let lines = fields.iter().map(|n| format!("{}: {n}\r\n", names[usize::from(*n).min(4)]));
            let lines: Vec<_> = ["HTTP/1.1 200 OK\r\n".to_owned()].into_iter().chain(lines).collect();
            let head = [&lines.concat(), "\r\n"].concat();
            let is_shown = |(place, line): &(usize, &String)| *place < SHOWN || is_framing(line.as_bytes());
            let shown = lines.iter().enumerate().filter(is_shown).map(|(_, line)| &line[..]);
            let expected = [&shown.collect::<String>(), "\r\nH: body"].concat();
            let mut heads = heads(10_000);
            let wire = [&head, "H: body"].concat();
            let (mut at, mut cuts, mut seen) = (0, cuts.into_iter(), Vec::new());
            while at < wire.len() {
                let to = cuts.next().map_or(wire.len(), |cut| (at + cut).min(wire.len()));
                let piece = &wire.as_bytes()[at..to];
                let shown = heads.see(piece).expect("faultless");
                seen.extend_from_slice(shown.as_deref().unwrap_or(piece));
                at = to;
            }
            prop_assert_eq!(String::from_utf8(seen).expect("text"), expected);
            let whole = heads.take();
            prop_assert_eq!(&whole.raw[..], head.as_bytes());
            prop_assert_eq!(whole.is_thinned, lines.len() > SHOWN);
        }
    }
}
