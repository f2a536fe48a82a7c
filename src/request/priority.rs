//! How urgent a request is (RFC 9218).

use std::fmt::Write;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The field that tells the server.
pub(crate) const PRIORITY: HeaderName = HeaderName::from_static("priority");
/// What is meant where nothing is said (RFC 9218 §4.1).
const DEFAULT: u8 = 3;
const LAST: u8 = 7;

/// How urgent a request is (RFC 9218 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Priority {
    pub(crate) urgency: u8,
    pub(crate) incremental: bool,
}

impl Priority {
    /// An urgency beyond 7 counts as 7.
    pub(crate) fn new(urgency: u8, incremental: bool) -> Self {
        Self {
            urgency: urgency.min(LAST),
            incremental,
        }
    }

    /// What to say of it; nothing of what goes without saying.
    pub(crate) fn field(self) -> Option<HeaderValue> {
        let mut text = String::new();
        if self.urgency != DEFAULT {
            // Writing to a string cannot fail.
            let _ = write!(text, "u={}", self.urgency);
        }
        if self.incremental {
            text.push_str(if text.is_empty() { "i" } else { ", i" });
        }
        HeaderValue::try_from(text)
            .ok()
            .filter(|value| !value.is_empty())
    }
}

/// The urgency that a caller's own field asks for; what cannot be read is the default (RFC 9218
/// §4).
pub(crate) fn urgency_of(headers: &HeaderMap) -> u8 {
    let Some(text) = headers.get(PRIORITY).and_then(|value| value.to_str().ok()) else {
        return DEFAULT;
    };
    let mut named = text
        .split(',')
        .filter_map(|member| member.trim().strip_prefix("u="));
    let urgency = named
        .next_back()
        .and_then(|value| value.split(';').next()?.trim().parse().ok());
    urgency
        .filter(|urgency| *urgency <= LAST)
        .unwrap_or(DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_without_saying_is_not_said() {
        let field = |urgency, incremental| Priority::new(urgency, incremental).field();
        assert_eq!(field(3, false), None);
        assert_eq!(field(0, false).expect("said"), "u=0");
        assert_eq!(field(3, true).expect("said"), "i");
        assert_eq!(field(9, true).expect("said"), "u=7, i");
    }

    #[test]
    fn a_field_of_the_callers_is_read() {
        let urgency = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(PRIORITY, HeaderValue::from_static(text));
            urgency_of(&headers)
        };
        assert_eq!(
            (urgency("u=1"), urgency("i, u=6;x"), urgency("u=5, u=2")),
            (1, 6, 2)
        );
        assert_eq!(
            (urgency("u=8"), urgency("u=-1"), urgency("i"), urgency("u")),
            (3, 3, 3, 3)
        );
        assert_eq!(urgency_of(&HeaderMap::new()), 3);
    }
}
