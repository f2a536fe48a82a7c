//! URLs, and the pool keys made of them.

use gannet::{Origin, Request, Target};

/// Parses the bytes as a URL. What is accepted must read the same when it is written, and have no
/// credentials in it.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let target = match Target::parse(text) {
        Ok(target) => target,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(Request::get(text).check().is_err());
            return;
        }
    };
    let written = target.to_string();
    let again = Target::parse(&written).expect("what was written is a URL");
    assert_eq!(target, again);
    assert_eq!(written, again.to_string());
    let origin = target.origin();
    let key: Origin = origin.to_string().parse().expect("an origin");
    assert_eq!(*origin, key);
    assert!(!origin.host().is_empty() && !origin.host().contains(['/', '@', '?', '#']));
    assert_eq!(origin.host(), origin.host().to_lowercase());
    assert!(target.path_and_query().starts_with('/'));
    assert!(!target.path_and_query().contains('#'));
    assert!(
        !target
            .uri()
            .authority()
            .expect("absolute")
            .as_str()
            .contains('@')
    );
    assert!(
        target
            .path_and_query()
            .bytes()
            .all(|byte| byte > b' ' && byte < 0x7f)
    );
}
