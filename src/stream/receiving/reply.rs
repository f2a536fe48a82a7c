//! What has come of a response.

use http::HeaderMap;

use crate::policy::limit::Allowance;
use crate::response::{Receipt, Response};
use crate::session::Head;
use crate::stream::decoding::Decoding;
use crate::stream::sink::Sink;

/// The head of a response, and where the rest goes.
pub(super) struct Reply {
    pub(super) head: Head,
    /// Whether nobody need judge it first.
    pub(super) is_final: bool,
    pub(super) may_have_body: bool,
    /// The length of the body, where the server has told it.
    pub(super) announced: Option<u64>,
    pub(super) allowance: Allowance,
    /// In a box, for most have none.
    pub(super) decoding: Option<Box<Decoding>>,
    pub(super) sink: Sink,
    /// The body has come to its end; trailers may follow.
    pub(super) is_read: bool,
}

impl Reply {
    /// A whole response, of what has been gathered.
    pub(super) fn into_response(
        self,
        trailers: Option<HeaderMap>,
        partial: bool,
        receipt: Receipt,
    ) -> Box<Response> {
        Box::new(Response {
            status: self.head.status,
            headers: self.head.headers,
            body: self.sink.into_gathered(),
            raw_body: self.decoding.and_then(|decoding| decoding.into_raw()),
            trailers,
            protocol: self.head.protocol,
            partial,
            raw_head: self.head.raw,
            receipt,
        })
    }
}
