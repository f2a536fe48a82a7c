//! What holds for one fetch: what its request sets, and the engine's for the rest.

use std::time::Duration;

use crate::config::Config;
use crate::message::attempt::Attempt;
use crate::policy::limit::Allowance;
use crate::request::{MinRate, OnDataLoss, OnTooLarge};

/// What holds for one fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) upload_timeout: Duration,
    pub(super) unread_timeout: Duration,
    pub(super) min_rate: Option<MinRate>,
    pub(super) on_data_loss: OnDataLoss,
    pub(super) on_too_large: OnTooLarge,
    /// How long the word to send the body is waited for.
    pub(super) patience: Duration,
    /// Whether the deadline is one for the body as well, even if that is read piece by piece.
    pub(super) has_deadline: bool,
}

impl Limits {
    pub(super) fn of(attempt: &Attempt, config: &Config) -> Self {
        let own = attempt.request().overrides();
        Self {
            head_timeout: own.head_timeout.unwrap_or(config.head_timeout),
            body_timeout: own.body_timeout.unwrap_or(config.body_timeout),
            upload_timeout: own.upload_timeout.unwrap_or(config.bodies.upload_timeout),
            unread_timeout: config.bodies.unread_timeout,
            min_rate: own.min_rate.or(config.bodies.min_rate),
            on_too_large: own.on_too_large.unwrap_or(config.bodies.on_too_large),
            on_data_loss: own.on_data_loss.unwrap_or(config.bodies.on_data_loss),
            patience: own.expects_continue.unwrap_or_default(),
            has_deadline: own.deadline.is_some(),
        }
    }
}

/// How much body a fetch may bring. One that is read piece by piece may bring any amount, unless its
/// request says otherwise.
pub(super) fn allowance(attempt: &Attempt, config: &Config, is_piped: bool) -> Allowance {
    let own = attempt.request().overrides();
    let default = if is_piped { u64::MAX } else { config.max_body };
    Allowance::new(
        own.max_body.unwrap_or(default),
        own.on_too_large.unwrap_or(config.bodies.on_too_large),
        config.bodies.warn_at,
    )
}
