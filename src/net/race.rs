//! Connecting to whichever address answers first (RFC 8305 §5).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use crate::clock::now;
use crate::policy::race::{HEAD_START, MOST_AT_ONCE};

/// One address that was tried.
#[derive(Debug)]
pub(crate) struct Try<E> {
    pub(crate) address: SocketAddr,
    pub(crate) began: Instant,
    /// When it was over, and why; `None`: it won, or was given up for one that did.
    pub(crate) failed: Option<(Instant, E)>,
}

/// Attempts under way, the oldest first.
struct Race<F, E> {
    running: VecDeque<(usize, Pin<Box<F>>)>,
    tries: Vec<Try<E>>,
}

/// Tries the addresses in order, the next one when the last has failed or had its head start.
/// Those that lose are dropped, and their sockets with them. `None`: all have failed. The caller
/// bounds the whole.
pub(crate) async fn first_of<C, F, T, E>(
    addresses: Vec<SocketAddr>,
    connect: C,
) -> (Option<(T, SocketAddr)>, Vec<Try<E>>)
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = Result<T, E>>,
{
    let mut race = Race {
        running: VecDeque::new(),
        tries: Vec::new(),
    };
    for address in addresses {
        race.start(address, connect(address));
        let mut head_start = Box::pin(tokio::time::sleep(HEAD_START));
        if let Some(won) = race.run(Some(&mut head_start)).await {
            return (Some(won), race.tries);
        }
    }
    let won = race.run(None).await;
    (won, race.tries)
}

impl<T, E, F: Future<Output = Result<T, E>>> Race<F, E> {
    fn start(&mut self, address: SocketAddr, attempt: F) {
        if self.running.len() >= MOST_AT_ONCE {
            self.running.pop_front();
        }
        self.running
            .push_back((self.tries.len(), Box::pin(attempt)));
        self.tries.push(Try {
            address,
            began: now(),
            failed: None,
        });
    }

    /// Until one has won, or it is time for another: because the latest has had its head start, or
    /// because one has failed.
    async fn run(
        &mut self,
        mut head_start: Option<&mut Pin<Box<Sleep>>>,
    ) -> Option<(T, SocketAddr)> {
        poll_fn(|cx| {
            let is_patient = head_start.is_none();
            let before = self.running.len();
            if let Some(won) = self.poll_all(cx) {
                return Poll::Ready(Some(won));
            }
            let has_failed = self.running.len() < before;
            if self.running.is_empty() || has_failed && !is_patient {
                return Poll::Ready(None);
            }
            match &mut head_start {
                Some(head_start) => head_start.as_mut().poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Option<(T, SocketAddr)> {
        let (mut place, tries) = (0, &mut self.tries);
        while let Some((number, attempt)) = self.running.get_mut(place) {
            let number = *number;
            match attempt.as_mut().poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(won)) => return Some((won, tries[number].address)),
                Poll::Ready(Err(error)) => {
                    tries[number].failed = Some((now(), error));
                    self.running.remove(place);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    /// What a fake address does.
    #[derive(Clone, Copy)]
    enum Fake {
        Answers(u64),
        Refuses(u64),
        Swallows,
    }
    use Fake::{Answers, Refuses, Swallows};

    fn address(number: usize) -> SocketAddr {
        ([127, 0, 0, 1], 1 + number as u16).into()
    }

    /// Milliseconds until the outcome, the winner's number, how many were tried, and how many were
    /// ever under way at once.
    async fn race(fakes: &[Fake]) -> (u64, Option<usize>, usize, usize) {
        let (open, most) = (Cell::new(0_usize), Cell::new(0));
        struct Open<'a>(&'a Cell<usize>);
        impl Drop for Open<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let began = tokio::time::Instant::now();
        let connect = |to: SocketAddr| {
            let (fake, open, most) = (fakes[usize::from(to.port()) - 1], &open, &most);
            async move {
                open.set(open.get() + 1);
                most.set(most.get().max(open.get()));
                let _open = Open(open);
                let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
                match fake {
                    Answers(ms) => pause(ms).await,
                    Refuses(ms) => {
                        pause(ms).await;
                        return Err(());
                    }
                    Swallows => std::future::pending().await,
                }
                Ok(())
            }
        };
        let addresses = (0..fakes.len()).map(address).collect();
        let (won, tries) = first_of(addresses, connect).await;
        let won = won.map(|((), to)| usize::from(to.port()) - 1);
        (
            began.elapsed().as_millis() as u64,
            won,
            tries.len(),
            most.get(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_answers_in_time_is_the_only_one_tried() {
        assert_eq!(
            race(&[Answers(200), Answers(1)]).await,
            (200, Some(0), 1, 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_costs_the_head_start_and_no_more() {
        let (took, won, tried, _) = race(&[Swallows, Answers(40)]).await;
        assert_eq!((took, won, tried), (290, Some(1), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_at_once() {
        let fakes = [Refuses(3), Refuses(3), Answers(4)];
        assert_eq!(race(&fakes).await, (10, Some(2), 3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_slower_one_may_still_win() {
        let (took, won, ..) = race(&[Answers(300), Answers(100)]).await;
        assert_eq!((took, won), (300, Some(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn ten_dead_addresses_are_passed_in_ten_head_starts_with_few_sockets() {
        let mut fakes = vec![Swallows; 10];
        fakes.push(Answers(20));
        assert_eq!(race(&fakes).await, (2_520, Some(10), 11, MOST_AT_ONCE));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_refuse_it_is_over() {
        assert_eq!(race(&[Refuses(5); 3]).await, (15, None, 3, 1));
        assert_eq!(race(&[]).await, (0, None, 0, 0));
    }
}
