//! What a stream does from its start to its end: one fetch after the other.

use std::pin::Pin;
use std::task::{Context as Turn, Poll};

use actix::Context;
use actix::fut::ActorFuture;
use tokio::time::Sleep;

use crate::stream::ended::Ended;
use crate::stream::receiving::Receiving;
use crate::stream::{Stream, Work};

/// Rings when something may have taken too long; passed on from fetch to fetch, for to set one up
/// costs more than to let it ring for nothing once in a while.
pub(super) type Alarm = Option<Pin<Box<Sleep>>>;

/// A fetch under way.
type Running = Pin<Box<dyn Future<Output = (Ended, Alarm)>>>;

/// Polled inside the stream's actor, for as long as that lives.
#[derive(Default)]
pub(super) struct Shift {
    running: Option<Running>,
    alarm: Alarm,
}

impl Shift {
    fn begin(&mut self, mut work: Work) -> Result<Running, Box<Ended>> {
        match work.send() {
            Ok(exchange) => {
                // What is awaited is moved several times before it is at its place: a box is small.
                let receiving = Receiving::new(work, exchange, self.alarm.take());
                Ok(Box::pin(Box::new(receiving).run()))
            }
            Err(error) => Err(Box::new(Ended::Answered {
                attempt: work.attempt,
                outcome: Err(error),
                is_final: true,
            })),
        }
    }
}

impl ActorFuture<Stream> for Shift {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        stream: &mut Stream,
        ctx: &mut Context<Stream>,
        cx: &mut Turn<'_>,
    ) -> Poll<()> {
        loop {
            if let Some(running) = &mut self.running {
                let Poll::Ready((ended, alarm)) = running.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                (self.running, self.alarm) = (None, alarm);
                stream.end(ended, ctx);
            }
            let Some((number, work)) = stream.desk.take() else {
                if !ctx.connected() {
                    // Nobody is left to put anything on the desk.
                    return Poll::Ready(());
                }
                stream.desk.heed(cx.waker());
                return Poll::Pending;
            };
            stream.number = Some(number);
            match self.begin(work) {
                Ok(running) => self.running = Some(running),
                Err(ended) => stream.end(*ended, ctx),
            }
        }
    }
}
