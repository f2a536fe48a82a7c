//! A request as it is shown to those who debug: without what others could use.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, PROXY_AUTHORIZATION};

use crate::request::Request;

/// Headers whose values are left out.
struct Shown<'a>(&'a HeaderMap);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            match secret.contains(name) {
                true => map.entry(name, &format_args!("[redacted]")),
                false => map.entry(name, value),
            };
        }
        map.finish()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.as_ref().map(ToString::to_string);
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &target)
            .field("headers", &Shown(&self.headers))
            .field("body", &self.body)
            .field("overrides", &*self.overrides)
            .field("egress", &self.egress)
            .finish_non_exhaustive()
    }
}
