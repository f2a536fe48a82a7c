//! Bodies that are decoded.

use futures::StreamExt;
use gannet::request::{OnDataLoss, OnTooLarge};
use gannet::response::Cut;
use gannet::{Config, Error, Protocols, Request};
use gannet_testbed::verify;
use tokio::io::AsyncReadExt;

use super::{ask, come, serve, warm};
use crate::support::peer::{Host, head, plain};
use crate::support::{config, engine_with, testbed};

fn decoding(mut config: Config) -> Config {
    config.bodies.decode = true;
    config
}

#[tokio::test]
async fn each_coding_is_asked_for_and_undone_gathered_or_piece_by_piece() {
    let testbed = testbed();
    let mut config = decoding(config(&testbed));
    config.bodies.keep_raw = true;
    let engine = engine_with(config);
    for protocols in [Protocols::HTTP2, Protocols::HTTP11] {
        for path in ["/gzip/100000", "/br/100000", "/zstd/100000"] {
            let request = || Request::get(testbed.url(path)).protocols(protocols);
            let response = engine.fetch(request()).await.expect("a response");
            let receipt = &response.receipt;
            assert!(receipt.decoded, "{path}: {:?}", response.headers);
            assert_eq!(
                (response.body.len(), receipt.body_bytes),
                (100_000, 100_000),
                "{path}"
            );
            let raw = response.raw_body.expect("it was kept");
            assert_eq!(raw.len() as u64, receipt.wire_bytes);
            assert!(raw.len() < 100_000 && response.headers.contains_key("content-encoding"));
            let mut open = engine.open(request()).await.expect("a head");
            let mut whole = Vec::new();
            open.body.read_to_end(&mut whole).await.expect("a body");
            assert!(whole == response.body, "{path}");
            let plainly = engine
                .fetch(request().decode(false))
                .await
                .expect("a response");
            assert!(!plainly.receipt.decoded);
        }
        let path = "/bytes/5000";
        let request = Request::get(testbed.url(path)).protocols(protocols);
        let response = engine.fetch(request).await.expect("a response");
        assert!(verify(path, &response.body) && !response.receipt.decoded);
    }
}

/// `text` in gzip, stored.
pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut crc = !0u32;
    for byte in text {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let length = u16::try_from(text.len()).expect("short");
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend_from_slice(text);
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

#[tokio::test]
async fn what_is_cut_or_corrupt_is_an_error_and_not_a_short_success() {
    let host = Host::bind().await;
    let engine = engine_with(decoding(plain()));
    let mut peer = warm(&engine, &host).await;
    let whole = gzip(b"some text");
    let mut corrupt = whole.clone();
    corrupt[16] ^= 1;
    let gzipped = head(&[("content-encoding", "gzip")]);
    for (bytes, is_sound) in [
        (&whole[..], true),
        (&whole[..20], false),
        (&corrupt[..], false),
    ] {
        let asked = ask(&engine, host.get());
        let stream = peer.expect_request().await;
        peer.head(stream, &gzipped, false).await;
        peer.data(stream, bytes, true).await;
        match come(asked).await {
            Ok(response) => assert!(is_sound && response.body == "some text"),
            Err(error) => {
                assert!(
                    !is_sound && matches!(error, Error::Decode { .. }),
                    "{error:?}"
                );
            }
        }
    }
    let asked = ask(&engine, host.get().on_data_loss(OnDataLoss::Keep));
    let stream = peer.expect_request().await;
    peer.head(stream, &gzipped, false).await;
    peer.data(stream, &whole[..20], true).await;
    let kept = come(asked).await.expect("what there was");
    assert_eq!(
        (&kept.body[..], kept.receipt.cut),
        (&b"some "[..], Some(Cut::DataLoss))
    );
    let asked = ask(&engine, host.get());
    let stream = peer.expect_request().await;
    peer.head(stream, &head(&[("content-encoding", "compress")]), false)
        .await;
    peer.data(stream, b"as it is", true).await;
    let unknown = come(asked).await.expect("a response");
    assert!(unknown.body == "as it is" && !unknown.receipt.decoded);
}

#[tokio::test]
async fn a_decoded_body_has_limits_of_its_own() {
    let host = Host::bind().await;
    let mut config = decoding(plain());
    config.bodies.max_decoded = 9;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let gzipped = head(&[("content-encoding", "gzip")]);
    for (text, choice, fits) in [
        ("some text", OnTooLarge::Fail, true),
        ("some text!", OnTooLarge::Fail, false),
        ("some text!", OnTooLarge::Truncate, true),
    ] {
        let asked = ask(&engine, host.get().on_too_large(choice));
        let stream = peer.expect_request().await;
        peer.head(stream, &gzipped, false).await;
        peer.data(stream, &gzip(text.as_bytes()), true).await;
        let answer = come(asked).await;
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
        match answer {
            Ok(response) => {
                let is_cut = response.receipt.cut == Some(Cut::TooLarge);
                assert_eq!(response.body, "some text");
                assert_eq!(is_cut, choice == OnTooLarge::Truncate);
            }
            Err(error) => assert!(matches!(error, Error::TooLarge { limit: 9 }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_decoded_body_is_there_when_it_is_read_at_last() {
    let host = Host::bind().await;
    let mut config = decoding(plain());
    config.stream_window = 65_535;
    let engine = engine_with(config);
    let mut peer = warm(&engine, &host).await;
    let opening = tokio::spawn(engine.open(host.get()));
    let stream = peer.expect_request().await;
    peer.head(stream, &head(&[("content-encoding", "gzip")]), false)
        .await;
    let mut slow = come(opening).await.expect("a head");
    let bytes = gzip(&[b'x'; 60_000]);
    for piece in bytes.chunks(10_000) {
        peer.data(stream, piece, false).await;
    }
    peer.data(stream, b"", true).await;
    for _ in 0..3 {
        let asked = ask(&engine, host.get());
        serve(&mut peer).await;
        come(asked).await.expect("a response");
    }
    assert!(engine.snapshot().await.bytes.held >= 40_000);
    let whole = slow.body.gather(60_000).await.expect("all of it");
    assert_eq!(whole.len(), 60_000);
    assert!(slow.body.next().await.is_none());
    assert_eq!(slow.body.receipt().expect("over").body_bytes, 60_000);
}
