//! Who waits, in order of coming.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A waiting line; the same name waits once. Every step is O(log n).
#[derive(Debug)]
pub(super) struct Line<W> {
    last_ticket: u64,
    waiting: BTreeMap<u64, W>,
    tickets: HashMap<W, u64>,
}

impl<W: Clone + Eq + Hash> Line<W> {
    pub(super) fn new() -> Self {
        Self {
            last_ticket: 0,
            waiting: BTreeMap::new(),
            tickets: HashMap::new(),
        }
    }

    /// Goes to the end, unless it waits already.
    pub(super) fn join(&mut self, who: W) {
        if !self.tickets.contains_key(&who) {
            self.last_ticket += 1;
            self.tickets.insert(who.clone(), self.last_ticket);
            self.waiting.insert(self.last_ticket, who);
        }
    }

    pub(super) fn leave(&mut self, who: &W) {
        if let Some(ticket) = self.tickets.remove(who) {
            self.waiting.remove(&ticket);
        }
    }

    /// All that `is_gone` picks leave.
    pub(super) fn leave_all(&mut self, is_gone: impl Fn(&W) -> bool) {
        self.waiting.retain(|_, who| !is_gone(who));
        self.tickets.retain(|who, _| !is_gone(who));
    }

    /// Takes out the head.
    pub(super) fn next(&mut self) -> Option<W> {
        let (_, who) = self.waiting.pop_first()?;
        self.tickets.remove(&who);
        Some(who)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
