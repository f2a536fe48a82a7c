//! The way home of what an Agent has sent out.

use std::cell::Cell;
use std::sync::{Arc, Weak};

use actix::{AsyncContext, Context, Recipient};

use crate::agent::Agent;
use crate::message::Failed;

/// One address for all attempts that are out, for making one costs more than a message. Gone with the
/// last of them: an Agent that nobody can reach is to end.
#[derive(Default)]
pub(crate) struct Home(Cell<Weak<Recipient<Failed>>>);

impl Home {
    pub(super) fn of(&self, ctx: &Context<Agent>) -> Arc<Recipient<Failed>> {
        let known = self.0.take().upgrade();
        let home = known.unwrap_or_else(|| Arc::new(ctx.address().recipient()));
        self.0.set(Arc::downgrade(&home));
        home
    }
}

/// Each Agent has its own.
impl Clone for Home {
    fn clone(&self) -> Self {
        Self::default()
    }
}
