//! HTTP/1.1, of which only the ends of heads matter.

use crate::Talk;

const END: &[u8] = b"\r\n\r\n";

pub(crate) struct Connection {
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(body: usize) -> Self {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {body}\r\n\r\n"
        )
        .into_bytes();
        answer.resize(answer.len() + body, b'x');
        Self { answer }
    }
}

impl Talk for Connection {
    fn talk(&mut self, heard: &[u8], said: &mut Vec<u8>) -> Option<usize> {
        let mut taken = 0;
        while let Some(at) = heard[taken..].windows(END.len()).position(|w| w == END) {
            taken += at + END.len();
            said.extend_from_slice(&self.answer);
        }
        Some(taken)
    }
}
