//! Content codings (RFC 9110 §8.4.1): gzip, deflate, br and zstd, undone piece by piece.
//!
//! A decoder does no I/O and never hands out more than 64 KiB at a time; what comes out in all is
//! capped, so that a small body that unpacks to a huge one costs no more than the caps allow.
//!
//! ```
//! use bytes::Bytes;
//! use gannet::decode::{Caps, Chain, Decoder};
//!
//! let gzipped: &[u8] = &[
//!     0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36,
//!     5, 0, 0, 0,
//! ];
//! let Some(Chain::Known(codings)) = Chain::parse(["gzip"]) else { unreachable!() };
//! let mut decoder = Decoder::new(&codings, Caps::default());
//! decoder.push(Bytes::from_static(gzipped));
//! let mut text = Vec::new();
//! while let Some(piece) = decoder.next_piece()? {
//!     text.extend_from_slice(&piece);
//! }
//! decoder.finish()?;
//! assert_eq!(text, b"hello");
//! # Ok::<(), gannet::decode::Fault>(())
//! ```

mod chain;
mod layer;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;

pub use crate::decode::chain::{ACCEPT_ENCODING, Chain, Coding};
use crate::decode::layer::Layer;

/// How much may come out of a decoder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caps {
    /// Bytes in all: as many are handed out before it is a fault. Default 128 MiB.
    pub max_decoded: u64,
    /// Bytes out for each byte in. Default 250: pages and feeds stay far below 100, bombs reach
    /// 1,000 in gzip and far more in the others.
    pub max_ratio: u64,
    /// Bytes that may come out whatever the ratio. Default 4 MiB.
    pub ratio_floor: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            max_decoded: 128 << 20,
            max_ratio: 250,
            ratio_floor: 4 << 20,
        }
    }
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not what its coding says.
    Corrupt(Coding, String),
    /// It ends before its end.
    Cut(Coding),
    /// More comes out than [`Caps::max_decoded`].
    TooLarge(u64),
    /// More comes out than [`Caps::max_ratio`] allows for what went in.
    TooMuchExpansion(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(coding, detail) => write!(f, "it is no {coding}: {detail}"),
            Self::Cut(coding) => write!(f, "the {coding} is cut off"),
            Self::TooLarge(limit) => write!(f, "it unpacks to more than {limit} bytes"),
            Self::TooMuchExpansion(ratio) => {
                write!(f, "it unpacks to more than {ratio} times its size")
            }
        }
    }
}

impl std::error::Error for Fault {}

/// Undoes a chain of codings. Put in what comes, take out pieces until there is none, and so on;
/// [`finish`](Self::finish) at the end tells whether it was one.
#[derive(Debug)]
pub struct Decoder {
    /// The one applied last is undone first.
    layers: Vec<Layer>,
    input: Bytes,
    /// Bytes put in.
    taken: u64,
    caps: Caps,
    /// Once one has been told, it is told again.
    fault: Option<Fault>,
}

impl Decoder {
    /// Undoes `codings`, which are named in the order in which they were applied.
    #[must_use]
    pub fn new(codings: &[Coding], caps: Caps) -> Self {
        Self {
            layers: codings
                .iter()
                .rev()
                .map(|coding| Layer::new(*coding))
                .collect(),
            input: Bytes::new(),
            taken: 0,
            caps,
            fault: None,
        }
    }

    /// Puts in what has come. What was put in before and is not used up stays before it.
    pub fn push(&mut self, input: Bytes) {
        self.taken = self.taken.saturating_add(input.len() as u64);
        self.input = match self.input.is_empty() {
            true => input,
            false => [&self.input[..], &input].concat().into(),
        };
    }

    /// The next piece, never an empty one, of 64 KiB at most; `None` until more is put in.
    ///
    /// # Errors
    ///
    /// What is wrong with what was put in; it is told again if asked again.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let last = self.layers.len();
        let pulled = self.pull(last);
        self.noting(pulled)
    }

    /// There is no more to put in, and nothing more to take out.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`], unless what was put in was complete. Nothing at all is complete, too: servers
    /// say so of bodies that they leave out.
    pub fn finish(&mut self) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let ended = match self.taken {
            0 => Ok(()),
            _ => self.layers.iter().try_for_each(Layer::finish),
        };
        self.noting(ended)
    }

    /// A piece out of the first `depth` layers.
    fn pull(&mut self, depth: usize) -> Result<Option<Bytes>, Fault> {
        let Some(at) = depth.checked_sub(1) else {
            let input = std::mem::take(&mut self.input);
            return Ok((!input.is_empty()).then_some(input));
        };
        loop {
            if let Some(piece) = self.layers[at].step()? {
                return self.within_caps(piece, at).map(Some);
            }
            match self.pull(at)? {
                Some(input) => self.layers[at].feed(input),
                None => return Ok(None),
            }
        }
    }

    /// What may be handed out of the latest piece of a layer.
    fn within_caps(&mut self, piece: Bytes, at: usize) -> Result<Bytes, Fault> {
        let produced = self.layers[at].produced();
        let most = self.taken.saturating_mul(self.caps.max_ratio);
        if produced > most.max(self.caps.ratio_floor) {
            return Err(Fault::TooMuchExpansion(self.caps.max_ratio));
        }
        let beyond = produced.saturating_sub(self.caps.max_decoded);
        if beyond == 0 {
            return Ok(piece);
        }
        let fault = Fault::TooLarge(self.caps.max_decoded);
        let within = (piece.len() as u64).saturating_sub(beyond) as usize;
        if within == 0 || at + 1 < self.layers.len() {
            return Err(fault);
        }
        // Whoever is content with a part gets all that is allowed.
        self.fault = Some(fault);
        Ok(piece.slice(..within))
    }

    fn noting<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.inspect_err(|fault| self.fault = Some(fault.clone()))
    }
}
