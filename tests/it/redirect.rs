//! Redirects: followed where they are asked to be, and never with another's secrets.

use std::time::Duration;

use gannet::request::Redirects;
use gannet::{Engine, Error, Failure, Request, Response};
use gannet_testbed::Testbed;
use http::Method;

use crate::support::{config, engine, engine_with, testbed};

/// What the testbed saw of the last request of a chain that ends at its `/headers`.
fn seen(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&response.body).expect("the testbed's own JSON")
}

/// `url` without its `https://`, as the testbed's `/away` wants it.
fn place(url: &str) -> String {
    url.replacen("https://", "https/", 1)
}

async fn fetch(engine: &Engine, request: Request) -> Result<Response, Error> {
    engine
        .fetch(request.redirects(Redirects::at_most(10)))
        .await
        .map_err(Error::from)
}

/// One engine for two origins of one certificate authority.
fn two() -> (Testbed, Testbed, Engine) {
    let (a, b) = (testbed(), testbed());
    let mut config = config(&a);
    let roots = [a.ca_der(), b.ca_der()].map(|root| root.to_vec().into());
    config.tls.trust = gannet::config::Trust::Roots(roots.into());
    let engine = engine_with(config);
    (a, b, engine)
}

#[tokio::test]
async fn a_redirect_is_an_answer_unless_it_is_to_be_followed() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let url = testbed.url("/redirect/3");
    let answer = engine.fetch(Request::get(&url)).await.expect("an answer");
    assert_eq!(
        (answer.status.as_u16(), answer.receipt.hops.len()),
        (302, 0)
    );
    let end = fetch(&engine, Request::get(&url)).await.expect("an answer");
    assert_eq!(end.status, 200);
    let hops = end.receipt.hops.iter().map(|hop| hop.to.path_and_query());
    let hops: Vec<_> = hops.collect();
    assert_eq!(hops, ["/redirect/2", "/redirect/1", "/redirect/0"]);
    assert_eq!(testbed.books().connections, 1, "all on one connection");
}

#[tokio::test]
async fn an_engine_may_follow_and_a_request_may_not() {
    let testbed = testbed();
    let mut config = config(&testbed);
    config.redirects = Redirects::at_most(3);
    let engine = engine_with(config);
    let get = |hops: u32| Request::get(testbed.url(&format!("/redirect/{hops}")));
    assert_eq!(engine.fetch(get(3)).await.expect("in reach").status, 200);
    let off = engine.fetch(get(3).redirects(Redirects::NONE)).await;
    assert_eq!(off.expect("an answer").status, 302);
    let far = engine.fetch(get(4)).await.expect_err("too far");
    assert!(matches!(&*far, Error::Redirect { .. }), "{far:?}");
    assert!(!far.is_unprocessed() && !far.is_retryable());
}

#[tokio::test]
async fn secrets_do_not_cross_to_another_origin() {
    let (a, b, engine) = two();
    let secret = |url: String| {
        Request::get(url)
            .header("authorization", "Bearer s3cret")
            .header("cookie", "id=s3cret")
            .header("x-kept", "1")
    };
    let there = format!("/away/302/{}", place(&b.url("/headers")));
    let response = fetch(&engine, secret(a.url(&there)))
        .await
        .expect("followed");
    let text = seen(&response).to_string();
    assert!(
        text.contains("x-kept") && !text.contains("s3cret"),
        "{text}"
    );
    assert_eq!(response.remote_address(), Some(b.address()));
    // Nor back again: what is gone is gone.
    let back = place(&a.url("/headers"));
    let there = format!("/away/302/{}", place(&b.url(&format!("/away/302/{back}"))));
    let response = fetch(&engine, secret(a.url(&there)))
        .await
        .expect("followed");
    assert!(!seen(&response).to_string().contains("s3cret"));
    let stays = format!("/away/302/{}", place(&a.url("/headers")));
    let response = fetch(&engine, secret(a.url(&stays)))
        .await
        .expect("followed");
    assert!(
        seen(&response).to_string().contains("s3cret"),
        "the same origin"
    );
}

#[tokio::test]
async fn a_post_is_asked_for_its_result_or_moved_whole() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let post =
        |path: String| Request::post(testbed.url(&path), "some text").header("content-type", "x/y");
    let see_other = format!("/away/303/{}", place(&testbed.url("/headers")));
    let response = fetch(&engine, post(see_other)).await.expect("followed");
    let seen = seen(&response);
    assert_eq!(seen["method"], "GET");
    assert!(!seen.to_string().contains("content-"), "{seen}");
    let moved = format!("/away/308/{}", place(&testbed.url("/echo")));
    let response = fetch(&engine, post(moved)).await.expect("followed");
    assert_eq!(&response.body[..], b"some text");
    assert_eq!(response.headers["x-method"], Method::POST.as_str());
}

#[tokio::test]
async fn https_is_left_only_where_that_is_allowed() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let down = testbed.url("/away/302/http/127.0.0.1:9/");
    let refused = fetch(&engine, Request::get(&down)).await;
    assert!(
        matches!(&refused, Err(Error::Redirect { location, .. }) if location == "http://127.0.0.1:9/")
    );
    let mut rules = Redirects::at_most(1);
    rules.allow_downgrade = true;
    let tried = engine.fetch(Request::get(&down).redirects(rules)).await;
    assert!(
        matches!(
            &tried,
            Err(Failure {
                error: Error::Connect { .. },
                ..
            })
        ),
        "{tried:?}"
    );
}

#[tokio::test]
async fn a_post_that_was_done_is_not_called_undone_when_its_redirect_leads_nowhere() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let away = testbed.url("/away/303/https/127.0.0.1:9/");
    let error = fetch(&engine, Request::post(&away, "x"))
        .await
        .expect_err("nowhere");
    assert!(matches!(error, Error::Redirect { .. }), "{error:?}");
    assert!(!error.is_unprocessed());
}

#[tokio::test]
async fn the_deadline_is_one_for_all_hops() {
    let testbed = testbed();
    let engine = engine(&testbed);
    let request = Request::get(testbed.url("/delay/400/redirect/9"));
    let error = fetch(&engine, request.deadline(Duration::from_secs(1))).await;
    assert!(matches!(error, Err(Error::Deadline { .. })), "{error:?}");
}
