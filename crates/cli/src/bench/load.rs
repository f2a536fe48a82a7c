//! The load itself: requests into the engine, answers out of it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, future, stream};
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

/// What was left when it was told to end, each with how long it had been waited for. Nothing, if all
/// requests were answered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Left {
    /// Given up.
    pub(crate) under_way: Vec<Duration>,
    /// Due by the clock, for which there was no room.
    pub(crate) never_begun: Vec<Duration>,
}

impl Left {
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.under_way
            .iter()
            .chain(&self.never_begun)
            .max()
            .copied()
    }
}

/// Since when those under way have been waited for.
#[derive(Debug, Default)]
struct UnderWay {
    since: Vec<Option<Duration>>,
    free: Vec<usize>,
}

impl UnderWay {
    fn enter(&mut self, since: Duration) -> usize {
        let place = self.free.pop().unwrap_or(self.since.len());
        match self.since.get_mut(place) {
            Some(free) => *free = Some(since),
            None => self.since.push(Some(since)),
        }
        place
    }

    fn leave(&mut self, place: usize) {
        self.since[place] = None;
        self.free.push(place);
    }

    fn ages(&self, now: Duration) -> Vec<Duration> {
        let since = self.since.iter().flatten();
        since.map(|since| now.saturating_sub(*since)).collect()
    }
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
    ) -> Result<Left, exit::Failure> {
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
    ) -> Left {
        let count = self.count.unwrap_or(usize::MAX);
        let (started, under_way) = (Instant::now(), RefCell::new(UnderWay::default()));
        let requests = stream::iter(0..count).map(|number| {
            let place = under_way.borrow_mut().enter(started.elapsed());
            (place, self.request(number))
        });
        let answers = engine.fetch_all(requests, self.in_flight);
        let answers = answers.map(|(place, answer)| {
            under_way.borrow_mut().leave(place);
            let done = match &answer {
                Ok(response) => response.receipt.done,
                Err(failure) => failure.receipt.done,
            };
            (answer, done)
        });
        until(answers, end, take).await;
        let under_way = under_way.borrow().ages(started.elapsed());
        Left {
            under_way,
            never_begun: Vec::new(),
        }
    }

    /// Goes on for `time` without counting. What is under way then may end, as that would cost
    /// HTTP/1.1 its connections; but not for longer than as much again.
    pub(crate) async fn warm_up(
        &self,
        engine: &Engine,
        time: Duration,
        interrupted: impl Future<Output = ()>,
    ) -> Result<(), exit::Failure> {
        let pacer = self.rate.map(Pacer::start).transpose()?;
        let requests = stream::iter(0..).then(async |number| {
            if let Some(pacer) = &pacer {
                while pacer.due(number) > pacer.elapsed() {
                    pacer.tick().await;
                }
            }
            ((), self.request(number))
        });
        let requests = requests.take_until(Box::pin(tokio::time::sleep(time)));
        let in_flight = self.rate.map_or(self.in_flight, |_| MOST);
        let last = Box::pin(tokio::time::sleep(time.saturating_mul(2)));
        let end = future::select(Box::pin(interrupted), last).map(drop);
        until(engine.fetch_all(requests, in_flight), end, drop).await;
        Ok(())
    }

    /// Starts by the clock, whatever is answered.
    async fn open(
        &self,
        engine: &Engine,
        pacer: &Pacer,
        end: impl Future<Output = ()>,
        mut take: impl FnMut(Answer),
    ) -> Left {
        let (mut end, mut running) = (pin!(end), FuturesUnordered::new());
        let (mut begun, count) = (0, self.count.unwrap_or(usize::MAX));
        let mut under_way = UnderWay::default();
        loop {
            while begun < count && running.len() < MOST && pacer.due(begun) <= pacer.elapsed() {
                let (asked, fetch) = (pacer.due(begun), engine.fetch(self.request(begun)));
                let place = under_way.enter(asked);
                running.push(fetch.map(move |answer| (answer, asked, place)));
                begun += 1;
            }
            if begun == count && running.is_empty() {
                return Left::default();
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
                Step::End => {
                    let now = pacer.elapsed();
                    // With room they would have begun in the next moment.
                    let last = if running.len() < MOST { begun } else { count };
                    let due = (begun..last).map(|number| pacer.due(number));
                    let due = due.take_while(|due| *due <= now);
                    return Left {
                        under_way: under_way.ages(now),
                        never_begun: due.map(|due| now.saturating_sub(due)).collect(),
                    };
                }
                Step::Start => {}
                Step::Answer((answer, asked, place)) => {
                    under_way.leave(place);
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
    Answer((Result<Response, Failure>, Duration, usize)),
}

/// Hands on what comes, until there is no more, or `end` is ready.
async fn until<S: Stream + Unpin>(
    mut answers: S,
    end: impl Future<Output = ()>,
    mut take: impl FnMut(S::Item),
) {
    let (mut end, mut looks): (Pin<&mut _>, _) = (pin!(end), 0_u32);
    poll_fn(|cx| {
        loop {
            // Not at every answer: to look costs, and is part of what is measured.
            if looks.is_multiple_of(LOOK) && end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match answers.poll_next_unpin(cx) {
                Poll::Ready(Some(answer)) => take(answer),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return end.as_mut().poll(cx),
            }
            looks = looks.wrapping_add(1);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_has_an_age_until_it_ends() {
        let ms = Duration::from_millis;
        let mut under_way = UnderWay::default();
        let (first, second) = (under_way.enter(ms(1)), under_way.enter(ms(2)));
        under_way.leave(first);
        assert_eq!(under_way.enter(ms(5)), first, "places are used again");
        assert_eq!(under_way.ages(ms(10)), [ms(5), ms(8)]);
        under_way.leave(second);
        let left = Left {
            under_way: under_way.ages(ms(10)),
            never_begun: vec![ms(7)],
        };
        assert_eq!(left.oldest(), Some(ms(7)));
    }

    #[tokio::test]
    async fn what_comes_is_handed_on_until_the_end() {
        let mut sum = 0;
        let numbers = stream::iter(1..=100);
        until(numbers, std::future::pending(), |n| sum += n).await;
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
        until(endless, end, |_: i32| ()).await;
        assert_eq!(looks, 4);
    }
}
