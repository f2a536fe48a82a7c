//! Names for what an error is about.

use std::fmt;

/// A part of a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// The URL as a whole: relative, or not parseable.
    Url,
    /// The scheme: only `http` and `https` are fetched.
    Scheme,
    /// `user:password@`: never sent (RFC 9110 §4.2.4), so refused rather than dropped in silence.
    UserInfo,
    /// The host: empty, over-long, or not a name.
    Host,
    /// The port.
    Port,
    /// Path and query.
    Path,
    /// The method.
    Method,
    /// A header's name.
    HeaderName,
    /// A header's value.
    HeaderValue,
    /// The protocols asked for.
    Protocol,
    /// The proxy.
    Proxy,
}

/// What a fetch is waiting for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// A place on a connection.
    Queue,
    /// A connection being opened.
    Connect,
    /// The head of the response.
    Head,
    /// The next piece of the body, or the trailers.
    Body,
    /// As much of the body as the least rate asks for.
    Rate,
    /// The server, to take more of the request's body.
    Upload,
    /// The consumer of the body, to take what has come.
    Consumer,
}

/// What shows that a connection is dead though nothing says so.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ailment {
    /// A PING was not answered, and nothing else came either.
    NoAnswer,
    /// Nothing that was to be sent could be written.
    WriteStalled,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "URL",
            Self::Scheme => "scheme",
            Self::UserInfo => "userinfo",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Method => "method",
            Self::HeaderName => "header name",
            Self::HeaderValue => "header value",
            Self::Protocol => "protocol",
            Self::Proxy => "proxy",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "a free stream",
            Self::Connect => "a connection",
            Self::Head => "response head",
            Self::Body => "further body",
            Self::Rate => "body at the least rate",
            Self::Upload => "room for the request's body",
            Self::Consumer => "reader of the body",
        })
    }
}

/// As it reads before the time that passed.
impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "no frame within",
            Self::WriteStalled => "nothing could be written for",
        })
    }
}
