//! A proxy made of a script: reads what it is asked, answers, and does one thing more.

use std::sync::{Arc, Mutex};

use gannet_testbed::Certificates;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What it does once it has answered.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Close,
    /// Nothing, until the client has gone.
    Wait,
    /// Connects to what it was asked for, and passes on what comes.
    Relay,
    /// Says this again and again.
    Repeat(&'static [u8]),
}

/// A proxy on a port of its own. Ends when dropped.
pub(crate) struct Script {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Script {
    pub(crate) async fn start(answer: &'static [u8], then: Then) -> Self {
        Self::over(None, answer, then).await
    }

    /// The same, over TLS where there is an acceptor.
    pub(crate) async fn over(tls: Option<TlsAcceptor>, answer: &'static [u8], then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let books = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.expect("a connection");
                let (tls, books) = (tls.clone(), Arc::clone(&books));
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                play(stream, answer, then, books).await;
                            }
                        }
                        None => play(tcp, answer, then, books).await,
                    }
                });
            }
        });
        Self { port, heads, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far, one a connection.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play<T>(mut io: T, answer: &[u8], then: Then, books: Arc<Mutex<Vec<String>>>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let place = head.split(' ').nth(1).expect("a target").to_owned();
    books.lock().expect("no panic").push(head);
    // Errors say that the client has gone, which is its right.
    let _ = io.write_all(answer).await;
    let _ = io.flush().await;
    match then {
        Then::Close => {}
        Then::Wait => {
            let _ = io.read_to_end(&mut Vec::new()).await;
        }
        Then::Relay => {
            let mut origin = TcpStream::connect(place).await.expect("the origin");
            let _ = copy_bidirectional(&mut io, &mut origin).await;
        }
        Then::Repeat(piece) => while io.write_all(piece).await.is_ok() {},
    }
    let _ = io.shutdown().await;
}

/// One certificate for 127.0.0.1, and the authority behind it; a server that
/// speaks these protocols.
pub(crate) fn tls_for_loopback(alpn: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let made = Certificates::new(&[], &[[127, 0, 0, 1].into()]).expect("a good address");
    let chain = CertificateDer::pem_slice_iter(made.chain_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes()).expect("PEM");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a key that fits");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), made.ca_der)
}
