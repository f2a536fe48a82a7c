//! What every route answers, whatever the protocol.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gannet_testbed::{sha256_hex, text, verify};
use http::Method;

use crate::client::{Client, Fetched};

pub(crate) fn is_derived(path: &str, fetched: &Fetched) {
    assert_eq!(fetched.status, 200, "{path}");
    assert_eq!(fetched.header("server"), "gannet-testbed");
    assert_eq!(fetched.header("content-type"), "application/octet-stream");
    assert_eq!(
        fetched.header("content-length"),
        fetched.body.len().to_string()
    );
    assert_eq!(fetched.header("x-sha256"), sha256_hex(&fetched.body));
    assert!(verify(path, &fetched.body), "{path}");
}

/// Every route that ends, once.
pub(crate) async fn all_routes(client: &Client) {
    derived_routes(client).await;
    coded_routes(client).await;
    plain_routes(client).await;
    echo_routes(client).await;
    refusals(client).await;
    head_routes(client).await;
}

async fn derived_routes(client: &Client) {
    for path in [
        "/bytes/0",
        "/bytes/1",
        "/bytes/1000/some/name.bin?a=b&c=/d",
        "/bytes/300000",
        "/delay/20/bytes/100",
        "/drip/12/1",
        "/drip/5/0",
    ] {
        let begun = Instant::now();
        is_derived(path, &client.get(path).await);
        let least = if path.starts_with("/delay") { 20 } else { 0 };
        assert!(begun.elapsed() >= Duration::from_millis(least));
    }
}

async fn coded_routes(client: &Client) {
    for coding in ["gzip", "br", "zstd"] {
        for (path, len) in [
            (format!("/{coding}"), 10_000),
            (format!("/{coding}/0"), 0),
            (format!("/{coding}/200000"), 200_000),
        ] {
            let fetched = client.get(&path).await;
            assert_eq!(fetched.header("content-encoding"), coding);
            assert_eq!(fetched.header("vary"), "accept-encoding");
            let decoded = fetched.decoded();
            assert_eq!(decoded, text(&path, len));
            assert_eq!(fetched.header("x-sha256"), sha256_hex(&decoded));
            assert!(verify(&path, &decoded));
            assert!(len == 0 || fetched.body.len() < decoded.len());
        }
    }
}

async fn plain_routes(client: &Client) {
    let index = client.get("/").await;
    assert!(index.text().contains("href=\"/bytes/1000\""));
    assert!(index.header("content-type").starts_with("text/html"));
    let redirect = client.get("/redirect/2").await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (302, "/redirect/1")
    );
    assert_eq!(client.get("/redirect/0").await.status, 200);
    for (status, body) in [(404, "Not Found\n"), (299, "no reason\n"), (204, "")] {
        let fetched = client.get(&format!("/status/{status}")).await;
        assert_eq!((fetched.status, fetched.text()), (status, body));
    }
    assert_eq!(client.get("/status/304").await.body, "");
    let trailers = client.get("/trailers").await;
    assert_eq!(trailers.text(), "with trailers\n");
    let names = trailers.trailers.expect("trailers");
    assert_eq!(names["x-trailer"], "yes");
    assert_eq!(names["x-sha256"], sha256_hex(&trailers.body));
}

async fn echo_routes(client: &Client) {
    for (method, len) in [(Method::POST, 0), (Method::PUT, 500_000)] {
        let body = vec![7; len];
        let fetched = client.fetch(method.clone(), "/echo", body.clone()).await;
        assert_eq!(fetched.body, body);
        assert_eq!(fetched.header("x-method"), method.as_str());
        let told = client.fetch(method, "/sink", body.clone()).await;
        assert_eq!(told.text(), format!("{len} {}\n", sha256_hex(&body)));
    }
    let fetched = client.get("/headers?q=1").await;
    let json: serde_json::Value = serde_json::from_slice(&fetched.body).expect("JSON");
    assert_eq!(json["method"], "GET");
    assert_eq!(json["path"], "/headers?q=1");
    assert_eq!(json["authority"], "localhost");
    let version = json["version"].as_str().expect("a version");
    assert!(["HTTP/1.1", "HTTP/2.0"].contains(&version));
    assert!(json["headers"].is_array());
}

async fn refusals(client: &Client) {
    for (path, status) in [
        ("/none", 404),
        ("/tree/5/5", 404),
        ("/bytes/17179869185", 400),
        ("/bytes/x", 400),
        ("/delay/x/bytes/1", 400),
        ("/drip/100001/0", 400),
        ("/status/101", 400),
        ("/status/1000", 400),
        ("/gzip/999999999", 400),
    ] {
        let fetched = client.get(path).await;
        assert_eq!(fetched.status, status, "{path}");
        assert!(!fetched.body.is_empty());
        assert_eq!(fetched.header("server"), "gannet-testbed");
    }
    let fetched = client.fetch(Method::POST, "/bytes/1", "").await;
    assert_eq!(
        (fetched.status, fetched.header("allow")),
        (405, "GET, HEAD")
    );
}

async fn head_routes(client: &Client) {
    for (path, len) in [("/bytes/1000", "1000"), ("/drip/10/1000", "10")] {
        let fetched = client.fetch(Method::HEAD, path, "").await;
        assert_eq!(
            (fetched.status, fetched.header("content-length")),
            (200, len)
        );
        assert!(fetched.body.is_empty());
    }
    for path in [
        "/",
        "/gzip",
        "/headers",
        "/trailers",
        "/tree/9/0",
        "/stall",
        "/echo",
    ] {
        let fetched = client.fetch(Method::HEAD, path, "").await;
        assert_eq!(
            (fetched.status, fetched.body),
            (200, Bytes::new()),
            "{path}"
        );
    }
}
