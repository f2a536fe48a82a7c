//! The session's driver, polled inside its actor.

use std::pin::Pin;
use std::task::{Context as Turn, Poll};

use actix::Context;
use actix::fut::ActorFuture;

use crate::connection::{Connection, State};
use crate::message::Permit;
use crate::session::{Driver, Step};

/// Moves the bytes of a connection. Owns the permit, and drops it after the socket.
pub(super) struct Driving {
    // In this order: fields are dropped as they stand.
    driver: Driver,
    _permit: Option<Permit>,
}

impl Driving {
    pub(super) fn new(driver: Driver, permit: Option<Permit>) -> Self {
        Self {
            driver,
            _permit: permit,
        }
    }
}

impl ActorFuture<Connection> for Driving {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        connection: &mut Connection,
        ctx: &mut Context<Connection>,
        cx: &mut Turn<'_>,
    ) -> Poll<()> {
        loop {
            if matches!(connection.state, State::Draining) {
                self.driver.close();
            }
            let polled = self.driver.poll(cx);
            connection.on_turn(ctx);
            let is_told = connection.fit_windows(&mut self.driver);
            let Poll::Ready(step) = polled else {
                if is_told {
                    continue;
                }
                return Poll::Pending;
            };
            let is_over = matches!(step, Step::Ended);
            connection.on_step(step, ctx);
            if is_over {
                return Poll::Ready(());
            }
        }
    }
}
