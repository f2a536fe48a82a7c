//! The answers to requests.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, SERVER, TRAILER, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use sha2::{Digest, Sha256};

use crate::body::{self, Counted, Derived, Drip, Never, Payload, Trailing};
use crate::books::{Connection, Stream};
use crate::content::{self, Digests};
use crate::route::{Coding, Plan, Route, plan};

const LARGEST_REQUEST: u64 = 64 << 20;
/// Texts larger than this are encoded apart from the threads that serve.
const LARGE_TEXT: u64 = 64 * 1024;
const X_SHA256: HeaderName = HeaderName::from_static("x-sha256");
const X_METHOD: HeaderName = HeaderName::from_static("x-method");
const X_TRAILER: HeaderName = HeaderName::from_static("x-trailer");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Larger bodies go without a digest, which would have to be made before they are begun.
const LARGEST_DIGEST: u64 = 64 << 20;

type Answer = Response<Payload>;

/// Answers one request of a connection.
pub(crate) async fn answer(
    connection: Arc<Connection>,
    digests: Arc<Digests>,
    request: Request<Incoming>,
) -> Result<Response<Counted>, Infallible> {
    let stream = Stream::begun(&connection);
    let (head, incoming) = request.into_parts();
    let plan = plan(head.uri.path());
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    let mut answer = match plan.route {
        Route::Echo => echo(&head, incoming, &stream).await,
        Route::Sink => sink(incoming, &stream).await,
        Route::Away { status, ref to } => away(status, to),
        _ if !matches!(head.method, Method::GET | Method::HEAD) => not_allowed(),
        _ => fetch(&plan, &head, &digests).await,
    };
    let name = HeaderValue::from_static("gannet-testbed");
    answer.headers_mut().insert(SERVER, name);
    if head.method == Method::HEAD {
        *answer.body_mut() = body::empty();
    }
    Ok(answer.map(|payload| Counted::new(payload, stream)))
}

async fn fetch(plan: &Plan<'_>, head: &Parts, digests: &Digests) -> Answer {
    let path_and_query = head.uri.path_and_query().map_or("/", |all| all.as_str());
    match plan.route {
        Route::Index => page(index()),
        Route::Bytes { len } => {
            let content = Derived(content::content(path_and_query, len));
            derived(path_and_query, len, content.boxed_unsync(), digests).await
        }
        Route::Drip { len, pause } => {
            let bytes: Vec<u8> = content::content(path_and_query, len).flatten().collect();
            let drip = Drip::new(bytes.into(), pause).boxed_unsync();
            derived(path_and_query, len, drip, digests).await
        }
        Route::Status(status) => with_status(status),
        Route::Headers => headers(head, path_and_query),
        Route::Redirect(hops) => redirect(plan.prefix, hops),
        Route::Coded { coding, len } => coded(coding, path_and_query, len).await,
        Route::Trailers => trailers(),
        Route::Tree { pages, page: k } => page(tree(plan.prefix, pages, k)),
        Route::Stall => Response::new(Never.boxed_unsync()),
        Route::Silent => std::future::pending().await,
        Route::Bad(why) => message(StatusCode::BAD_REQUEST, why),
        Route::Unknown | Route::Echo | Route::Sink | Route::Away { .. } => {
            message(StatusCode::NOT_FOUND, "no such page")
        }
    }
}

async fn derived(path_and_query: &str, len: u64, payload: Payload, digests: &Digests) -> Answer {
    if len > LARGEST_DIGEST {
        return sized(OCTETS, len, payload);
    }
    let digest = digests.digest(path_and_query, len).await;
    let mut answer = sized(OCTETS, len, payload);
    answer.headers_mut().insert(X_SHA256, value(&digest));
    answer
}

async fn echo(head: &Parts, incoming: Incoming, stream: &Stream) -> Answer {
    const TOO_LARGE: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;
    if incoming.size_hint().lower() > LARGEST_REQUEST {
        return message(TOO_LARGE, "the request body is too large");
    }
    let counted = incoming.map_frame(|frame| {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        stream.received(bytes as u64);
        frame
    });
    // The limit fits a usize of 32 bits as well.
    let collected = match Limited::new(counted, LARGEST_REQUEST as usize)
        .collect()
        .await
    {
        Ok(collected) => collected,
        Err(error) if error.is::<LengthLimitError>() => {
            return message(TOO_LARGE, "the request body is too large");
        }
        Err(_) => return message(StatusCode::BAD_REQUEST, "the request body broke off"),
    };
    let bytes = collected.to_bytes();
    let kind = head.headers.get(CONTENT_TYPE).cloned().unwrap_or(OCTETS);
    let mut answer = sized(kind, bytes.len() as u64, body::whole(bytes));
    let headers = answer.headers_mut();
    headers.insert(X_METHOD, value(head.method.as_str()));
    answer
}

async fn sink(mut incoming: Incoming, stream: &Stream) -> Answer {
    let (mut digest, mut len) = (Sha256::new(), 0_u64);
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            return message(StatusCode::BAD_REQUEST, "the request body broke off");
        };
        if let Ok(piece) = frame.into_data() {
            stream.received(piece.len() as u64);
            len += piece.len() as u64;
            digest.update(&piece);
        }
    }
    let text = format!("{len} {}\n", content::hex(&digest.finalize()));
    sized(OCTETS, text.len() as u64, body::whole(Bytes::from(text)))
}

fn with_status(status: StatusCode) -> Answer {
    let no_body = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    if no_body.contains(&status) {
        let mut answer = Response::new(body::empty());
        *answer.status_mut() = status;
        return answer;
    }
    message(status, status.canonical_reason().unwrap_or("no reason"))
}

fn headers(head: &Parts, path_and_query: &str) -> Answer {
    let lossy = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let authority = match head.uri.authority() {
        Some(authority) => authority.to_string(),
        None => head.headers.get(HOST).map(lossy).unwrap_or_default(),
    };
    let list: Vec<(&str, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), lossy(value)))
        .collect();
    let json = serde_json::json!({
        "method": head.method.as_str(),
        "path": path_and_query,
        "version": format!("{:?}", head.version),
        "authority": authority,
        "headers": list,
    });
    complete(JSON, json.to_string())
}

fn redirect(prefix: &str, hops: u64) -> Answer {
    let Some(next) = hops.checked_sub(1) else {
        return message(StatusCode::OK, "the end of the redirects");
    };
    let target = format!("{prefix}/redirect/{next}");
    let mut answer = message(StatusCode::FOUND, &target);
    answer.headers_mut().insert(LOCATION, value(&target));
    answer
}

fn away(status: StatusCode, to: &str) -> Answer {
    let mut answer = message(status, to);
    answer.headers_mut().insert(LOCATION, value(to));
    answer
}

async fn coded(coding: Coding, path_and_query: &str, len: u64) -> Answer {
    let text = content::text(path_and_query, len);
    let digest = content::sha256_hex(&text);
    let encoded = if len > LARGE_TEXT {
        tokio::task::spawn_blocking(move || encode(coding, &text))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    } else {
        encode(coding, &text)
    };
    let Ok(encoded) = encoded else {
        return message(StatusCode::INTERNAL_SERVER_ERROR, "the encoder failed");
    };
    let mut answer = complete(PLAIN_TEXT, encoded);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(X_SHA256, value(&digest));
    answer
}

fn encode(coding: Coding, text: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text)?;
            gzip.finish()
        }
        Coding::Brotli => {
            let mut encoded = Vec::new();
            let mut brotli = brotli::CompressorWriter::new(&mut encoded, 4096, 4, 20);
            brotli.write_all(text)?;
            // Writes what is left.
            drop(brotli);
            Ok(encoded)
        }
        Coding::Zstd => zstd::encode_all(text, 3),
    }
}

fn trailers() -> Answer {
    const BODY: &str = "with trailers\n";
    let mut trailers = HeaderMap::new();
    trailers.insert(X_TRAILER, HeaderValue::from_static("yes"));
    trailers.insert(X_SHA256, value(&content::sha256_hex(BODY.as_bytes())));
    let payload = Trailing::new(Bytes::from_static(BODY.as_bytes()), trailers);
    let mut answer = Response::new(payload.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, PLAIN_TEXT);
    // Over HTTP/1.1 only announced trailers are sent.
    let announced = HeaderValue::from_static("x-trailer, x-sha256");
    headers.insert(TRAILER, announced);
    answer
}

fn index() -> String {
    let routes = [
        "/bytes/1000",
        "/delay/100/bytes/1000",
        "/drip/20/50",
        "/status/404",
        "/echo",
        "/headers",
        "/redirect/3",
        "/gzip",
        "/br",
        "/zstd",
        "/trailers",
        "/tree/100/0",
    ];
    let links = routes.map(|route| format!("<li><a href=\"{route}\">{route}</a></li>\n"));
    // The two that never end are not linked, or a crawler would hang on them.
    html(
        "gannet testbed",
        &format!(
            "<ul>\n{}<li><code>/stall</code></li>\n<li><code>/silent</code></li>\n</ul>\n",
            links.concat()
        ),
    )
}

fn tree(prefix: &str, pages: u64, page: u64) -> String {
    let mut links = String::new();
    let mut link = |k: u64, what: &str| {
        let target = format!("{prefix}/tree/{pages}/{k}");
        // Writing to a string does not fail.
        let _ = writeln!(links, "<li><a href=\"{target}\">{what} {k}</a></li>");
    };
    link(page, "this is");
    if page > 0 {
        link((page - 1) / 8, "back to");
    }
    let children = (1..=8).map_while(|i| page.checked_mul(8)?.checked_add(i));
    for child in children.take_while(|child| *child < pages) {
        link(child, "on to");
    }
    html(&format!("page {page}"), &format!("<ul>\n{links}</ul>\n"))
}

fn html(title: &str, content: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{content}</body>\n</html>\n"
    )
}

fn page(html: String) -> Answer {
    complete(HTML, html)
}

fn not_allowed() -> Answer {
    let mut answer = message(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    let allowed = HeaderValue::from_static("GET, HEAD");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

fn message(status: StatusCode, text: &str) -> Answer {
    let mut answer = complete(PLAIN_TEXT, format!("{text}\n"));
    *answer.status_mut() = status;
    answer
}

fn complete(kind: HeaderValue, bytes: impl Into<Bytes>) -> Answer {
    let bytes = bytes.into();
    sized(kind, bytes.len() as u64, body::whole(bytes))
}

fn sized(kind: HeaderValue, len: u64, payload: Payload) -> Answer {
    let mut answer = Response::new(payload);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    answer
}

/// A header value of text that is made or checked here, or is a method.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits, letters and ASCII punctuation only")
}
