//! HTTP/2 (RFC 9113), for clients that do nothing wrong.

use std::collections::VecDeque;

use crate::Talk;

const PREFACE: usize = 24;
const HEAD: usize = 9;
const FRAME: usize = 16_384;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// `:status 200`, `content-type`, `content-length` and `server`, once they are in the table.
const LATER: &[u8] = &[0x88, 0xc0, 0xbf, 0xbe];

pub(crate) struct Connection {
    body: usize,
    has_begun: bool,
    /// The block of the next head: all to be indexed, and then indices.
    block: Vec<u8>,
    window: i64,
    /// Of each new stream.
    initial_window: i64,
    /// Those that wait for a window, or for their turn.
    streams: VecDeque<Stream>,
    filler: Vec<u8>,
}

struct Stream {
    id: u32,
    window: i64,
    left: usize,
}

impl Connection {
    pub(crate) fn new(body: usize) -> Self {
        let mut block = vec![0x88];
        let length = body.to_string();
        for (name, value) in [
            (0x5f, "application/octet-stream"),
            (0x5c, &length),
            (0x76, "lean"),
        ] {
            block.extend([name, u8::try_from(value.len()).unwrap_or(0)]);
            block.extend_from_slice(value.as_bytes());
        }
        Self {
            body,
            has_begun: false,
            block,
            window: 65_535,
            initial_window: 65_535,
            streams: VecDeque::new(),
            filler: vec![b'x'; FRAME],
        }
    }

    fn hear(
        &mut self,
        (kind, flags, id): (u8, u8, u32),
        payload: &[u8],
        said: &mut Vec<u8>,
    ) -> bool {
        match kind {
            HEADERS => {
                let end = if self.body == 0 { END_STREAM } else { 0 };
                frame(HEADERS, END_HEADERS | end, id, &self.block, said);
                self.block.clear();
                self.block.extend_from_slice(LATER);
                let (window, left) = (self.initial_window, self.body);
                self.streams.push_back(Stream { id, window, left });
            }
            SETTINGS if flags & ACK == 0 => {
                self.adopt(payload);
                frame(SETTINGS, ACK, 0, &[], said);
            }
            PING if flags & ACK == 0 => frame(PING, ACK, 0, payload, said),
            RST_STREAM => self.streams.retain(|stream| stream.id != id),
            WINDOW_UPDATE => {
                let by = payload.first_chunk().copied().map_or(0, u32::from_be_bytes);
                match self.streams.iter_mut().find(|stream| stream.id == id) {
                    Some(stream) => stream.window += i64::from(by),
                    None if id == 0 => self.window += i64::from(by),
                    None => {}
                }
            }
            GOAWAY => return false,
            _ => {}
        }
        true
    }

    fn adopt(&mut self, settings: &[u8]) {
        for pair in settings.as_chunks::<6>().0 {
            if u16::from_be_bytes([pair[0], pair[1]]) == INITIAL_WINDOW_SIZE {
                let window = i64::from(u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]));
                for stream in &mut self.streams {
                    stream.window += window - self.initial_window;
                }
                self.initial_window = window;
            }
        }
    }

    /// Says as much of the bodies as the windows allow, a frame of each in turn.
    fn answer(&mut self, said: &mut Vec<u8>) {
        let mut blocked = 0;
        while blocked < self.streams.len() {
            let Some(mut stream) = self.streams.pop_front() else {
                return;
            };
            let room = usize::try_from(self.window.min(stream.window)).unwrap_or(0);
            let size = stream.left.min(room).min(FRAME);
            if size == 0 && stream.left > 0 {
                self.streams.push_back(stream);
                blocked += 1;
                continue;
            }
            blocked = 0;
            stream.left -= size;
            let taken = i64::try_from(size).unwrap_or(0);
            stream.window -= taken;
            self.window -= taken;
            if size > 0 {
                let end = if stream.left == 0 { END_STREAM } else { 0 };
                frame(DATA, end, stream.id, &self.filler[..size], said);
            }
            if stream.left > 0 {
                self.streams.push_back(stream);
            }
        }
    }
}

impl Talk for Connection {
    fn talk(&mut self, heard: &[u8], said: &mut Vec<u8>) -> Option<usize> {
        let mut taken = 0;
        if !self.has_begun {
            if heard.len() < PREFACE {
                return Some(0);
            }
            self.has_begun = true;
            taken = PREFACE;
            let [high, low] = MAX_CONCURRENT_STREAMS.to_be_bytes();
            frame(SETTINGS, 0, 0, &[high, low, 0, 0, 0x27, 0x10], said);
        }
        while let Some(head) = heard[taken..].first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(payload) = heard[taken + HEAD..].get(..length) else {
                break;
            };
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if !self.hear((head[3], head[4], id), payload, said) {
                return None;
            }
            taken += HEAD + length;
        }
        self.answer(said);
        Some(taken)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], said: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    said.extend_from_slice(&length[1..]);
    said.extend([kind, flags]);
    said.extend(stream.to_be_bytes());
    said.extend_from_slice(payload);
}
