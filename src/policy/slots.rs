//! How many streams a connection has room for.

/// The places on one connection, as its Pool counts them.
///
/// The h2 crate's handles are always ready, so the counting is ours (RFC 9113 §5.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slots {
    ceiling: usize,
    allowed: usize,
    used: usize,
    /// The one that is used has the connection to itself.
    is_exclusive: bool,
}

impl Slots {
    /// No slot in use; at most `ceiling`, whatever the server will say.
    pub(crate) fn new(ceiling: usize, allowed: usize) -> Self {
        Self {
            ceiling,
            allowed,
            used: 0,
            is_exclusive: false,
        }
    }

    /// The server now allows `allowed` streams; fewer than are open is legal (RFC 9113 §6.5.2).
    pub(crate) fn allow(&mut self, allowed: usize) {
        self.allowed = allowed;
    }

    /// This side now wants no more than `ceiling`.
    pub(crate) fn limit(&mut self, ceiling: usize) {
        self.ceiling = ceiling;
    }

    pub(crate) fn has_room(self) -> bool {
        !self.is_exclusive && self.used < self.allowed()
    }

    /// Whether one has taken all.
    pub(crate) fn is_exclusive(self) -> bool {
        self.is_exclusive
    }

    /// How many may be in use at once.
    pub(crate) fn allowed(self) -> usize {
        self.allowed.min(self.ceiling)
    }

    /// How many are in use.
    pub(crate) fn used(self) -> usize {
        self.used
    }

    /// Takes a slot, if one is free.
    pub(crate) fn take(&mut self) -> bool {
        let has_room = self.has_room();
        self.used += usize::from(has_room);
        has_room
    }

    /// Takes a slot and all the others with it, if none is in use.
    pub(crate) fn take_all(&mut self) -> bool {
        self.is_exclusive = self.is_idle() && self.take();
        self.is_exclusive
    }

    /// Gives slots back.
    pub(crate) fn free(&mut self, slots: usize) {
        debug_assert!(self.used >= slots, "a slot was freed twice");
        self.used = self.used.saturating_sub(slots);
        self.is_exclusive &= slots == 0;
    }

    pub(crate) fn is_idle(self) -> bool {
        self.used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_limit_below_what_is_open_lets_it_finish_first() {
        let mut slots = Slots::new(100, 3);
        assert!(slots.take() && slots.take() && slots.take() && !slots.take());
        slots.allow(1);
        slots.free(1);
        slots.free(1);
        assert!(!slots.take(), "one is open, one is allowed");
        slots.free(1);
        assert!(slots.is_idle() && slots.take());
    }

    #[test]
    fn who_must_be_alone_waits_for_the_others_and_keeps_them_out() {
        let mut slots = Slots::new(100, 3);
        assert!(slots.take());
        slots.free(1);
        assert!(slots.take_all() && slots.is_exclusive());
        assert!(!slots.has_room() && !slots.take());
        slots.free(1);
        assert!(slots.take() && slots.has_room());
    }

    #[test]
    fn the_lower_of_both_limits_counts() {
        let mut slots = Slots::new(100, 3);
        assert_eq!(slots.allowed(), 3);
        slots.limit(1);
        assert!(slots.take() && !slots.take());
        assert_eq!((slots.allowed(), slots.used()), (1, 1));
    }

    proptest! {
        #[test]
        fn never_more_than_allowed_are_taken(ops in prop::collection::vec((0u8..3, 0usize..6), 0..200)) {
            let (mut slots, mut open, mut allowed) = (Slots::new(4, 2), 0usize, 2usize);
            for (op, n) in ops {
                match op {
                    0 => {
                        let expected = open < allowed.min(4);
                        prop_assert_eq!(slots.take(), expected);
                        open += usize::from(expected);
                    }
                    1 if open > 0 => { slots.free(1); open -= 1; }
                    1 => {}
                    _ => { slots.allow(n); allowed = n; }
                }
                prop_assert_eq!(slots.is_idle(), open == 0);
            }
        }
    }
}
