//! From flags to what the engine takes.

use std::time::Duration;

use gannet::{Config, Error, Request, Target, Upload};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use crate::args::Shared;
use crate::ask::Ask;
use crate::exit::{Exit, Failure};
use crate::parse::HeaderFlag;
use crate::send;

/// What all requests of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Upload,
}

/// Stands in for a URL that is known to be none; the engine answers with the error.
pub(crate) struct Refused(pub(crate) Error);

impl TryFrom<Refused> for Target {
    type Error = Error;

    fn try_from(refused: Refused) -> Result<Self, Error> {
        Err(refused.0)
    }
}

impl Template {
    pub(crate) fn new(ask: &Ask, head: bool) -> Result<Self, Failure> {
        let form = send::form(&ask.data)?;
        let default = match &form {
            _ if head => Method::HEAD,
            Some(_) => Method::POST,
            None => Method::GET,
        };
        Ok(Self {
            method: ask.method.clone().unwrap_or(default),
            headers: headers(ask, form.is_some())?,
            body: form.map_or_else(Upload::default, Upload::from),
        })
    }

    /// The request of one URL, be it text, parsed or [`Refused`].
    pub(crate) fn request<U>(&self, url: U) -> Request
    where
        U: TryInto<Target>,
        U::Error: Into<Error>,
    {
        let request = Request::new(self.method.clone(), url).headers(self.headers.clone());
        if self.body.is_empty() {
            request
        } else {
            request.body(self.body.clone())
        }
    }
}

/// The engine's limits and settings, as far as flags set them.
pub(crate) fn config(shared: &Shared) -> Result<Config, Failure> {
    let mut config = Config::default();
    if let Some(limit) = shared.max_time {
        allow(&mut config, limit);
    }
    if let Some(limit) = shared.max_size {
        // As it comes, and as it is handed out.
        (config.max_body, config.bodies.max_decoded) = (limit, limit);
    }
    if let Some(retries) = shared.retry {
        config.max_attempts = retries.saturating_add(1);
    }
    config.retry_statuses.clone_from(&shared.retry_status);
    config.bodies.decode = !shared.raw;
    shared.way.apply(&mut config)?;
    Ok(config)
}

/// Allows each fetch so much time. Who allows five minutes does not expect the end after thirty seconds
/// of silence.
pub(crate) fn allow(config: &mut Config, limit: Duration) {
    config.deadline = limit;
    for finer in [
        &mut config.acquire_timeout,
        &mut config.head_timeout,
        &mut config.body_timeout,
    ] {
        *finer = (*finer).max(limit);
    }
}

/// Defaults first, then what was asked for: naming a default header replaces it.
fn headers(ask: &Ask, has_body: bool) -> Result<HeaderMap, Failure> {
    let agent = HeaderValue::from_bytes(ask.user_agent.as_bytes())
        .map_err(|_| Failure::new(Exit::Usage, "a user agent has no control characters"))?;
    let mut defaults = vec![(ACCEPT, HeaderValue::from_static("*/*"))];
    if !agent.is_empty() {
        defaults.push((USER_AGENT, agent));
    }
    if has_body {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        defaults.push((CONTENT_TYPE, form));
    }
    let named = |name: &HeaderName| {
        ask.headers.iter().any(|flag| match flag {
            HeaderFlag::Send(named, _) | HeaderFlag::Remove(named) => named == name,
        })
    };
    let mut headers = HeaderMap::new();
    headers.extend(defaults.into_iter().filter(|(name, _)| !named(name)));
    for flag in &ask.headers {
        if let HeaderFlag::Send(name, value) = flag {
            headers.append(name, value.clone());
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use gannet::config::{PriorKnowledge, Trust};
    use gannet::error::Part;

    use super::*;
    use crate::args::{Cli, Command};

    fn shared(flags: &[&str]) -> Shared {
        let line = ["gannet", "get", "http://a/"].iter().chain(flags);
        let Command::Get(get) = Cli::try_parse_from(line).expect("flags").command else {
            panic!("not get");
        };
        get.shared
    }

    fn template(flags: &[&str]) -> Template {
        Template::new(&shared(flags).ask, false).expect("a template")
    }

    #[test]
    fn headers_have_defaults_that_can_be_replaced_and_removed() {
        let plain = template(&[]).headers;
        assert_eq!(plain.len(), 2);
        assert!(plain[USER_AGENT].as_bytes().starts_with(b"gannet/"));
        assert_eq!(template(&["-A", "me"]).headers[USER_AGENT], "me");
        assert!(!template(&["-A", ""]).headers.contains_key(USER_AGENT));
        let set = template(&["-H", "Accept: a", "-H", "accept: b", "-H", "user-agent:"]).headers;
        assert_eq!(set.get_all(ACCEPT).iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn data_is_posted_as_a_form_unless_told_otherwise() {
        let form = template(&["-d", "a=1", "-d", "b=2"]);
        assert_eq!(
            (form.method, form.body.as_bytes().map(|body| &body[..])),
            (Method::POST, Some(&b"a=1&b=2"[..]))
        );
        assert_eq!(
            form.headers[CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
        let json = template(&[
            "-d",
            "{}",
            "-X",
            "PATCH",
            "-H",
            "Content-Type: application/json",
        ]);
        assert_eq!(json.method.as_str(), "PATCH");
        assert_eq!(json.headers[CONTENT_TYPE], "application/json");
        let empty = template(&["-d", ""]);
        assert!(empty.method == Method::POST && empty.body.is_empty());
        let missing = send::form(&["@/nonexistent/gannet".to_owned()]).expect_err("is missing");
        assert_eq!(missing.exit, Exit::Input);
    }

    #[test]
    fn flags_set_the_limits_of_the_engine() {
        let flags = [
            "--retry",
            "4",
            "--retry-status",
            "429,503",
            "-m",
            "7",
            "--max-size",
            "1k",
            "--http2-prior-knowledge",
        ];
        let set = config(&shared(&flags)).expect("a config");
        assert_eq!((set.max_attempts, set.max_body), (5, 1024));
        assert_eq!(set.deadline.as_secs(), 7);
        assert_eq!(set.retry_statuses, [429, 503]);
        assert_eq!(set.prior_knowledge, PriorKnowledge::All);
        assert!(matches!(set.tls.trust, Trust::System));
        let any = config(&shared(&["-k"])).expect("a config");
        assert!(matches!(any.tls.trust, Trust::DangerAcceptAnyCertificate));
    }

    #[test]
    fn files_without_certificates_are_unreadable() {
        for path in ["/nonexistent/ca.pem", "/dev/null"] {
            let failure = config(&shared(&["--cacert", path])).expect_err("no certificate");
            assert_eq!(failure.exit, Exit::Input);
        }
    }

    #[test]
    fn a_refused_request_keeps_its_error() {
        let reason = "odd".into();
        let request = template(&[]).request(Refused(Error::BadRequest {
            part: Part::Url,
            reason,
        }));
        let error = request.check().map(|_| ()).expect_err("refused");
        assert_eq!(error.to_string(), "bad URL: odd");
    }
}
