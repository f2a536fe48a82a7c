//! A SOCKS5 proxy of few words (RFC 1928, RFC 1929).

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use gannet::config::FixedAddresses;
use gannet::{Config, Error};
use gannet_testbed::{Testbed, verify};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{engine, get};
use crate::support::{config, testbed};

const NAMED: &str = "site-0.gannet.test";

/// What the proxy was told: user name and password if any, and the place.
type Told = Arc<Mutex<Vec<(String, String)>>>;

/// Wants `user:pass` where `wants_password`; connects to the port asked for, wherever it is; or
/// gives the reply `refusal`.
async fn socks(wants_password: bool, refusal: Option<u8>) -> (u16, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let told = Told::default();
    let books = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let books = Arc::clone(&books);
            tokio::spawn(serve(tcp, wants_password, refusal, books));
        }
    });
    (port, told)
}

async fn serve(mut tcp: TcpStream, wants_password: bool, refusal: Option<u8>, books: Told) {
    let greeting = counted(&mut tcp, 1).await;
    let way = if wants_password { 2 } else { 0 };
    if !greeting.contains(&way) {
        return tcp.write_all(&[5, 0xff]).await.expect("open");
    }
    tcp.write_all(&[5, way]).await.expect("open");
    let mut who = String::new();
    if wants_password {
        let user = counted(&mut tcp, 1).await;
        let password = counted(&mut tcp, 0).await;
        who = String::from_utf8([&user[..], b":", &password].concat()).expect("text");
        let is_right = who == "user:pass";
        tcp.write_all(&[1, u8::from(!is_right)])
            .await
            .expect("open");
        if !is_right {
            return;
        }
    }
    let mut head = [0; 4];
    tcp.read_exact(&mut head).await.expect("a request");
    let host = match head[3] {
        1 => {
            let mut ip = [0; 4];
            tcp.read_exact(&mut ip).await.expect("an address");
            IpAddr::from(ip).to_string()
        }
        _ => String::from_utf8(counted(&mut tcp, 0).await).expect("text"),
    };
    let port = tcp.read_u16().await.expect("a port");
    books.lock().expect("no panic").push((who, host));
    let reply = refusal.unwrap_or(0);
    let bound = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
    tcp.write_all(&bound).await.expect("open");
    if reply == 0 {
        let mut origin = TcpStream::connect(("127.0.0.1", port)).await.expect("it");
        let _ = copy_bidirectional(&mut tcp, &mut origin).await;
    }
}

/// Skips some bytes, then reads as many as the next one says.
async fn counted(tcp: &mut TcpStream, skipped: usize) -> Vec<u8> {
    let mut skipped = vec![0; skipped];
    tcp.read_exact(&mut skipped).await.expect("a message");
    let mut bytes = vec![0; usize::from(tcp.read_u8().await.expect("a length"))];
    tcp.read_exact(&mut bytes).await.expect("a message");
    bytes
}

fn resolving(testbed: &Testbed) -> Config {
    let mut config = config(testbed);
    config.fixed_addresses.push(FixedAddresses {
        host: NAMED.into(),
        port: testbed.port(),
        addresses: vec![[127, 0, 0, 1].into()],
    });
    config
}

#[tokio::test]
async fn names_are_resolved_here_by_socks5_and_there_by_socks5h() {
    let testbed = testbed();
    let (port, told) = socks(false, None).await;
    let url = testbed.url_named(0, "/bytes/1000");
    for (scheme, host) in [("socks5", "127.0.0.1"), ("socks5h", NAMED)] {
        let proxy = format!("{scheme}://127.0.0.1:{port}");
        let engine = engine(resolving(&testbed), &proxy);
        let response = get(&engine, &url).await.expect("a response");
        assert!(verify("/bytes/1000", &response.body));
        assert_eq!(response.receipt.peer.expect("a peer").proxy, Some(proxy));
        let last = told.lock().expect("no panic").pop();
        assert_eq!(last, Some((String::new(), host.to_owned())));
    }
}

#[tokio::test]
async fn a_password_opens_what_is_closed_without() {
    let testbed = testbed();
    let (port, told) = socks(true, None).await;
    let url = testbed.url("/bytes/1");
    for (user, expected) in [
        ("", "wants credentials"),
        ("user:wrong@", "refuses the user name"),
    ] {
        let engine = engine(
            config(&testbed),
            &format!("socks5://{user}127.0.0.1:{port}"),
        );
        let error = get(&engine, &url).await.expect_err("refused");
        assert!(
            matches!(error, Error::Proxy { status: None, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    let right = engine(
        config(&testbed),
        &format!("socks5h://user:pass@127.0.0.1:{port}"),
    );
    get(&right, &url).await.expect("a response");
    let told = told.lock().expect("no panic").clone();
    assert_eq!(told, [("user:pass".to_owned(), "127.0.0.1".to_owned())]);
}

#[tokio::test]
async fn a_refusal_of_socks_is_told_by_its_number() {
    let testbed = testbed();
    let (port, _) = socks(false, Some(5)).await;
    let engine = engine(config(&testbed), &format!("socks5://127.0.0.1:{port}"));
    let error = get(&engine, &testbed.url("/")).await.expect_err("refused");
    assert!(
        matches!(error, Error::Proxy { status: None, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("(reply 5: connection refused)"),
        "{error}"
    );
}
