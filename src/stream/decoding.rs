//! A body that is decoded as it comes.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header};

use crate::body::{ByteBudget, Spares};
use crate::config::Config;
use crate::decode::{Caps, Chain, Decoder, Fault};
use crate::error::Error;
use crate::message::attempt::Attempt;
use crate::session::Head;
use crate::stream::gathered::Gathered;

/// A body that is decoded as it comes.
pub(super) struct Decoding {
    decoder: Decoder,
    /// What has come, where that is wanted as well.
    raw: Option<(Gathered, Arc<Spares>)>,
}

impl Decoding {
    /// Where that was asked for, and the response says how. A part of a body (206) cannot be decoded
    /// by itself, and codings that are not known are left as they are.
    pub(super) fn of(
        attempt: &Attempt,
        config: &Config,
        head: &Head,
        is_piped: bool,
        bytes: &ByteBudget,
    ) -> Option<Self> {
        let bodies = &config.bodies;
        let own = attempt.request().overrides();
        if !own.decodes.unwrap_or(bodies.decode) || head.status == StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let values = head.headers.get_all(header::CONTENT_ENCODING);
        // A value that is no text names no coding that is known.
        let values = values.iter().map(|value| value.to_str().unwrap_or("?"));
        let Some(Chain::Known(codings)) = Chain::parse(values) else {
            return None;
        };
        let caps = Caps {
            max_decoded: bodies.max_decoded,
            max_ratio: bodies.max_expansion,
            ..Caps::default()
        };
        Some(Self {
            decoder: Decoder::new(&codings, caps),
            raw: (bodies.keep_raw && !is_piped)
                .then(|| (Gathered::new(None), Arc::clone(bytes.spares()))),
        })
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if let Some((raw, spares)) = &mut self.raw {
            raw.push(piece.clone(), spares);
        }
        self.decoder.push(piece);
    }

    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.decoder.next_piece().map_err(error_of)
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.decoder.finish().map_err(error_of)
    }

    pub(super) fn into_raw(self) -> Option<Bytes> {
        self.raw.map(|(raw, spares)| raw.finish(&spares))
    }
}

fn error_of(fault: Fault) -> Error {
    match fault {
        Fault::TooLarge(limit) => Error::TooLarge { limit },
        fault => Error::Decode {
            detail: fault.to_string().into(),
        },
    }
}
