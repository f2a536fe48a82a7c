use super::*;

#[test]
fn the_first_fault_is_the_one_told() {
    let request = Request::get("http://a/")
        .header("a b", "x")
        .header("ok", "\n");
    let Err(Error::BadRequest { part, .. }) = request.check() else {
        panic!("accepted");
    };
    assert_eq!(part, Part::HeaderName);
}

#[test]
fn headers_keep_their_order_and_duplicates() {
    let request = Request::get("http://a/")
        .header("b", "1")
        .header("a", "2")
        .header("b", "3")
        .header("c", &b"caf\xe9"[..]);
    let sent: Vec<_> = request
        .header_map()
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_bytes()))
        .collect();
    assert_eq!(
        sent,
        [
            ("b", &b"1"[..]),
            ("b", b"3"),
            ("a", b"2"),
            ("c", b"caf\xe9")
        ]
    );
}

#[test]
fn a_host_that_is_none_is_refused_before_any_dial() {
    let with = |host| {
        Request::get("http://a/")
            .header("host", host)
            .check()
            .is_ok()
    };
    assert!(with("b.test") && with("b.test:8080") && with("[::1]:80"));
    assert!(!with("a b") && !with("user:secret@b.test") && !with(""));
}

#[test]
fn no_number_of_headers_makes_it_panic() {
    let many = (0..MAX_HEADERS).fold(Request::get("http://a/"), |r, _| r.header("x", "1"));
    assert!(many.check().is_ok() && many.header("x", "1").check().is_err());
    let many = (0..40_000).fold(Request::get("http://a/"), |r, i| {
        r.header(format!("x-{i}"), "1")
    });
    assert!(many.check().is_err());
}

#[test]
fn a_tunnel_is_refused() {
    assert!(Request::new(Method::CONNECT, "http://a/").check().is_err());
}

#[test]
fn no_secret_is_shown() {
    let mut request = Request::get("http://a/").header("x", "seen");
    for name in ["authorization", "cookie", "proxy-authorization"] {
        request = request.header(name, "s3cret");
    }
    let shown = format!("{request:?}");
    assert!(
        shown.contains("seen") && !shown.contains("s3cret"),
        "{shown}"
    );
}
