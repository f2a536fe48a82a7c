//! Which of several connections gets the next fetch.
//!
//! The power of two choices: the less loaded of two picked blindly spreads nearly as well as the
//! least loaded of all, looks at two, and does not send everything to the one whose load was told
//! last.

/// Of `len`, the index of the less loaded of two different ones, picked by `draw`, which is to be any
/// number with the same chance. The only one, if there is one; `None` if there is none.
pub(crate) fn of_two(len: usize, load: impl Fn(usize) -> usize, draw: u64) -> Option<usize> {
    if len < 2 {
        return (len > 0).then_some(0);
    }
    let (one, other) = two(len, draw);
    Some(match load(other) < load(one) {
        true => other,
        false => one,
    })
}

/// Two different indices below `len`, which is 2 or more. Each pair has the same chance, up to a
/// bias of `len`² in 2⁶⁴.
fn two(len: usize, draw: u64) -> (usize, usize) {
    let all = len as u64;
    let one = draw % all;
    // One of the others, counted from the first on.
    let other = (one + 1 + draw / all % (all - 1)) % all;
    (one as usize, other as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn among(loads: &[usize], draw: u64) -> Option<usize> {
        of_two(loads.len(), |place| loads[place], draw)
    }

    #[test]
    fn of_none_none_and_of_one_that_one() {
        assert_eq!(among(&[], 7), None);
        assert_eq!(among(&[9], 7), Some(0));
    }

    #[test]
    fn of_two_the_less_loaded_whatever_the_draw() {
        for draw in 0..10 {
            assert_eq!(among(&[1, 2], draw), Some(0));
            assert_eq!(among(&[2, 1], draw), Some(1));
        }
    }

    proptest! {
        #[test]
        fn the_chosen_is_the_less_loaded_of_two_different_ones(
            loads in prop::collection::vec(0usize..5, 2..10), draw: u64,
        ) {
            let (one, other) = two(loads.len(), draw);
            prop_assert!(one != other && one < loads.len() && other < loads.len());
            let chosen = among(&loads, draw).expect("there are two");
            prop_assert!(chosen == one || chosen == other);
            prop_assert_eq!(loads[chosen], loads[one].min(loads[other]));
        }

        #[test]
        fn the_one_most_loaded_of_all_is_never_chosen(
            mut loads in prop::collection::vec(0usize..5, 2..10), most: prop::sample::Index, draw: u64,
        ) {
            let most = most.index(loads.len());
            loads[most] = 5;
            prop_assert_ne!(among(&loads, draw), Some(most));
        }

        /// As many draws as there are pairs: each pair once, from any point on.
        #[test]
        fn all_pairs_have_the_same_chance(len in 2usize..12, from in 0u64..u64::MAX / 200) {
            let pairs = (len * (len - 1)) as u64;
            let from = from * pairs;
            let drawn: BTreeSet<_> = (from..from + pairs).map(|draw| two(len, draw)).collect();
            prop_assert_eq!(drawn.len() as u64, pairs);
            let loads = vec![3; len];
            let chosen: BTreeSet<_> = (0..pairs).filter_map(|draw| among(&loads, draw)).collect();
            prop_assert_eq!(chosen.len(), len, "equally loaded, each can be chosen");
        }
    }
}
