//! Responses as they should be.

use futures::future::join_all;
use gannet::{Protocol, Request};

use super::engine;
use crate::support::script::{Host, OK, Then};

#[tokio::test]
async fn a_connection_is_kept_and_its_requests_are_numbered() {
    let (seen, url) = Host::bind().await.serve(|_, _, _| (OK.into(), Then::Keep));
    let engine = engine();
    for number in 1..=20 {
        let response = engine
            .fetch(Request::get(format!("{url}/")))
            .await
            .expect("a response");
        assert_eq!(
            (response.status.as_u16(), &response.body[..]),
            (200, &b"ok"[..])
        );
        assert_eq!(response.protocol, Protocol::Http11);
        assert_eq!(response.receipt.stream, Some(number));
        assert_eq!(response.receipt.reused, number > 1);
        assert!(!response.partial);
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 20));
}

#[tokio::test]
async fn a_request_has_its_host_first_and_the_callers_headers_in_their_order() {
    let host = Host::bind().await;
    let engine = engine();
    let request = host
        .get("/a/b?c=d")
        .header("b", "1")
        .header("connection", "close")
        .header("a", "2")
        .header("transfer-encoding", "chunked")
        .header("b", "3")
        .header("te", "trailers")
        .header("content-length", "7");
    let asked = async {
        let mut line = host.accept().await;
        let asked = line.request().await;
        line.say(OK).await;
        asked
    };
    let (response, asked) = tokio::join!(engine.fetch(request), asked);
    response.expect("a response");
    assert_eq!(asked.line, "GET /a/b?c=d HTTP/1.1");
    let own = host.url("").replace("http://", "");
    let fields: Vec<_> = asked.fields.iter().map(|(n, v)| (&n[..], &v[..])).collect();
    assert_eq!(
        fields,
        [("host", &own[..]), ("b", "1"), ("b", "3"), ("a", "2")]
    );
}

#[tokio::test]
async fn a_body_is_sent_with_its_length_and_a_host_of_the_callers_replaces_the_urls() {
    let host = Host::bind().await;
    let engine = engine();
    let body = vec![b'x'; 300_000];
    let request = Request::post(host.url("/"), body.clone()).header("host", "other.test");
    let empty = Request::post(host.url("/"), "");
    let asked = async {
        let mut line = host.accept().await;
        let first = line.request().await;
        line.say(OK).await;
        let second = line.request().await;
        line.say(OK).await;
        (first, second)
    };
    let fetches = async {
        engine.fetch(request).await.expect("a response");
        engine.fetch(empty).await.expect("a response");
    };
    let ((), (first, second)) = tokio::join!(fetches, asked);
    assert_eq!(first.field("host"), Some("other.test"));
    assert_eq!(first.field("content-length"), Some("300000"));
    assert_eq!(first.body, body);
    assert_eq!(second.field("content-length"), Some("0"));
}

#[tokio::test]
async fn the_head_is_there_as_it_came_and_duplicates_survive() {
    let head = "HTTP/1.1 200 Fine\r\nX-B: 1\r\nset-Cookie: a\r\nx-a: 2\r\nSet-Cookie: b\r\n\
                CONTENT-LENGTH: 2\r\n\r\n";
    let answer = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{head}ok");
    let (_, url) = Host::bind()
        .await
        .serve(move |_, _, _| (answer.clone().into(), Then::Keep));
    let engine = engine();
    for _ in 0..2 {
        let response = engine
            .fetch(Request::get(&url[..]))
            .await
            .expect("a response");
        assert_eq!(response.raw_head.as_deref(), Some(head.as_bytes()));
        let cookies: Vec<_> = response.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a", "b"]);
        assert!(response.headers.get("link").is_none());
    }
}

#[tokio::test]
async fn interim_responses_are_skipped_and_a_few_of_them_do_no_harm() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let (seen, url) = Host::bind().await.serve(move |_, _, _| {
        (
            [interim.repeat(8).as_bytes(), OK.as_bytes()].concat(),
            Then::Keep,
        )
    });
    let engine = engine();
    for _ in 0..3 {
        let response = engine
            .fetch(Request::get(&url[..]))
            .await
            .expect("a response");
        assert_eq!(&response.body[..], b"ok");
    }
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn chunks_are_joined_and_trailers_handed_out() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  5;a=b\r\nhello\r\n1\r\n \r\n05\r\nworld\r\n0\r\nX-Sum: 11\r\n\r\n";
    let (seen, url) = Host::bind()
        .await
        .serve(move |_, _, _| (answer.into(), Then::Keep));
    let engine = engine();
    for _ in 0..3 {
        let response = engine
            .fetch(Request::get(&url[..]))
            .await
            .expect("a response");
        assert_eq!(&response.body[..], b"hello world");
        let trailers = response.trailers.expect("trailers");
        assert_eq!(trailers["x-sum"], "11");
        assert_eq!(response.receipt.wire_bytes, 11);
    }
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn responses_without_a_body_leave_the_connection_as_it_was() {
    let (seen, url) = Host::bind().await.serve(|_, _, asked| {
        let answer = match asked.path() {
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        };
        (answer.into(), Then::Keep)
    });
    let engine = engine();
    for (method, path, status) in [
        (http::Method::HEAD, "/", 200),
        (http::Method::GET, "/204", 204),
        (http::Method::GET, "/304", 304),
        (http::Method::HEAD, "/", 200),
    ] {
        let request = Request::new(method, format!("{url}{path}"));
        let response = engine.fetch(request).await.expect("a response");
        assert_eq!((response.status.as_u16(), response.body.len()), (status, 0));
        assert!(!response.partial);
    }
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn an_http_1_0_reply_is_one_and_its_end_is_the_connections() {
    let (seen, url) = Host::bind().await.serve(|_, _, asked| match asked.path() {
        "/kept" => {
            let answer = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
            (answer.into(), Then::Keep)
        }
        _ => ("HTTP/1.0 200 OK\r\n\r\nolder than you".into(), Then::Close),
    });
    let engine = engine();
    for _ in 0..2 {
        let request = Request::get(format!("{url}/kept"));
        let response = engine.fetch(request).await.expect("a response");
        assert_eq!(response.protocol, Protocol::Http10);
        assert!(!response.partial);
    }
    assert_eq!(seen.connections(), 1);
    let response = engine
        .fetch(Request::get(&url[..]))
        .await
        .expect("a response");
    assert_eq!(&response.body[..], b"older than you");
    assert_eq!(response.protocol, Protocol::Http10);
    assert!(response.partial);
}

#[tokio::test]
async fn many_fetches_share_few_connections() {
    let (seen, url) = Host::bind().await.serve(|_, _, asked| {
        let (path, length) = (asked.path().to_owned(), asked.path().len());
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}");
        (answer.into(), Then::Keep)
    });
    let engine = engine();
    let fetches = (0..500).map(|i| engine.fetch(Request::get(format!("{url}/{i}"))));
    for (i, response) in join_all(fetches).await.into_iter().enumerate() {
        assert_eq!(
            &response.expect("a response").body[..],
            format!("/{i}").as_bytes()
        );
    }
    assert!(seen.most() <= 6, "{}", seen.most());
    assert_eq!(seen.requests(), 500);
}
