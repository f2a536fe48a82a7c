//! What a stream does from its start to its end: one fetch after the other.

use std::pin::Pin;
use std::task::{Context as Turn, Poll};

use actix::Context;
use actix::fut::ActorFuture;
use tokio::time::Sleep;

use crate::stream::Stream;
use crate::stream::ended::Ended;
use crate::stream::receiving::Receiving;

/// Rings when something may have taken too long; passed on from fetch to fetch, for to set one up
/// costs more than to let it ring for nothing once in a while.
pub(super) type Alarm = Option<Pin<Box<Sleep>>>;

/// Polled inside the stream's actor, for as long as that lives.
#[derive(Default)]
pub(super) struct Shift {
    /// The fetch under way. It lies here, where the next one will lie: memory for each would cost more
    /// than to fill this.
    running: Option<Receiving>,
    alarm: Alarm,
}

impl Shift {
    /// The fetch under way; what it leaves is ready for the next.
    fn poll_running(&mut self, cx: &mut Turn<'_>) -> Poll<Option<Ended>> {
        let Some(running) = &mut self.running else {
            return Poll::Ready(None);
        };
        let Poll::Ready(ended) = running.poll(cx) else {
            return Poll::Pending;
        };
        self.alarm = running.take_alarm();
        // The exchange with it, before anybody is told that the slot is free.
        self.running = None;
        Poll::Ready(Some(ended))
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
            match self.poll_running(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {}
                Poll::Ready(Some(ended)) => stream.end(ended, ctx),
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
            self.running = Some(Receiving::new(work, self.alarm.take()));
        }
    }
}
