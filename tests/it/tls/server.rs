//! Servers that count who comes, and go wrong as they are told to.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gannet::Config;
use gannet::config::{CertificateDer, FixedAddresses, Trust};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::authority::{Authority, Shown};

pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];

pub(crate) const BOTH: Versions = &[&version::TLS12, &version::TLS13];
pub(crate) const ONLY_12: Versions = &[&version::TLS12];
pub(crate) const ONLY_13: Versions = &[&version::TLS13];

/// A listening socket, and who serves it.
pub(crate) struct Server {
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// A handshake as the server saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: Option<String>,
    pub(crate) resumed: bool,
    pub(crate) client: Vec<CertificateDer<'static>>,
}

impl Server {
    /// Does this with each connection.
    pub(crate) async fn raw<F, Done>(script: F) -> Self
    where
        F: Fn(TcpStream) -> Done + Send + 'static,
        Done: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(tcp));
            }
        });
        Self {
            port,
            accepted,
            seen: Arc::default(),
            task,
        }
    }

    /// Reads a ClientHello, answers this, and reads on until the client has left.
    pub(crate) async fn answering(answer: Vec<u8>) -> Self {
        let answer = Arc::new(answer);
        Self::raw(move |mut tcp| {
            let answer = Arc::clone(&answer);
            async move {
                read_hello(&mut tcp).await;
                let _ = tcp.write_all(&answer).await;
                drain(tcp).await;
            }
        })
        .await
    }

    /// HTTP/2 over TLS.
    pub(crate) async fn tls(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let book = Arc::clone(&seen);
        let script = move |tcp| serve(acceptor.clone(), tcp, Arc::clone(&book));
        let mut server = Self::raw(script).await;
        server.seen = seen;
        server
    }

    /// The same, with this certificate.
    pub(crate) async fn showing(shown: &Shown) -> Self {
        Self::tls(config(shown, BOTH, None)).await
    }

    /// Counts those who come, and hands them on to another server.
    pub(crate) async fn before(port: u16) -> Self {
        Self::raw(move |mut tcp| async move {
            let behind = TcpStream::connect(("127.0.0.1", port)).await;
            let mut behind = behind.expect("it listens");
            let _ = copy_bidirectional(&mut tcp, &mut behind).await;
        })
        .await
    }

    /// The same, with the other server's socket in the file system.
    pub(crate) async fn before_file(path: PathBuf) -> Self {
        let path = Arc::new(path);
        Self::raw(move |mut tcp| {
            let path = Arc::clone(&path);
            async move {
                let behind = UnixStream::connect(&*path).await;
                let mut behind = behind.expect("it listens");
                let _ = copy_bidirectional(&mut tcp, &mut behind).await;
            }
        })
        .await
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The handshakes that succeeded.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.port)
    }

    /// A config that finds this server under every name.
    pub(crate) fn config(&self, trust: Trust) -> Config {
        let mut config = Config::default();
        config.tls.trust = trust;
        config.fixed_addresses.push(FixedAddresses {
            host: "*".into(),
            port: self.port,
            addresses: vec![[127, 0, 0, 1].into()],
        });
        config
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn trust(roots: &[&Authority]) -> Trust {
    Trust::Roots(roots.iter().map(|root| root.der.clone()).collect())
}

/// Who shows this certificate, whether or not its key is the right one; and demands a certificate
/// of this authority, if there is one.
pub(crate) fn config(
    shown: &Shown,
    versions: Versions,
    clients: Option<&Authority>,
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let key = provider
        .key_provider
        .load_private_key(shown.key.clone_key());
    let certified = CertifiedKey::new(shown.chain.clone(), key.expect("a key"));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("there are suites");
    let builder = match clients {
        Some(root) => builder.with_client_cert_verifier(demanding(root, provider)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Always(Arc::new(certified))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

fn demanding(
    root: &Authority,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn rustls::server::danger::ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).expect("a certificate");
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("there is a root")
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

async fn serve(acceptor: TlsAcceptor, tcp: TcpStream, book: Arc<Mutex<Vec<Seen>>>) {
    match acceptor.accept(tcp).into_fallible().await {
        Ok(tls) => {
            book.lock().expect("no panic").push(seen(&tls));
            answer_all(tls).await;
        }
        // Not closed at once, so that the client reads why.
        Err((_, tcp)) => drain(tcp).await,
    }
}

fn seen(tls: &TlsStream<TcpStream>) -> Seen {
    let session = tls.get_ref().1;
    let client = session.peer_certificates().unwrap_or_default();
    Seen {
        name: session.server_name().map(str::to_owned),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        client: client.iter().map(|c| c.clone().into_owned()).collect(),
    }
}

async fn answer_all(tls: TlsStream<TcpStream>) {
    let Ok(mut h2) = h2::server::handshake(tls).await else {
        return;
    };
    while let Some(Ok((_, mut respond))) = h2.accept().await {
        let _ = respond.send_response(http::Response::new(()), true);
    }
}

/// One record.
pub(crate) async fn read_hello(tcp: &mut TcpStream) {
    let mut head = [0; 5];
    tcp.read_exact(&mut head).await.expect("a record");
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut body).await.expect("all of it");
}

/// Reads until the client has left.
pub(crate) async fn drain(mut tcp: TcpStream) {
    let mut rest = [0; 4_096];
    while tcp.read(&mut rest).await.is_ok_and(|n| n > 0) {}
}
