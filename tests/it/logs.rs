//! What is logged, and what never is.

use std::fmt;
use std::sync::{Arc, Mutex};

use gannet::{Engine, Proxy, Request};
use slog::{Drain, KV, Logger, Never, OwnedKVList, Record, Serializer, o};

use crate::support::{config, testbed};

/// Keeps all records, as text.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Serializer for Text {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

impl Drain for Kept {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let mut text = Text(record.msg().to_string());
        values.serialize(record, &mut text).expect("it is text");
        record
            .kv()
            .serialize(record, &mut text)
            .expect("it is text");
        self.0.lock().expect("no panic within").push(text.0);
        Ok(())
    }
}

#[tokio::test]
async fn actors_are_named_and_secrets_are_not() {
    let testbed = testbed();
    let kept = Kept::default();
    let mut config = config(&testbed);
    config.retry_statuses = vec![http::StatusCode::SERVICE_UNAVAILABLE];
    let engine = Engine::builder()
        .config(config)
        .logger(Logger::root(kept.clone().fuse(), o!()))
        .start()
        .expect("threads");
    let get = |path| {
        Request::get(testbed.url(path))
            .header("authorization", "Bearer s3cret")
            .header("cookie", "id=s3cret")
            .header("proxy-authorization", "s3cret")
            .body("s3cret")
    };
    engine
        .fetch(get("/headers?token=s3cret"))
        .await
        .expect("a response");
    engine.fetch(get("/status/503")).await.expect("a response");
    engine
        .fetch(get("/redirect/s3cret"))
        .await
        .expect("a response");
    let userinfo = Request::get("https://s3cret:s3cret@127.0.0.1/");
    assert!(engine.fetch(userinfo).await.is_err());
    let proxy = Proxy::parse("http://s3cret:s3cret@127.0.0.1:9").expect("a proxy");
    assert!(engine.fetch(get("/").proxy(proxy)).await.is_err());
    engine.shutdown(std::time::Duration::from_secs(5)).await;
    let records = kept.0.lock().expect("no panic within").clone();
    assert!(
        records.iter().all(|record| !record.contains("s3cret")),
        "{records:#?}"
    );
    for told in [
        "engine started",
        "connected actor=connection",
        "retrying actor=agent",
        "dial failed actor=connection",
        "disconnected actor=connection",
    ] {
        assert!(
            records.iter().any(|record| record.contains(told)),
            "no {told:?} in {records:#?}"
        );
    }
}
