//! A DNS server on loopback, over UDP and TCP, that behaves as the first label of a name says.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const A: u16 = 1;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const NO_ERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

/// Asks: by name and type, the identifiers of the questions. One that is sent again has the same.
type Asks = HashMap<(String, u16), HashSet<u16>>;

/// The server; it ends with this.
pub(crate) struct DnsServer {
    address: SocketAddr,
    asks: Arc<Mutex<Asks>>,
    is_over: Arc<AtomicBool>,
}

struct Question {
    id: u16,
    name: String,
    kind: u16,
    /// As it came, to be sent back.
    wire: Vec<u8>,
}

#[derive(Default)]
struct Reply {
    code: u8,
    is_truncated: bool,
    /// Owner, as on the wire, and address or other content.
    records: Vec<(Vec<u8>, u16, Vec<u8>)>,
    ttl: u32,
    authority_ttl: Option<u32>,
}

impl DnsServer {
    pub(crate) fn start() -> Self {
        let (udp, tcp) = sockets();
        let server = Self {
            address: udp.local_addr().expect("bound"),
            asks: Arc::default(),
            is_over: Arc::default(),
        };
        let (asks, is_over) = (Arc::clone(&server.asks), Arc::clone(&server.is_over));
        thread::spawn(move || over_udp(&udp, &asks, &is_over));
        let is_over = Arc::clone(&server.is_over);
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let _ = over_tcp(stream);
            }
        });
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many questions there were for `name`, of both families.
    pub(crate) fn asked(&self, name: &str) -> usize {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |kind| asks.get(&(name.to_owned(), kind)).map_or(0, HashSet::len);
        of(A) + of(AAAA)
    }

    /// Questions per name and family: how many of those, and the most for one.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        (
            asks.len(),
            asks.values().map(HashSet::len).max().unwrap_or(0),
        )
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(b"end", self.address);
        }
        let _ = TcpStream::connect(self.address);
    }
}

/// Both on one port; another has taken the second now and then.
fn sockets() -> (UdpSocket, TcpListener) {
    (0..20)
        .find_map(|_| {
            let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
            let udp = UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
            Some((udp, tcp))
        })
        .expect("a free port")
}

fn over_udp(socket: &UdpSocket, asks: &Mutex<Asks>, is_over: &AtomicBool) {
    let mut buffer = [0; 4_096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let Some(question) = Question::parse(&buffer[..length]) else {
            continue;
        };
        let mut books = asks.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question.name.clone(), question.kind);
        books.entry(key).or_default().insert(question.id);
        drop(books);
        if let Some(answer) = answer(question, true) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn over_tcp(mut stream: TcpStream) -> std::io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    let answer = Question::parse(&message).and_then(|question| answer(question, false));
    let answer = answer.unwrap_or_default();
    let length = u16::try_from(answer.len()).unwrap_or(0);
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&answer)
}

impl Question {
    fn parse(message: &[u8]) -> Option<Self> {
        let id = u16::from_be_bytes(*message.first_chunk()?);
        let (mut at, mut labels) = (12, Vec::new());
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = message.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_lowercase());
            at += length;
        }
        Some(Self {
            id,
            name: labels.join("."),
            kind: u16::from_be_bytes(*message.get(at..)?.first_chunk()?),
            wire: message.get(12..at + 4)?.to_vec(),
        })
    }
}

/// What is sent for a question; the first label of its name up to a `-` or its end says how.
fn answer(mut question: Question, is_udp: bool) -> Option<Vec<u8>> {
    let how = question.name.split(['-', '.']).next().unwrap_or_default();
    let is_a = question.kind == A;
    let mut reply = Reply {
        ttl: 300,
        ..Reply::default()
    };
    match how {
        "silent" => return None,
        "servfail" => reply.code = SERVFAIL,
        "nx" => (reply.code, reply.authority_ttl) = (NXDOMAIN, Some(30)),
        "none" => reply.authority_ttl = Some(30),
        "broken6" if !is_a => reply.code = SERVFAIL,
        "silent6" if !is_a => return None,
        "fifty" if is_a => (1..=50).for_each(|_| reply.here()),
        "brief" if is_a => (reply.ttl, ()) = (1, reply.here()),
        "truncated" if is_a && is_udp => reply.is_truncated = true,
        "wrongid" => {
            question.id = !question.id;
            reply.here();
        }
        "other" => {
            question.wire = name_on_wire("elsewhere.test");
            question.wire.extend([0, 1, 0, 1]);
            reply.here();
        }
        "stray" | "strayonly" if is_a => {
            let owner = name_on_wire("elsewhere.test");
            reply.records.push((owner, A, vec![127, 0, 0, 1]));
            if how == "stray" {
                let address = vec![127, 0, 0, 9];
                reply.records.push((vec![0xc0, 12], A, address));
            }
        }
        "two" if !is_a => {
            let mut address = vec![0; 16];
            address[15] = 1;
            reply.records.push((vec![0xc0, 12], AAAA, address));
        }
        _ if is_a => reply.here(),
        _ => reply.authority_ttl = Some(300),
    }
    Some(reply.on_wire(&question))
}

impl Reply {
    /// This machine, by IPv4.
    fn here(&mut self) {
        self.records.push((vec![0xc0, 12], A, vec![127, 0, 0, 1]));
    }

    fn on_wire(&self, question: &Question) -> Vec<u8> {
        let mut wire = question.id.to_be_bytes().to_vec();
        let truncated = if self.is_truncated { 2 } else { 0 };
        wire.extend([0x81 | truncated, 0x80 | NO_ERROR | self.code]);
        let authorities = u16::from(self.authority_ttl.is_some());
        for count in [1, self.records.len() as u16, authorities, 0] {
            wire.extend(count.to_be_bytes());
        }
        wire.extend(&question.wire);
        for (owner, kind, content) in &self.records {
            record(&mut wire, owner, *kind, self.ttl, content);
        }
        if let Some(ttl) = self.authority_ttl {
            // Two names, both the root; serial, refresh, retry, expire, minimum.
            let mut content = vec![0, 0];
            for number in [1, 2, 3, 4, ttl] {
                content.extend(u32::to_be_bytes(number));
            }
            record(&mut wire, &name_on_wire("test"), SOA, ttl, &content);
        }
        wire
    }
}

fn record(wire: &mut Vec<u8>, owner: &[u8], kind: u16, ttl: u32, content: &[u8]) {
    wire.extend(owner);
    wire.extend(kind.to_be_bytes());
    wire.extend([0, 1]);
    wire.extend(ttl.to_be_bytes());
    wire.extend((content.len() as u16).to_be_bytes());
    wire.extend(content);
}

fn name_on_wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(label.len() as u8);
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}
