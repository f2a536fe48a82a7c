//! What one request may set apart from the engine's `Config`.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::request::priority::Priority;

/// Whether redirects are followed, and how far (RFC 9110 §15.4).
///
/// `Authorization`, `Cookie`, `Proxy-Authorization` and `Host` go along only while scheme, host and
/// port stay the same. A body goes along where the status keeps it (307, 308), unless it was a
/// stream and is used up: then the redirect itself is handed out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Redirects {
    /// Redirects of one fetch, at most; 0: the response is handed out as it is.
    pub limit: usize,
    /// Whether one may lead from `https` to `http`.
    pub allow_downgrade: bool,
}

impl Redirects {
    /// None is followed: for callers that follow themselves.
    pub const NONE: Self = Self::at_most(0);

    /// So many are followed, none from `https` to `http`.
    #[must_use]
    pub const fn at_most(limit: usize) -> Self {
        Self {
            limit,
            allow_downgrade: false,
        }
    }
}

/// What becomes of a body that is larger than allowed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnTooLarge {
    /// The fetch fails with [`Error::TooLarge`](crate::Error::TooLarge); at the head already, if the
    /// length is announced.
    #[default]
    Fail,
    /// What is allowed of it is handed out, as [`Cut::TooLarge`](crate::response::Cut::TooLarge).
    Truncate,
}

/// What becomes of a body that ends before it is complete.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnDataLoss {
    /// The fetch fails with [`Error::Truncated`](crate::Error::Truncated), or with what broke it.
    #[default]
    Fail,
    /// What has come is handed out, as [`Cut::DataLoss`](crate::response::Cut::DataLoss).
    Keep,
}

/// The least that a server must send of a body while it is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MinRate {
    /// Bytes within each stretch of [`over`](Self::over), body bytes as received.
    pub bytes: u64,
    /// The length of a stretch. The time in which the consumer of a body has not made room for more
    /// is left out.
    pub over: Duration,
}

/// What one request sets apart from the engine's `Config`; `None` keeps the engine's value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Overrides {
    pub(crate) deadline: Option<Duration>,
    pub(crate) head_timeout: Option<Duration>,
    pub(crate) body_timeout: Option<Duration>,
    pub(crate) upload_timeout: Option<Duration>,
    pub(crate) max_body: Option<u64>,
    pub(crate) on_too_large: Option<OnTooLarge>,
    pub(crate) on_data_loss: Option<OnDataLoss>,
    pub(crate) min_rate: Option<MinRate>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) redirects: Option<Redirects>,
    pub(crate) expects_continue: Option<Duration>,
    pub(crate) decodes: Option<bool>,
    pub(crate) priority: Option<Priority>,
}

/// Those of a request, most of which set none.
#[derive(Clone, Default)]
pub(super) struct Own(Option<Box<Overrides>>);

impl Deref for Own {
    type Target = Overrides;

    fn deref(&self) -> &Overrides {
        static NONE: Overrides = Overrides {
            deadline: None,
            head_timeout: None,
            body_timeout: None,
            upload_timeout: None,
            max_body: None,
            on_too_large: None,
            on_data_loss: None,
            min_rate: None,
            max_attempts: None,
            redirects: None,
            expects_continue: None,
            decodes: None,
            priority: None,
        };
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut Overrides {
        self.0.get_or_insert_default()
    }
}
