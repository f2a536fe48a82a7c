//! One coding, undone.

use std::fmt;
use std::io;

use bytes::{Buf, Bytes};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{
    BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};

use crate::decode::{Coding, Fault};

/// Handed out at once, at most.
const PIECE: usize = 64 << 10;
const LEAST_PIECE: usize = 1 << 10;
/// 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// One coding, undone.
pub(super) struct Layer {
    coding: Coding,
    state: State,
    input: Bytes,
    /// The last piece was full: there may be more without more input.
    is_full: bool,
    produced: u64,
}

enum State {
    /// Of a deflate body it is not known yet whether it has a zlib head.
    Undecided,
    Within(Box<dyn DecodeV2 + Send>),
    /// A member or frame has ended; another may follow.
    Between(Box<dyn DecodeV2 + Send>),
    /// What follows is no more of it.
    Over,
}

impl Layer {
    pub(super) fn new(coding: Coding) -> Self {
        Self {
            coding,
            state: match coding {
                Coding::Deflate => State::Undecided,
                Coding::Gzip => State::Within(Box::new(GzipDecoder::new())),
                Coding::Brotli => State::Within(Box::new(BrotliDecoder::new())),
                Coding::Zstd => {
                    let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                    State::Within(Box::new(ZstdDecoder::new_with_params(&[window])))
                }
            },
            input: Bytes::new(),
            is_full: false,
            produced: 0,
        }
    }

    /// Bytes handed out so far.
    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    /// Puts in more, all of the former having been used up.
    pub(super) fn feed(&mut self, input: Bytes) {
        self.input = match self.input.is_empty() {
            true => input,
            false => [&self.input[..], &input].concat().into(),
        };
    }

    /// The next piece; `None` if it takes more input to make one.
    pub(super) fn step(&mut self) -> Result<Option<Bytes>, Fault> {
        while self.is_full || !self.input.is_empty() {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => {
                    // Padding, or what else servers put there.
                    self.input = Bytes::new();
                    self.is_full = false;
                }
                State::Undecided if self.input.len() < 2 => {
                    self.state = State::Undecided;
                    return Ok(None);
                }
                State::Undecided => self.state = State::Within(self.deflate()),
                State::Between(codec) => self.state = self.another(codec)?,
                State::Within(codec) => {
                    if let Some(piece) = self.decode(codec)? {
                        return Ok(Some(piece));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether it may end here.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        match self.state {
            State::Between(_) | State::Over => Ok(()),
            State::Undecided | State::Within(_) => Err(Fault::Cut(self.coding)),
        }
    }

    fn decode(&mut self, mut codec: Box<dyn DecodeV2 + Send>) -> Result<Option<Bytes>, Fault> {
        let size = self.input.len().saturating_mul(4).clamp(LEAST_PIECE, PIECE);
        let mut room = vec![0; if self.is_full { PIECE } else { size }];
        let mut out = WriteBuffer::new_initialized(&mut room);
        let mut input = PartialBuffer::new(&self.input[..]);
        let is_over = match codec.decode(&mut input, &mut out) {
            // It had no more to give, and says so in its own way.
            Err(_) if self.input.is_empty() && out.written_len() == 0 => Ok(false),
            is_over => is_over,
        };
        let used = input.written_len();
        let (written, was_fed) = (out.written_len(), !self.input.is_empty());
        self.input.advance(used);
        let is_over = is_over.map_err(|error| self.corrupt(&error))?;
        self.is_full = written == room.len() && !is_over;
        if was_fed && used == 0 && written == 0 && !is_over {
            return Err(Fault::Corrupt(self.coding, "it makes no progress".into()));
        }
        self.state = match is_over {
            true => State::Between(codec),
            false => State::Within(codec),
        };
        self.produced += written as u64;
        room.truncate(written);
        Ok((!room.is_empty()).then(|| room.into()))
    }

    /// gzip may have more members (RFC 1952 §2.2), zstd more frames (RFC 8878 §3.1).
    fn another(&self, mut codec: Box<dyn DecodeV2 + Send>) -> Result<State, Fault> {
        let follows = match self.coding {
            Coding::Gzip => self.input.first() == Some(&0x1f),
            Coding::Zstd => true,
            Coding::Deflate | Coding::Brotli => false,
        };
        if !follows {
            return Ok(State::Over);
        }
        codec.reinit().map_err(|error| self.corrupt(&error))?;
        Ok(State::Within(codec))
    }

    /// "deflate" means zlib (RFC 9110 §8.4.1.2), but not to all servers. The head of zlib (RFC 1950
    /// §2.2) begins no raw body that an encoder would make.
    fn deflate(&self) -> Box<dyn DecodeV2 + Send> {
        let (first, second) = (self.input[0], self.input[1]);
        let is_zlib = first & 0x0f == 8
            && first >> 4 <= 7
            && (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
        match is_zlib {
            true => Box::new(ZlibDecoder::new()),
            false => Box::new(DeflateDecoder::new()),
        }
    }

    fn corrupt(&self, error: &io::Error) -> Fault {
        Fault::Corrupt(self.coding, error.to_string())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coding, produced) = (&self.coding, &self.produced);
        f.debug_struct("Layer")
            .field("coding", coding)
            .field("produced", produced)
            .finish_non_exhaustive()
    }
}
