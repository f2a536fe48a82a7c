//! `--accept-type`: bodies of other types are stopped at their heads.

use gannet::event::{EventHandler, Flow, On};
use http::{HeaderMap, StatusCode, header};

/// Takes bodies of these types only, and of errors none the less: their status tells enough.
pub(crate) struct Accepted(pub(crate) Vec<String>);

impl EventHandler for Accepted {
    fn response_received(&self, _: &On<'_>, _: StatusCode, headers: &HeaderMap) -> Flow {
        let named = headers.get(header::CONTENT_TYPE);
        let named = named.and_then(|value| value.to_str().ok()).unwrap_or("");
        match self.0.iter().any(|pattern| is_of(named, pattern)) {
            true => Flow::Continue,
            false => Flow::Stop,
        }
    }
}

/// Checks a pattern: `type/subtype`, or `type/*`.
pub(crate) fn pattern(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((kind, rest)) if !kind.is_empty() && !rest.is_empty() => Ok(text.to_ascii_lowercase()),
        _ => Err("expected TYPE/SUBTYPE, or TYPE/*".to_owned()),
    }
}

fn is_of(named: &str, pattern: &str) -> bool {
    let essence = named
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some(prefix) => essence.starts_with(prefix),
        None => essence == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart_by_their_essence() {
        assert!(is_of("Text/HTML; charset=utf-8", "text/html"));
        assert!(is_of("text/plain", "text/*") && !is_of("textual/plain", "text/*"));
        assert!(!is_of("", "text/html") && !is_of("text/htmlx", "text/html"));
        assert!(pattern("html").is_err() && pattern("Text/*").as_deref() == Ok("text/*"));
    }
}
