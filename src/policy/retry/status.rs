//! Whether a response is worth another attempt.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use crate::policy::retry::{Bounds, PAUSE, Tries, Verdict, pause};

/// Judges a fetch whose latest attempt, counted in `tries`, was answered with `status`: 421, or one
/// that the caller wants to be retried.
///
/// 421 says that another connection may do better, whatever the method (RFC 9110 §15.5.20); that is
/// tried once. Others are repeated for idempotent methods, after as long as the server asks
/// (`Retry-After`, RFC 9110 §10.2.3).
pub(crate) fn judge_status(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    tries: Tries,
    bounds: Bounds,
) -> Verdict {
    let is_misdirected = status == StatusCode::MISDIRECTED_REQUEST;
    let again = match is_misdirected {
        true => tries.misdirected <= 1,
        false => method.is_idempotent() && tries.failed < bounds.max_attempts,
    };
    if !again || bounds.max_attempts <= 1 || !bounds.is_whole {
        return Verdict::GiveUp;
    }
    let after = match is_misdirected {
        true => Duration::ZERO,
        false => retry_after(headers)
            .unwrap_or_default()
            .saturating_add(pause(PAUSE, tries, bounds.jitter)),
    };
    Verdict::Again {
        after,
        is_charged: !is_misdirected,
        elsewhere: is_misdirected,
    }
}

/// How long a server wants to be left alone. A date is read against the server's own, so that no
/// clock need agree with another.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let value: &str = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let date = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    until.duration_since(date).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_attempts: 3,
        max_refusals: 5,
        is_whole: true,
        accepts_http1: false,
        jitter: 1.0,
    };

    fn again(after: Duration) -> Verdict {
        Verdict::Again {
            after,
            is_charged: true,
            elsewhere: false,
        }
    }

    fn judged_status(method: &Method, status: StatusCode, headers: &[(&str, &str)]) -> Verdict {
        let mut tries = Tries::default();
        tries.count_status(status);
        let headers = headers.iter().map(|(name, value)| {
            let name = name.parse::<header::HeaderName>().expect("a name");
            (name, value.parse().expect("a value"))
        });
        judge_status(method, status, &headers.collect(), tries, BOUNDS)
    }

    #[test]
    fn a_misdirected_request_goes_elsewhere_once_whatever_the_method() {
        let (status, headers) = (StatusCode::MISDIRECTED_REQUEST, HeaderMap::new());
        let elsewhere = Verdict::Again {
            after: Duration::ZERO,
            is_charged: false,
            elsewhere: true,
        };
        assert_eq!(judged_status(&Method::POST, status, &[]), elsewhere);
        let twice = Tries {
            misdirected: 2,
            ..Tries::default()
        };
        let verdict = judge_status(&Method::GET, status, &headers, twice, BOUNDS);
        assert_eq!(verdict, Verdict::GiveUp);
    }

    #[test]
    fn a_status_is_retried_after_as_long_as_the_server_asks() {
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let judged = |headers: &[_]| judged_status(&Method::GET, busy, headers);
        let seconds = |n| again(Duration::from_secs(n) + PAUSE);
        assert_eq!(judged(&[]), seconds(0));
        assert_eq!(judged(&[("retry-after", "7")]), seconds(7));
        let (date, later) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:50:07 GMT",
        );
        assert_eq!(
            judged(&[("date", date), ("retry-after", later)]),
            seconds(30)
        );
        assert_eq!(
            judged(&[("date", later), ("retry-after", date)]),
            seconds(0)
        );
        assert_eq!(judged(&[("retry-after", later)]), seconds(0));
        assert_eq!(judged(&[("retry-after", "soon")]), seconds(0));
        assert_eq!(judged_status(&Method::POST, busy, &[]), Verdict::GiveUp);
    }
}
