//! The load itself: requests into the engine, answers out of it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, stream};
use gannet::{Engine, Failure, Request, Response};

use crate::bench::pace::Pacer;
use crate::exit;

/// Under way at once at most where the rate is given: beyond, starts are late, and their latency says
/// so.
pub(crate) const MOST: usize = 100_000;
/// Answers between two looks whether the time is up.
const LOOK: u32 = 16;

/// How a load goes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Asked for in turn. Not empty.
    pub(crate) requests: Vec<Request>,
    pub(crate) count: Option<usize>,
    /// Under way at once, unless the rate is given.
    pub(crate) in_flight: usize,
    /// Starts a second.
    pub(crate) rate: Option<f64>,
    /// At once on a connection.
    pub(crate) streams: usize,
}

/// An answer, and how long it was waited for.
pub(crate) type Answer = (Result<Response, Failure>, Duration);

/// How a load ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// All requests were answered.
    Complete,
    /// It was told to end, with so many under way, which are given up.
    Cut(u64),
}

impl Plan {
    /// The request of this number.
    fn request(&self, number: usize) -> Request {
        self.requests[number % self.requests.len()].clone()
    }

    /// Sends the load, until it is through or `end` is ready. Each answer goes to `take`.
    pub(crate) async fn run(
        &self,
        engine: &Engine,
        end: impl Future<Output = ()>,
        take: impl FnMut(Answer),
    ) -> Result<End, exit::Failure> {
        Ok(match self.rate {
            None => self.closed(engine, end, take).await,
            Some(rate) => self.open(engine, &Pacer::start(rate)?, end, take).await,
        })
    }

    /// As many under way at once as are allowed: whoever is answered asks again.
    async fn closed(
        &self,
        engine: &Engine,
        end: impl Future<Output = ()>,
        take: impl FnMut(Answer),
    ) -> End {
        let count = self.count.unwrap_or(usize::MAX);
        let begun = std::cell::Cell::new(0);
        let requests = stream::iter(0..count).map(|number| {
            begun.set(begun.get() + 1);
            ((), self.request(number))
        });
        let answers = engine.fetch_all(requests, self.in_flight);
        let answers = answers.map(|((), answer)| {
            let done = match &answer {
                Ok(response) => response.receipt.done,
                Err(failure) => failure.receipt.done,
            };
            (answer, done)
        });
        let (mut answered, mut take) = (0_u64, take);
        let is_through = until(answers, end, |answer| {
            answered += 1;
            take(answer);
        })
        .await;
        match is_through {
            true => End::Complete,
            false => End::Cut(begun.get() - answered),
        }
    }

    /// Starts by the clock, whatever is answered.
    async fn open(
        &self,
        engine: &Engine,
        pacer: &Pacer,
        end: impl Future<Output = ()>,
        mut take: impl FnMut(Answer),
    ) -> End {
        let (mut end, mut running) = (pin!(end), FuturesUnordered::new());
        let (mut begun, count) = (0, self.count.unwrap_or(usize::MAX));
        loop {
            while begun < count && running.len() < MOST && pacer.due(begun) <= pacer.elapsed() {
                let (asked, fetch) = (pacer.due(begun), engine.fetch(self.request(begun)));
                running.push(fetch.map(move |answer| (answer, asked)));
                begun += 1;
            }
            if begun == count && running.is_empty() {
                return End::Complete;
            }
            let waits = begun < count && running.len() < MOST;
            let mut tick = pin!(pacer.tick());
            let step = poll_fn(|cx| {
                if end.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Step::End);
                }
                match running.poll_next_unpin(cx) {
                    Poll::Ready(Some(answer)) => return Poll::Ready(Step::Answer(answer)),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                match waits {
                    true => tick.as_mut().poll(cx).map(|()| Step::Start),
                    false => Poll::Pending,
                }
            });
            match step.await {
                Step::End => return End::Cut(running.len() as u64),
                Step::Start => {}
                Step::Answer((answer, asked)) => {
                    take((answer, pacer.elapsed().saturating_sub(asked)));
                }
            }
        }
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
enum Step {
    End,
    Start,
    Answer((Result<Response, Failure>, Duration)),
}

/// Hands on what comes, until there is no more, or `end` is ready: then it is `false`.
async fn until<S: Stream + Unpin>(
    mut answers: S,
    end: impl Future<Output = ()>,
    mut take: impl FnMut(S::Item),
) -> bool {
    let (mut end, mut looks): (Pin<&mut _>, _) = (pin!(end), 0_u32);
    poll_fn(|cx| {
        loop {
            // Not at every answer: to look costs, and is part of what is measured.
            if looks.is_multiple_of(LOOK) && end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            match answers.poll_next_unpin(cx) {
                Poll::Ready(Some(answer)) => take(answer),
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Pending => {
                    return end.as_mut().poll(cx).map(|()| false);
                }
            }
            looks = looks.wrapping_add(1);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_handed_on_until_the_end() {
        let mut sum = 0;
        let numbers = stream::iter(1..=100);
        assert!(until(numbers, std::future::pending(), |n| sum += n).await);
        assert_eq!(sum, 5_050);
        let endless = stream::iter(0..).take_while(|_| std::future::ready(true));
        let mut looks = 0;
        let end = poll_fn(|cx| {
            looks += 1;
            cx.waker().wake_by_ref();
            if looks > 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        assert!(!until(endless, end, |_: i32| ()).await);
    }
}
