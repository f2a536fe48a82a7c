//! What a server of frames has seen and said.

use std::collections::BTreeMap;

use super::END_STREAM;

/// What happened on one connection.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// Most streams open at once, since a test last set it back.
    pub(crate) most_open: usize,
    /// The client's settings.
    pub(crate) settings: BTreeMap<u16, u32>,
    /// RST_STREAM frames that came, with their codes.
    pub(crate) resets: Vec<(u32, u32)>,
    /// Codes of the GOAWAY frames that came.
    pub(crate) goaways: Vec<u32>,
    /// SETTINGS that the client has acknowledged.
    pub(crate) acks: usize,
    /// PINGs that the client has answered.
    pub(crate) pongs: usize,
    /// PINGs that have come.
    pub(crate) pings: usize,
    /// Streams opened before the client had acknowledged any SETTINGS.
    pub(crate) early: usize,
    pub(crate) is_closed: bool,
}

/// What happened on one stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) body: Vec<u8>,
    /// The request is complete.
    pub(crate) is_asked: bool,
    /// The response is complete.
    pub(crate) is_answered: bool,
    pub(crate) is_reset: bool,
    pub(super) window: i64,
}

impl Books {
    /// Streams open now.
    pub(crate) fn open_now(&self) -> usize {
        let open = self.streams.values().filter(|stream| stream.is_open());
        open.count()
    }

    /// A head has come; `false` if it is that of the trailers.
    pub(super) fn open(&mut self, stream: u32) -> bool {
        if let Some(known) = self.streams.get(&stream) {
            assert!(!known.is_asked, "stream {stream} was opened twice");
            return false;
        }
        self.streams.insert(stream, Stream::default());
        self.early += usize::from(self.acks == 0);
        self.most_open = self.most_open.max(self.open_now());
        true
    }

    pub(super) fn hear(&mut self, stream: u32, flags: u8) {
        self.stream(stream).is_asked |= flags & END_STREAM != 0;
    }

    /// A stream of the server's own.
    pub(crate) fn promise(&mut self, stream: u32) {
        self.streams.insert(
            stream,
            Stream {
                is_asked: true,
                ..Stream::default()
            },
        );
    }

    pub(super) fn say(&mut self, stream: u32, end: bool) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.is_answered |= end;
        }
    }

    pub(super) fn stream(&mut self, stream: u32) -> &mut Stream {
        let known = self.streams.get_mut(&stream);
        known.unwrap_or_else(|| panic!("a frame for stream {stream}, which was never opened"))
    }
}

impl Stream {
    pub(crate) fn is_open(&self) -> bool {
        !(self.is_reset || self.is_asked && self.is_answered)
    }
}
