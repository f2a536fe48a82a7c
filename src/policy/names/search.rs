//! Which complete names a name may stand for.

use std::net::IpAddr;

/// The complete names to ask for, in order; `search` are the domains of the system's
/// configuration. A dot at the end says that the name is complete; one with at least `ndots` dots
/// within is first taken as complete, and another last (`resolv.conf(5)`).
pub(crate) fn candidates(name: &str, ndots: usize, search: &[String]) -> Vec<String> {
    if name.ends_with('.') {
        return vec![name.to_owned()];
    }
    let complete = format!("{name}.");
    let within = search
        .iter()
        .map(|domain| format!("{name}.{}.", domain.trim_matches('.')));
    let mut names: Vec<_> = within.filter(|name| !name.ends_with("..")).collect();
    let place = match name.matches('.').count() >= ndots {
        true => 0,
        false => names.len(),
    };
    names.insert(place, complete);
    names
}

/// The addresses of `name` where it is the machine's own for all (RFC 6761 §6.3).
pub(crate) fn own(name: &str) -> Option<[IpAddr; 2]> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next()?;
    last.eq_ignore_ascii_case("localhost").then(|| {
        [
            std::net::Ipv6Addr::LOCALHOST.into(),
            std::net::Ipv4Addr::LOCALHOST.into(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_end_means_that_the_name_is_complete() {
        let search = ["corp.test".to_owned()];
        assert_eq!(candidates("a.", 1, &search), ["a."]);
        assert_eq!(candidates("a", 1, &search), ["a.corp.test.", "a."]);
        assert_eq!(candidates("a.b", 1, &search), ["a.b.", "a.b.corp.test."]);
        assert_eq!(candidates("a.b", 2, &search), ["a.b.corp.test.", "a.b."]);
        assert_eq!(candidates("a", 1, &[".".to_owned()]), ["a."]);
        assert_eq!(candidates("a", 1, &[]), ["a."]);
    }

    #[test]
    fn localhost_and_all_below_it_is_this_machine() {
        for name in ["localhost", "localhost.", "LocalHost", "a.b.localhost"] {
            assert!(own(name).is_some_and(|own| own.iter().all(IpAddr::is_loopback)));
        }
        for name in ["localhost.test", "mylocalhost", "", "."] {
            assert_eq!(own(name), None, "{name:?}");
        }
    }
}
