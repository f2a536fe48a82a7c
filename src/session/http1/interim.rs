//! Interim responses (1xx), which hyper tells of from within its driver.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use http::{HeaderMap, Request, StatusCode};

/// Those in answer to one request, to be told on. There are never more than the tap lets pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Interims(Option<Arc<Mutex<Told>>>);

#[derive(Debug, Default)]
struct Told {
    interims: VecDeque<(StatusCode, HeaderMap)>,
    waker: Option<Waker>,
}

impl Interims {
    /// Those in answer to `request`.
    pub(super) fn of<B>(request: &mut Request<B>) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let callee = Arc::clone(&told);
        hyper::ext::on_informational(request, move |interim| {
            let mut told = lock(&callee);
            let interim = (interim.status(), interim.headers().clone());
            told.interims.push_back(interim);
            if let Some(waker) = told.waker.take() {
                waker.wake();
            }
        });
        Self(Some(told))
    }

    /// The next one; if there is none, `cx` is woken for it.
    pub(super) fn next(&self, cx: &mut Context<'_>) -> Option<(StatusCode, HeaderMap)> {
        let mut told = lock(self.0.as_ref()?);
        let next = told.interims.pop_front();
        if next.is_none() {
            told.waker = Some(cx.waker().clone());
        }
        next
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    // Nothing panics while it is held.
    told.lock().unwrap_or_else(PoisonError::into_inner)
}
