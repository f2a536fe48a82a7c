//! Through a proxy that speaks HTTP/2: many tunnels on one connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use gannet::config::Trust;
use gannet::{Config, Error, Request};
use gannet_testbed::{Testbed, verify};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{engine, get};
use crate::proxy::script::tls_for_loopback;
use crate::support::config;

/// A proxy that speaks nothing but HTTP/2. Ends when dropped.
struct Proxy {
    port: u16,
    ca: Vec<u8>,
    books: Arc<Books>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Books {
    /// Connections accepted, and those that are over.
    accepted: AtomicUsize,
    closed: AtomicUsize,
    /// Where to, and with which `proxy-authorization`.
    asked: Mutex<Vec<(String, Option<String>)>>,
}

/// How it differs from a good one.
#[derive(Clone, Copy, Default)]
struct Manner {
    max_streams: Option<u32>,
    status: Option<u16>,
    /// So many requests are never answered.
    ignores: usize,
    /// This request, counted from 1, is reset.
    resets: Option<usize>,
}

impl Proxy {
    async fn start(manner: Manner) -> Self {
        let (tls, ca) = tls_for_loopback(&["h2"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let books = Arc::<Books>::default();
        let kept = Arc::clone(&books);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, books) = (tls.clone(), Arc::clone(&kept));
                books.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    if let Some(streams) = manner.max_streams {
                        builder.max_concurrent_streams(streams);
                    }
                    let tls = tls.accept(tcp).await.expect("a client that trusts");
                    let mut h2 = builder.handshake::<_, Bytes>(tls).await.expect("h2");
                    while let Some(Ok((request, answer))) = h2.accept().await {
                        tokio::spawn(tunnel(request, answer, manner, Arc::clone(&books)));
                    }
                    books.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            port,
            ca,
            books,
            task,
        }
    }

    fn url(&self) -> String {
        format!("https://user:secret@127.0.0.1:{}", self.port)
    }

    /// That trusts both.
    fn config(&self, testbed: &Testbed) -> Config {
        let mut config = config(testbed);
        let roots = [testbed.ca_der().to_vec(), self.ca.clone()];
        config.tls.trust = Trust::Roots(roots.map(Into::into).to_vec());
        config
    }

    fn accepted(&self) -> usize {
        self.books.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tunnel(
    request: http::Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    manner: Manner,
    books: Arc<Books>,
) {
    let place = request.uri().authority().expect("a place").to_string();
    let secret = request.headers().get("proxy-authorization");
    let secret = secret.map(|value| value.to_str().expect("text").to_owned());
    let before = {
        let mut asked = books.asked.lock().expect("no panic");
        asked.push((place.clone(), secret));
        asked.len()
    };
    if before <= manner.ignores {
        return std::future::pending().await;
    }
    if manner.resets == Some(before) {
        return answer.send_reset(h2::Reason::CONNECT_ERROR);
    }
    let mut head = Response::new(());
    if let Some(status) = manner.status {
        *head.status_mut() = StatusCode::from_u16(status).expect("a status");
        let _ = answer.send_response(head, true);
        return;
    }
    let origin = TcpStream::connect(place).await.expect("the origin");
    let outgoing = answer.send_response(head, false).expect("open");
    relay(request.into_body(), outgoing, origin).await;
}

async fn relay(mut incoming: RecvStream, mut outgoing: SendStream<Bytes>, mut origin: TcpStream) {
    let (mut read, mut write) = origin.split();
    let up = async {
        while let Some(Ok(piece)) = incoming.data().await {
            let _ = incoming.flow_control().release_capacity(piece.len());
            if write.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    };
    let down = async {
        let mut piece = vec![0; 16 << 10];
        while let Ok(size) = read.read(&mut piece).await {
            let piece = Bytes::copy_from_slice(&piece[..size]);
            // Without regard to the window: h2 keeps what does not fit.
            if outgoing.send_data(piece, size == 0).is_err() || size == 0 {
                return;
            }
        }
    };
    futures::join!(up, down);
}

fn testbed() -> Testbed {
    let testbed = Testbed::builder().addresses(20).start();
    testbed.expect("a port that is free on all")
}

#[tokio::test]
async fn many_tunnels_share_one_connection_which_ends_with_the_last() {
    let (testbed, proxy) = (testbed(), Proxy::start(Manner::default()).await);
    let engine = engine(proxy.config(&testbed), &proxy.url());
    let fetches = (0..200).map(|i| {
        let path = format!("/bytes/{}", i * 500);
        let answer = engine.fetch(Request::get(testbed.url_at(i % 20, &path)));
        async move { (path, answer.await.expect("a response")) }
    });
    let mut connections = BTreeSet::new();
    for (path, response) in join_all(fetches).await {
        assert!(verify(&path, &response.body));
        assert_eq!(
            response.remote_address().expect("a peer").port(),
            proxy.port
        );
        assert!(response.receipt.peer.expect("a peer").proxy.is_some());
        connections.insert(response.receipt.connection);
    }
    let size = 3_000_000;
    let upload = Request::post(testbed.url("/echo"), vec![7; size]);
    let response = engine.fetch(upload).await.expect("an echo");
    assert_eq!(response.body.len(), size);
    assert_eq!(connections.len(), 20);
    // Each of the two threads of an engine dials for itself, but they share what is open.
    assert_eq!(proxy.accepted(), 1);
    let asked = proxy.books.asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 20);
    let secret = Some("Basic dXNlcjpzZWNyZXQ=".to_owned());
    assert!(asked.iter().all(|(_, value)| *value == secret), "{asked:?}");
    engine.shutdown(Duration::from_secs(5)).await;
    testbed.until(|books| books.open == 0).await;
    let patience = tokio::time::timeout(Duration::from_secs(20), async {
        while proxy.books.closed.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("it is closed");
}

#[tokio::test]
async fn a_full_connection_is_joined_by_another() {
    let manner = Manner {
        max_streams: Some(8),
        ..Manner::default()
    };
    let (testbed, proxy) = (testbed(), Proxy::start(manner).await);
    let engine = engine(proxy.config(&testbed), &proxy.url());
    for i in 0..20 {
        let url = testbed.url_at(i, "/bytes/10");
        get(&engine, &url).await.expect("a response");
    }
    assert_eq!(testbed.books().open, 20, "all are open at once");
    assert_eq!(proxy.accepted(), 3);
}

#[tokio::test]
async fn a_refusal_over_http2_has_its_status() {
    let manner = Manner {
        status: Some(407),
        ..Manner::default()
    };
    let (testbed, proxy) = (testbed(), Proxy::start(manner).await);
    let engine = engine(proxy.config(&testbed), &proxy.url());
    for i in 0..3 {
        let error = get(&engine, &testbed.url_at(i, "/")).await;
        match error.expect_err("refused") {
            Error::Proxy { status, detail } => {
                assert_eq!(status.map(|s| s.as_u16()), Some(407));
                assert!(!detail.contains("secret"));
            }
            error => panic!("{error:?}"),
        }
    }
    assert_eq!(testbed.books().connections, 0);
}

#[tokio::test]
async fn a_proxy_that_was_silent_on_one_connection_is_asked_on_another() {
    let manner = Manner {
        ignores: 1,
        ..Manner::default()
    };
    let (testbed, proxy) = (testbed(), Proxy::start(manner).await);
    let mut config = proxy.config(&testbed);
    config.connect_timeout = Duration::from_secs(3);
    let engine = engine(config, &proxy.url());
    let error = get(&engine, &testbed.url("/bytes/1")).await;
    let error = error.expect_err("silence");
    assert!(matches!(error, Error::ConnectTimeout { .. }), "{error:?}");
    get(&engine, &testbed.url("/bytes/1")).await.expect("one");
    assert_eq!(proxy.accepted(), 2);
}

/// Another name for origins is none for the proxy.
#[tokio::test]
async fn the_proxy_is_checked_by_its_own_name_whatever_origins_are_called() {
    let (testbed, proxy) = (testbed(), Proxy::start(Manner::default()).await);
    let mut config = proxy.config(&testbed);
    config.tls.server_name = Some("localhost".to_owned());
    let engine = engine(config, &proxy.url());
    get(&engine, &testbed.url("/bytes/1")).await.expect("one");
}

/// An origin that cannot be reached is no fault of the connection to the proxy.
#[tokio::test]
async fn a_tunnel_that_is_reset_leaves_the_connection_to_the_others() {
    let manner = Manner {
        resets: Some(2),
        ..Manner::default()
    };
    let (testbed, proxy) = (testbed(), Proxy::start(manner).await);
    let engine = engine(proxy.config(&testbed), &proxy.url());
    let ask = |i| testbed.url_at(i, "/bytes/1");
    get(&engine, &ask(0)).await.expect("one");
    let error = get(&engine, &ask(1)).await.expect_err("reset");
    assert!(
        matches!(error, Error::Proxy { status: None, .. }),
        "{error:?}"
    );
    get(&engine, &ask(2)).await.expect("another");
    assert_eq!(proxy.accepted(), 1);
}
