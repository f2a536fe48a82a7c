//! Servers that want HTTP/1.1 in place of HTTP/2 (HTTP_1_1_REQUIRED, RFC 9113 §7).

use gannet::error::ErrorCode;
use gannet::view::Reason;
use gannet::{Error, Protocol, Protocols};

use super::{ask, gone, got, told};
use crate::support::engine_with;
use crate::support::peer::{Host, plain};
use crate::support::script::OK;

const HTTP_1_1_REQUIRED: u32 = 13;

/// How it asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Reset,
    /// The stream is above the last one.
    GoAway,
    /// The stream is among those that it may have acted on.
    LateGoAway,
}

#[tokio::test]
async fn what_is_wanted_over_http1_goes_there_and_the_wish_is_remembered() {
    for form in [Form::Reset, Form::GoAway, Form::LateGoAway] {
        let (host, engine) = (Host::bind().await, engine_with(plain()));
        let asked = ask(&engine, host.post("once"));
        let mut peer = host.welcome(&[]).await;
        let stream = peer.expect_requests(1).await[0];
        match form {
            Form::Reset => peer.reset(stream, HTTP_1_1_REQUIRED).await,
            Form::GoAway => peer.goaway(0, HTTP_1_1_REQUIRED).await,
            Form::LateGoAway => peer.goaway(stream, HTTP_1_1_REQUIRED).await,
        }
        if form != Form::Reset {
            peer.close().await;
        }
        let mut line = host.accept_http1().await;
        let request = line.request().await;
        assert_eq!(request.line, "POST / HTTP/1.1");
        assert_eq!(request.body, b"once", "{form:?}");
        line.say(OK).await;
        let response = got(asked).await;
        assert_eq!(response.protocol, Protocol::Http11);
        assert_eq!(response.receipt.attempts, 2);
        peer.expect_close().await;
        // The next one goes there at once.
        let asked = ask(&engine, host.get());
        line.request().await;
        line.say(OK).await;
        assert_eq!(got(asked).await.receipt.attempts, 1);
        let snapshot = engine.snapshot().await;
        assert!(snapshot.origins[0].needs_http1);
        if form == Form::Reset {
            gone(&engine, Reason::Http1Required, 1).await;
        }
        // And so does one that needs another connection.
        line.finish().await;
        let asked = ask(&engine, host.get());
        let mut next = host.accept_http1().await;
        next.request().await;
        next.say(OK).await;
        got(asked).await;
    }
}

#[tokio::test]
async fn those_at_work_on_the_old_connection_finish_there() {
    let (host, engine) = (Host::bind().await, engine_with(plain()));
    let slow = ask(&engine, host.get());
    let mut peer = host.welcome(&[]).await;
    let first = peer.expect_request().await;
    let asked = ask(&engine, host.get());
    let second = peer.expect_request().await;
    peer.reset(second, HTTP_1_1_REQUIRED).await;
    let mut line = host.accept_http1().await;
    line.request().await;
    line.say(OK).await;
    assert_eq!(got(asked).await.protocol, Protocol::Http11);
    peer.respond(first, b"ok").await;
    assert_eq!(got(slow).await.protocol, Protocol::Http2);
    peer.expect_close().await;
}

#[tokio::test]
async fn who_accepts_no_http1_hears_of_the_wish() {
    let (host, engine) = (Host::bind().await, engine_with(plain()));
    let asked = ask(&engine, host.get().protocols(Protocols::HTTP2));
    let mut peer = host.welcome(&[]).await;
    let stream = peer.expect_request().await;
    peer.reset(stream, HTTP_1_1_REQUIRED).await;
    let answer = told(asked).await;
    let wanted = ErrorCode::HTTP_1_1_REQUIRED;
    assert!(
        matches!(answer, Err(Error::Reset { code, by_server: true }) if code == wanted),
        "{answer:?}"
    );
    // It is not left for that, nor dialled for what is not accepted.
    for _ in 0..2 {
        let asked = ask(&engine, host.get().protocols(Protocols::HTTP2));
        let stream = peer.expect_request().await;
        peer.respond(stream, b"ok").await;
        assert_eq!(got(asked).await.receipt.connection, Some(1));
    }
    peer.goaway(5, 0).await;
    peer.close().await;
    let asked = ask(&engine, host.get().protocols(Protocols::HTTP2));
    let mut next = host.welcome(&[]).await;
    let stream = next.expect_request().await;
    next.respond(stream, b"ok").await;
    assert_eq!(got(asked).await.protocol, Protocol::Http2);
}

#[tokio::test]
async fn a_burst_that_meets_the_wish_is_served_and_nobody_fails() {
    for form in [Form::Reset, Form::GoAway] {
        let (host, engine) = (Host::bind().await, engine_with(plain()));
        let asked: Vec<_> = (0..60).map(|_| ask(&engine, host.post("x"))).collect();
        let mut peer = host.welcome(&[]).await;
        let streams = peer.expect_requests(10).await;
        match form {
            Form::Reset => {
                for stream in streams {
                    peer.reset(stream, HTTP_1_1_REQUIRED).await;
                }
            }
            _ => {
                peer.goaway(0, HTTP_1_1_REQUIRED).await;
                peer.close().await;
            }
        }
        let refusing = async {
            // What is still sent meanwhile hears the same.
            while peer.next().await {
                while let Some(stream) = peer.fresh() {
                    peer.reset(stream, HTTP_1_1_REQUIRED).await;
                }
            }
            peer.close().await;
            std::future::pending::<()>().await;
        };
        let serving = async {
            loop {
                tokio::spawn(host.accept_http1().await.agree());
            }
        };
        let all = async {
            for asked in asked {
                assert_eq!(got(asked).await.protocol, Protocol::Http11, "{form:?}");
            }
        };
        tokio::select! {
            () = all => {}
            () = refusing => {}
            () = serving => {}
        }
    }
}
