//! Whether a fetch goes out now, waits, or is turned away.

/// What the Pool knows of an origin when a fetch for it arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// A connection is open and has a free slot.
    pub(crate) has_room: bool,
    /// Fetches that wait for this origin already.
    pub(crate) waiting: usize,
    /// Fetches that wait for any origin of this Pool.
    pub(crate) pending: usize,
    /// The bounds of both.
    pub(crate) max_waiting: usize,
    /// The bound over all origins of this Pool.
    pub(crate) max_pending: usize,
}

/// What to do with the fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Admit {
    /// Take it in: it goes out when its turn comes, which may be now.
    Take,
    /// Answer `Overloaded`.
    Refuse {
        /// The bound that is full.
        limit: usize,
    },
}

/// Decides. A full Pool still takes what need not wait.
pub(crate) fn admit(facts: Facts) -> Admit {
    let goes_at_once = facts.has_room && facts.waiting == 0;
    let full = |count, limit| (count >= limit).then_some(Admit::Refuse { limit });
    match goes_at_once {
        true => Admit::Take,
        false => full(facts.waiting, facts.max_waiting)
            .or_else(|| full(facts.pending, facts.max_pending))
            .unwrap_or(Admit::Take),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_hold_for_all_who_would_wait(
            has_room: bool, waiting in 0usize..5, others in 0usize..5, max_waiting in 0usize..5, max_pending in 0usize..8,
        ) {
            let pending = waiting + others;
            let goes_at_once = has_room && waiting == 0;
            match admit(Facts { has_room, waiting, pending, max_waiting, max_pending }) {
                Admit::Take => prop_assert!(goes_at_once || (waiting < max_waiting && pending < max_pending)),
                Admit::Refuse { limit } => {
                    let by_origin = waiting >= max_waiting && limit == max_waiting;
                    let by_pool = pending >= max_pending && limit == max_pending;
                    prop_assert!(!goes_at_once && (by_origin || by_pool));
                }
            }
        }
    }
}
