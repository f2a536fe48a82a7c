//! SOCKS5 (RFC 1928), with user name and password (RFC 1929).

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::Error;
use crate::net::proxy::{broken, failed};
use crate::origin::Proxy;

const VERSION: u8 = 5;
/// Ways to authenticate (RFC 1928 §3).
const NONE: u8 = 0;
const PASSWORD: u8 = 2;
const NO_WAY: u8 = 0xff;
/// Kinds of address (RFC 1928 §5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Where the proxy is to connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Address(SocketAddr),
    Name(&'a str, u16),
}

impl<'a> Place<'a> {
    /// For the proxy to resolve, unless there is nothing to resolve.
    pub(crate) fn unresolved(host: &'a str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address((address, port).into()),
            Err(_) => Self::Name(host, port),
        }
    }
}

/// Has `proxy`, to which `io` leads, connect to a place. Nothing beyond its answer is read.
pub(crate) async fn connect<T>(io: &mut T, proxy: &Proxy, to: Place<'_>) -> Result<(), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(to)?;
    authenticate(io, proxy).await?;
    say(io, &request).await?;
    let [version, reply, _, kind] = hear::<4, _>(io).await?;
    if version != VERSION {
        return Err(not_socks());
    }
    if reply != 0 {
        let why = reason(reply);
        return Err(failed(format!("it cannot connect (reply {reply}: {why})")));
    }
    // The address that it connects from is of no use here.
    let size = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(hear::<1, _>(io).await?[0]),
        _ => return Err(not_socks()),
    };
    let mut bound = [0; 255 + 2];
    let bound = &mut bound[..size + 2];
    io.read_exact(bound).await.map_err(broken)?;
    Ok(())
}

async fn authenticate<T>(io: &mut T, proxy: &Proxy) -> Result<(), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Some(credentials) = proxy.credentials() else {
        say(io, &[VERSION, 1, NONE]).await?;
        return match hear(io).await? {
            [VERSION, NONE] => Ok(()),
            [VERSION, NO_WAY] => Err(failed("it wants credentials")),
            _ => Err(not_socks()),
        };
    };
    say(io, &[VERSION, 2, NONE, PASSWORD]).await?;
    match hear(io).await? {
        [VERSION, NONE] => return Ok(()),
        [VERSION, PASSWORD] => {}
        [VERSION, NO_WAY] => return Err(failed("it takes no user name and password")),
        _ => return Err(not_socks()),
    }
    let mut message = vec![1];
    for text in [&credentials.user, &credentials.password] {
        message.push(length(text)?);
        message.extend_from_slice(text);
    }
    say(io, &message).await?;
    match hear(io).await? {
        // Some say the version of SOCKS here instead of their own (RFC 1929 §2).
        [1 | VERSION, 0] => Ok(()),
        [1 | VERSION, _] => Err(failed("it refuses the user name and password")),
        _ => Err(not_socks()),
    }
}

fn request(to: Place<'_>) -> Result<Vec<u8>, Error> {
    let mut request = vec![VERSION, 1, 0];
    let port = match to {
        Place::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    request.push(IPV4);
                    request.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    request.push(IPV6);
                    request.extend_from_slice(&ip.octets());
                }
            }
            address.port()
        }
        Place::Name(name, port) => {
            request.extend_from_slice(&[NAME, length(name.as_bytes())?]);
            request.extend_from_slice(name.as_bytes());
            port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

fn length(text: &[u8]) -> Result<u8, Error> {
    u8::try_from(text.len()).map_err(|_| failed("SOCKS5 has no room for more than 255 bytes"))
}

async fn say<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> Result<(), Error> {
    io.write_all(bytes).await.map_err(broken)?;
    io.flush().await.map_err(broken)
}

async fn hear<const N: usize, T: AsyncRead + Unpin>(io: &mut T) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    io.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

fn not_socks() -> Error {
    failed("its answer is no SOCKS5")
}

/// What a reply stands for (RFC 1928 §6).
fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::duplex;

    const PLACE: Place<'_> = Place::Name("a.test", 443);

    /// Plays a proxy that says all of `answers` at once; what it was told, and what was left.
    async fn played(
        proxy: &str,
        to: Place<'_>,
        answers: &[u8],
    ) -> (Result<(), Error>, Vec<u8>, Vec<u8>) {
        let proxy = Proxy::parse(proxy).expect("a proxy");
        let (mut near, mut far) = duplex(1 << 16);
        far.write_all(answers).await.expect("room");
        far.shutdown().await.expect("open");
        let outcome = connect(&mut near, &proxy, to).await;
        let (mut left, mut told) = (Vec::new(), Vec::new());
        near.read_to_end(&mut left).await.expect("the rest");
        drop(near);
        far.read_to_end(&mut told).await.expect("what was said");
        (outcome, told, left)
    }

    #[tokio::test]
    async fn it_speaks_as_the_documents_say_and_reads_nothing_beyond() {
        let name = b"\x05\x01\0\x03\x06a.test\x01\xbb";
        for (proxy, to, answers, expected) in [
            (
                "socks5h://h",
                PLACE,
                &b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50rest"[..],
                [&b"\x05\x01\0"[..], name].concat(),
            ),
            (
                "socks5h://us:pass@h",
                PLACE,
                b"\x05\x02\x01\0\x05\0\0\x03\x02xx\0\x50rest",
                [&b"\x05\x02\0\x02\x01\x02us\x04pass"[..], name].concat(),
            ),
            (
                "socks5h://us:pass@h",
                Place::unresolved("127.0.0.1", 80),
                b"\x05\0\x05\0\0\x040123456789abcdef\0\x50rest",
                b"\x05\x02\0\x02\x05\x01\0\x01\x7f\0\0\x01\0\x50".to_vec(),
            ),
            (
                "socks5h://h",
                Place::unresolved("::1", 80),
                b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50rest",
                b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50".to_vec(),
            ),
        ] {
            let (outcome, told, left) = played(proxy, to, answers).await;
            outcome.expect("a tunnel");
            assert_eq!(told, expected);
            assert_eq!(left, b"rest");
        }
    }

    #[tokio::test]
    async fn each_refusal_says_what_it_is_and_no_secret() {
        let secret = "socks5://us:secret@h";
        for (proxy, answers, expected) in [
            ("socks5://h", &b"\x05\xff"[..], "wants credentials"),
            ("socks5://h", b"\x05\x02", "no SOCKS5"),
            ("socks5://h", b"HTTP/1.1 400 Bad", "no SOCKS5"),
            ("socks5://h", b"\x04\0", "no SOCKS5"),
            ("socks5://h", b"\x05", "closed"),
            ("socks5://h", b"\x05\0", "closed"),
            (
                "socks5://h",
                b"\x05\0\x05\x05\0\x01",
                "(reply 5: connection refused)",
            ),
            (
                "socks5://h",
                b"\x05\0\x05\x02\0\x01",
                "(reply 2: not allowed",
            ),
            ("socks5://h", b"\x05\0\x05\x63\0\x01", "(reply 99: unknown)"),
            ("socks5://h", b"\x05\0\x05\0\0\x07", "no SOCKS5"),
            ("socks5://h", b"\x05\0\x04\0\0\x01", "no SOCKS5"),
            ("socks5://h", b"\x05\0\x05\0\0\x01\x7f\0", "closed"),
            ("socks5://h", b"\x05\0\x05\0\0\x03\xffx", "closed"),
            (secret, b"\x05\xff", "takes no user name"),
            (secret, b"\x05\x01", "no SOCKS5"),
            (secret, b"\x05\x02\x01\x01", "refuses the user name"),
            (secret, b"\x05\x02\x07\0", "no SOCKS5"),
        ] {
            let (outcome, _, _) = played(proxy, PLACE, answers).await;
            match outcome.expect_err("no tunnel") {
                Error::Proxy {
                    status: None,
                    detail,
                } => {
                    assert!(detail.contains(expected), "{answers:?}: {detail}");
                    assert!(!detail.contains("secret"), "{detail}");
                }
                error => panic!("{error:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answers in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let _ = runtime.block_on(played("socks5://u:p@h", PLACE, &answers));
        }
    }
}
