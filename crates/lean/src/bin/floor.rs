//! The same fetches as `w1`, by the h2 crate and rustls alone: what is left below an engine.
//!
//! ```text
//! floor URL CA_FILE COUNT [BODY_SIZE [IN_FLIGHT]]
//! ```

use std::error::Error;
use std::sync::Arc;

use futures::{StreamExt, stream};
use gannet_lean::Args;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let Args {
        url,
        file,
        count,
        body,
        in_flight,
    } = Args::parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let sender = connect(&url, &file).await?;
        let fetches = stream::iter(0..count).map(|_| fetch(sender.clone(), url.clone()));
        let mut answers = fetches.buffer_unordered(in_flight);
        while let Some(length) = answers.next().await {
            if length? != body {
                return Err("a body of another length".into());
            }
        }
        println!("{count} fetches");
        Ok(())
    })
}

async fn connect(url: &str, file: &str) -> Result<SendRequest<bytes::Bytes>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let uri: http::Uri = url.parse()?;
    let host = uri.host().unwrap_or_default().to_owned();
    let tcp = TcpStream::connect((&host[..], uri.port_u16().unwrap_or(443))).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(host)?;
    let io = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await?;
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(2 << 20)
        .initial_connection_window_size(16 << 20)
        .initial_max_send_streams(1_000)
        .handshake(io)
        .await?;
    tokio::task::spawn_local(connection);
    Ok(sender.ready().await?)
}

async fn fetch(mut sender: SendRequest<bytes::Bytes>, url: String) -> Result<usize, Failure> {
    let request = http::Request::get(url).body(())?;
    let (response, _) = sender.send_request(request, true)?;
    let response = response.await?;
    if response.status() != 200 {
        return Err(response.status().to_string().into());
    }
    let mut body = response.into_body();
    let mut whole = bytes::BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        whole.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok(whole.len())
}
