//! The testbed, driven by a real client.

mod client;
mod routes;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use client::Client;
use gannet_testbed::{Books, EntryKind, Testbed};
use http_body_util::BodyExt;
use routes::{all_routes, is_derived};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(30);

fn testbed() -> Testbed {
    Testbed::builder().start().expect("a testbed")
}

fn plain() -> Testbed {
    Testbed::builder().plain(true).start().expect("a testbed")
}

async fn until(testbed: &Testbed, condition: impl FnMut(&Books) -> bool) {
    let waited = tokio::time::timeout(LONG, testbed.until(condition)).await;
    assert!(waited.is_ok(), "{:?}", testbed.books());
}

#[tokio::test]
async fn all_routes_over_http2_and_tls() {
    let testbed = testbed();
    all_routes(&Client::h2_tls(&testbed).await).await;
    let books = testbed.books();
    assert_eq!((books.connections, books.open, books.handshakes), (1, 1, 1));
    assert_eq!((books.streams_open, books.cancelled), (0, 0), "{books:?}");
    assert_eq!(books.received_bytes, 1_000_000);
}

#[tokio::test]
async fn all_routes_over_http1_and_tls() {
    let testbed = testbed();
    all_routes(&Client::h1_tls(&testbed).await).await;
    let books = testbed.books();
    assert_eq!((books.connections, books.peak_streams), (1, 1));
    assert_eq!((books.streams_open, books.cancelled), (0, 0), "{books:?}");
}

#[tokio::test]
async fn all_routes_in_cleartext() {
    let testbed = plain();
    assert!(testbed.url("/x").starts_with("http://127.0.0.1:"));
    all_routes(&Client::h2_over(client::tcp(&testbed).await).await).await;
    all_routes(&Client::h1_over(client::tcp(&testbed).await).await).await;
    let books = testbed.books();
    assert_eq!((books.connections, books.handshakes), (2, 0));
}

#[tokio::test]
async fn a_preface_in_pieces_is_understood() {
    let testbed = plain();
    let mut stream = client::tcp(&testbed).await;
    for piece in ["PRI", " * HTTP/2.0\r\n", "\r\nSM\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // An empty SETTINGS frame is answered with the server's own.
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .expect("sent");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4);
}

#[tokio::test]
async fn a_large_body_is_whole() {
    let testbed = testbed();
    let path = "/bytes/5000001/large";
    is_derived(path, &Client::h2_tls(&testbed).await.get(path).await);
    assert_eq!(testbed.books().body_bytes, 5_000_001);
}

#[tokio::test]
async fn a_request_body_too_large_is_refused() {
    let testbed = plain();
    let mut stream = client::tcp(&testbed).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 67108865\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    let client = Client::h2_over(client::tcp(&testbed).await).await;
    let refused = client.fetch(http::Method::POST, "/echo", vec![0; 67_108_865]);
    assert_eq!(refused.await.status, 413);
}

#[tokio::test]
async fn nonsense_harms_nothing() {
    let testbed = plain();
    for nonsense in [
        "\0\0\0\0",
        "PRI",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxx",
    ] {
        let mut stream = client::tcp(&testbed).await;
        stream.write_all(nonsense.as_bytes()).await.expect("sent");
    }
    let client = Client::h2_over(client::tcp(&testbed).await).await;
    assert_eq!(client.get("/bytes/1").await.status, 200);
    let testbed = self::testbed();
    let mut stream = client::tcp(&testbed).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    until(&testbed, |books| {
        books.handshake_failures == 1 && books.open == 0
    })
    .await;
}

#[tokio::test]
async fn a_tree_has_exactly_its_pages() {
    let testbed = testbed();
    let client = Client::h2_tls(&testbed).await;
    for (root, pages) in [("/tree/100", 100), ("/tree/1", 1), ("/delay/1/tree/12", 12)] {
        let mut found = HashSet::from([format!("{root}/0")]);
        let mut next = Vec::from_iter(found.clone());
        while let Some(path) = next.pop() {
            let fetched = client.get(&path).await;
            assert_eq!(fetched.status, 200);
            let links = fetched.text().split("href=\"").skip(1);
            let links = links.filter_map(|link| link.split('"').next().map(str::to_owned));
            next.extend(links.filter(|link| found.insert(link.clone())));
        }
        assert_eq!(found.len(), pages, "{root}");
    }
    let last = format!("/tree/{0}/{1}", u64::MAX, u64::MAX - 1);
    assert_eq!(client.get(&last).await.status, 200);
}

#[tokio::test]
async fn cancelled_streams_are_counted() {
    let testbed = testbed();
    let client = Client::h2_tls(&testbed).await;
    let stalled = client.begin("/stall").await;
    let mut dripping = client.begin("/drip/1000/1").await;
    assert!(dripping.frame().await.is_some());
    let other = client.clone();
    let silent = tokio::spawn(async move { other.get("/silent").await });
    until(&testbed, |books| books.streams_open == 3).await;
    silent.abort();
    drop((stalled, dripping));
    until(&testbed, |books| books.streams_open == 0).await;
    assert_eq!(testbed.books().cancelled, 3);
    assert_eq!(client.get("/bytes/1").await.status, 200);
}

#[tokio::test]
async fn streams_end_with_their_connection() {
    let testbed = plain();
    for http2 in [true, false] {
        let stream = client::tcp(&testbed).await;
        let client = match http2 {
            true => Client::h2_over(stream).await,
            false => Client::h1_over(stream).await,
        };
        let silent = tokio::spawn(async move { client.get("/silent").await });
        until(&testbed, |books| books.streams_open == 1).await;
        silent.abort();
        until(&testbed, |books| books.streams_open == 0 && books.open == 0).await;
    }
    assert_eq!(testbed.books().cancelled, 2);
}

#[tokio::test]
async fn peaks_are_kept_until_reset() {
    let testbed = testbed();
    let clients = [
        Client::h2_tls(&testbed).await,
        Client::h2_tls(&testbed).await,
    ];
    let first = [
        clients[0].begin("/stall").await,
        clients[0].begin("/stall").await,
    ];
    let second = clients[1].begin("/stall").await;
    let books = testbed.books();
    assert_eq!((books.open, books.peak_open), (2, 2));
    assert_eq!((books.streams_open, books.peak_streams), (3, 2));
    assert_eq!(books.peak_streams_total, 3);
    drop((first, second));
    until(&testbed, |books| books.streams_open == 0).await;
    assert_eq!(testbed.books().peak_streams, 2);
    testbed.reset_peaks();
    let books = testbed.books();
    assert_eq!(
        (
            books.peak_open,
            books.peak_streams,
            books.peak_streams_total
        ),
        (2, 0, 0)
    );
}

#[tokio::test]
async fn the_limit_on_streams_holds() {
    let limited = Testbed::builder().max_concurrent_streams(3);
    let testbed = limited.start().expect("a testbed");
    let client = Client::h2_tls(&testbed).await;
    assert_eq!(client.get("/").await.status, 200);
    let fetches = (0..20).map(|i| {
        let client = client.clone();
        tokio::spawn(async move { client.get(&format!("/delay/5/bytes/{i}")).await })
    });
    for fetch in Vec::from_iter(fetches) {
        assert_eq!(fetch.await.expect("no panic").status, 200);
    }
    let books = testbed.books();
    assert_eq!((books.requests, books.peak_streams), (21, 3), "{books:?}");
}

#[tokio::test]
async fn all_addresses_share_a_port_and_a_certificate() {
    let many = Testbed::builder().addresses(20).start().expect("a testbed");
    for i in [0, 1, 19] {
        let ip = format!("127.0.0.{}", i + 1);
        assert_eq!(
            many.url_at(i, "/a"),
            format!("https://{ip}:{}/a", many.port())
        );
        let stream = tokio::net::TcpStream::connect((ip.as_str(), many.port())).await;
        drop(stream.expect("listening"));
        until(&many, |books| {
            books.open == 0 && books.connections > i as u64 / 19
        })
        .await;
        client::tls(&many, &["h2"], &ip).await;
    }
    client::tls(&many, &["h2"], "site-3.gannet.test").await;
    let expected = format!("https://site-3.gannet.test:{}/", many.port());
    assert_eq!(many.url_named(3, "/"), expected);
    until(&many, |books| books.connections == 7).await;
    let ips: HashSet<_> = many
        .journal()
        .iter()
        .map(|e| e.local_ip.to_string())
        .collect();
    assert_eq!(ips.len(), 3);
}

#[tokio::test]
async fn names_protocols_and_ports_are_as_asked_for() {
    let first = Testbed::builder()
        .alpn(&["h2"])
        .names(&["only.test"])
        .start();
    let first = first.expect("a testbed");
    assert!(
        client::try_tls(&first, &["http/1.1"], "only.test")
            .await
            .is_err()
    );
    assert!(client::try_tls(&first, &["h2"], "localhost").await.is_err());
    let stream = client::tls(&first, &["h2"], "only.test").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    until(&first, |books| {
        books.handshakes == 1 && books.handshake_failures == 2
    })
    .await;
    let taken = Testbed::builder().port(first.port()).start();
    assert_eq!(
        taken.expect_err("taken").kind(),
        std::io::ErrorKind::AddrInUse
    );
    for wrong in [
        Testbed::builder().addresses(0),
        Testbed::builder().addresses(255),
        Testbed::builder().threads(0),
        Testbed::builder().names(&["é"]),
    ] {
        let error = wrong.start().expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}

/// The client sees the end of the connection only after the books do, whoever ends it.
#[tokio::test]
async fn open_is_decremented_before_the_socket_is_closed() {
    let testbed = plain();
    let mut rest = Vec::new();
    for round in 1..=200 {
        let mut stream = client::tcp(&testbed).await;
        let request = b"GET /bytes/9 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        rest.clear();
        stream.read_to_end(&mut rest).await.expect("the end");
        let books = testbed.books();
        assert_eq!((books.open, books.connections), (0, round));
    }
    assert_eq!(testbed.books().peak_open, 1);
    assert_eq!(testbed.journal().len(), 400);
}

#[tokio::test]
async fn open_is_decremented_before_the_tls_stream_ends() {
    let testbed = Testbed::builder().threads(2).start().expect("a testbed");
    for _ in 0..50 {
        let mut stream = client::tls(&testbed, &["http/1.1"], "localhost").await;
        let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        stream.read_to_end(&mut Vec::new()).await.expect("the end");
        assert_eq!(testbed.books().open, 0);
    }
    for round in 1..=50 {
        let mut stream = client::tcp(&testbed).await;
        stream
            .write_all(b"this is not TLS\r\n")
            .await
            .expect("sent");
        // An alert, then the end or a reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(testbed.books().open, 0);
        until(&testbed, |books| books.handshake_failures == round).await;
    }
}

#[tokio::test]
async fn a_client_that_shuts_down_gets_the_end_after_the_books() {
    let testbed = plain();
    for _ in 0..50 {
        let mut stream = client::tcp(&testbed).await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .expect("sent");
        stream
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .expect("sent");
        stream.shutdown().await.expect("sent");
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(testbed.books().open, 0);
    }
}

#[tokio::test]
async fn stopping_drops_everything_and_joins() {
    for threads in [1, 3] {
        let testbed = Testbed::builder()
            .threads(threads)
            .start()
            .expect("a testbed");
        let client = Client::h2_tls(&testbed).await;
        let mut stalled = client.begin("/stall").await;
        let begun = Instant::now();
        testbed.stop();
        testbed.stop();
        assert!(begun.elapsed() < Duration::from_secs(10));
        let books = testbed.books();
        assert_eq!((books.open, books.streams_open), (0, 0), "{books:?}");
        assert_eq!(testbed.journal()[1].kind, EntryKind::Closed);
        assert!(!matches!(stalled.frame().await, Some(Ok(_))));
        assert!(std::net::TcpStream::connect(testbed.address()).is_err());
        assert!(Testbed::builder().port(testbed.port()).start().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_of_the_client_does_not_matter() {
    let testbed = testbed();
    let client = Client::h2_tls(&testbed).await;
    assert_eq!(client.get("/delay/30/drip/3/10").await.body.len(), 3);
}

#[test]
fn it_runs_without_an_executor() {
    let testbed = plain();
    let stream = std::net::TcpStream::connect(testbed.address()).expect("listening");
    assert!(testbed.wait_until(|books| books.open == 1, LONG));
    drop(stream);
    assert!(testbed.wait_until(|_| testbed.books().open == 0, LONG));
    assert!(!testbed.wait_until(|books| books.open == 1, Duration::from_millis(10)));
}

#[test]
fn many_connections() {
    let testbed = plain();
    let connect = |_| std::net::TcpStream::connect(testbed.address()).expect("listening");
    let streams = Vec::from_iter((0..400).map(connect));
    assert!(testbed.wait_until(|books| books.open == 400, LONG));
    drop(streams);
    assert!(testbed.wait_until(|books| books.open == 0, LONG));
    assert_eq!(testbed.books().peak_open, 400);
}
