//! The session's driver, polled inside its actor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Turn, Poll, Wake, Waker};

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
    bell: Option<(Arc<Bell>, Waker)>,
    /// Whether the driver has been told to let go of the session.
    is_closing: bool,
    /// Whether its Pool has had a turn since the session was opened.
    has_begun: bool,
}

/// Wakes the actor, and tells that it is for the driver: an actor is woken for each message as well, and
/// to poll a session for nothing costs as much as to read a response.
struct Bell {
    has_rung: AtomicBool,
    actor: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the actor looks.
        self.has_rung.store(true, Ordering::Release);
        self.actor.wake_by_ref();
    }
}

impl Driving {
    pub(super) fn new(driver: Driver, permit: Option<Permit>) -> Self {
        Self {
            driver,
            _permit: permit,
            bell: None,
            is_closing: false,
            has_begun: false,
        }
    }

    /// The waker to poll the driver with, if that may be of use.
    fn waker(&mut self, actor: &Waker, connection: &Connection) -> Option<Waker> {
        let is_told = connection.has_unread_changed()
            || !self.is_closing && matches!(connection.state, State::Draining);
        if let Some((bell, waker)) = &self.bell
            && bell.actor.will_wake(actor)
        {
            let has_rung = bell.has_rung.swap(false, Ordering::AcqRel);
            return (has_rung || is_told).then(|| waker.clone());
        }
        let bell = Arc::new(Bell {
            has_rung: AtomicBool::new(false),
            actor: actor.clone(),
        });
        let waker = Waker::from(Arc::clone(&bell));
        self.bell = Some((bell, waker.clone()));
        Some(waker)
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
        if !self.has_begun {
            // The Pool has just been told, and sends the fetch that this was opened for: its head leaves
            // together with this side's settings, rather than a record and a system call behind them.
            self.has_begun = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(waker) = self.waker(cx.waker(), connection) else {
            return Poll::Pending;
        };
        let mut cx = Turn::from_waker(&waker);
        loop {
            if matches!(connection.state, State::Draining) {
                self.driver.close();
                self.is_closing = true;
            }
            let polled = self.driver.poll(&mut cx);
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
