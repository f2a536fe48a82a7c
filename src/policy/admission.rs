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
    /// Hand it to the open connection.
    Reuse,
    /// Queue it.
    Wait,
    /// Answer `Overloaded`.
    Refuse {
        /// The bound that is full.
        limit: usize,
    },
}

/// Decides. Who waits already goes first, even if a slot is free this instant.
pub(crate) fn admit(facts: Facts) -> Admit {
    if facts.has_room && facts.waiting == 0 {
        Admit::Reuse
    } else if facts.waiting >= facts.max_waiting {
        Admit::Refuse {
            limit: facts.max_waiting,
        }
    } else if facts.pending >= facts.max_pending {
        Admit::Refuse {
            limit: facts.max_pending,
        }
    } else {
        Admit::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_hold_and_nobody_overtakes(
            has_room: bool, waiting in 0usize..5, others in 0usize..5, max_waiting in 0usize..5, max_pending in 0usize..8,
        ) {
            let pending = waiting + others;
            let verdict = admit(Facts { has_room, waiting, pending, max_waiting, max_pending });
            match verdict {
                Admit::Reuse => prop_assert!(has_room && waiting == 0),
                Admit::Wait => prop_assert!(waiting < max_waiting && pending < max_pending),
                Admit::Refuse { limit } => prop_assert!(
                    (waiting >= max_waiting && limit == max_waiting) || (pending >= max_pending && limit == max_pending)
                ),
            }
            if has_room && waiting == 0 {
                prop_assert_eq!(verdict, Admit::Reuse);
            }
        }
    }
}
