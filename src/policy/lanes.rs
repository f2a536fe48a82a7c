//! A queue in which the more urgent go first, and nobody waits for ever.

use std::array;
use std::collections::VecDeque;

/// Urgencies (RFC 9218 §4.1): 0 is the most urgent.
const LANES: usize = 8;
/// So many of the more urgent pass those who wait behind them; then one of these has a turn.
const PASSES: u32 = 10;

/// A queue with a lane for each urgency. Within a lane, first come is first served.
#[derive(Debug)]
pub(crate) struct Lanes<T> {
    lanes: [VecDeque<T>; LANES],
    /// Who of the most urgent have passed others since one of those had a turn.
    passed: u32,
    /// The lane that had it.
    turn: usize,
    len: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            lanes: array::from_fn(|_| VecDeque::new()),
            passed: 0,
            turn: 0,
            len: 0,
        }
    }
}

impl<T> Lanes<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `item` to the lane of its urgency, behind those that `goes_before` it; these stand
    /// together at the front.
    pub(crate) fn insert(&mut self, urgency: u8, item: T, goes_before: impl Fn(&T) -> bool) {
        let lane = &mut self.lanes[usize::from(urgency).min(LANES - 1)];
        let place = match lane.back() {
            Some(last) if !goes_before(last) => lane.partition_point(goes_before),
            _ => lane.len(),
        };
        lane.insert(place, item);
        self.len += 1;
    }

    /// Who is next.
    pub(crate) fn front(&self) -> Option<&T> {
        self.lanes[self.next()?].front()
    }

    /// Takes out who is next.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let (lane, top) = (self.next()?, self.top()?);
        let item = self.lanes[lane].pop_front()?;
        self.len -= 1;
        if lane != top {
            (self.passed, self.turn) = (0, lane);
        } else if self.len > self.lanes[top].len() {
            self.passed += 1;
        } else {
            self.passed = 0;
        }
        Some(item)
    }

    /// All who wait, in no order that matters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lanes.iter().flatten()
    }

    /// Takes all out, lane after lane.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.len = 0;
        self.passed = 0;
        self.lanes
            .iter_mut()
            .flat_map(|lane| lane.drain(..))
            .collect()
    }

    /// Takes out those that `is_lost` picks.
    pub(crate) fn cull(&mut self, is_lost: impl Fn(&T) -> bool) -> Vec<T> {
        let mut all_lost = Vec::new();
        for lane in &mut self.lanes {
            // Nearly always nothing is lost: look before moving anything.
            if lane.iter().any(&is_lost) {
                let (lost, kept) = lane.drain(..).partition::<Vec<_>, _>(&is_lost);
                *lane = kept.into();
                all_lost.extend(lost);
            }
        }
        self.len -= all_lost.len();
        all_lost
    }

    /// The most urgent lane in which someone waits.
    fn top(&self) -> Option<usize> {
        self.lanes.iter().position(|lane| !lane.is_empty())
    }

    /// The lane whose turn it is: the top one, unless it has had so many that it is another's. The
    /// others take turns at that.
    fn next(&self) -> Option<usize> {
        let top = self.top()?;
        if self.passed < PASSES {
            return Some(top);
        }
        let waits = |lane: &usize| *lane != top && !self.lanes[*lane].is_empty();
        let around = (self.turn + 1..LANES).chain(0..=self.turn);
        Some(around.into_iter().find(waits).unwrap_or(top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put<T>(lanes: &mut Lanes<T>, urgency: u8, item: T) {
        lanes.insert(urgency, item, |_| true);
    }

    #[test]
    fn the_more_urgent_go_first_and_each_lane_in_order() {
        let mut lanes = Lanes::default();
        for (urgency, item) in [(3, "a"), (1, "b"), (3, "c"), (7, "d"), (1, "e"), (9, "f")] {
            put(&mut lanes, urgency, item);
        }
        let order: Vec<_> = std::iter::from_fn(|| lanes.pop_front()).collect();
        assert_eq!(order, ["b", "e", "a", "c", "d", "f"]);
    }

    #[test]
    fn under_an_endless_load_of_the_urgent_each_other_lane_has_its_turn() {
        let mut lanes = Lanes::default();
        put(&mut lanes, 3, 3);
        put(&mut lanes, 7, 7);
        let mut order = Vec::new();
        for _ in 0..30 {
            put(&mut lanes, 0, 0);
            order.extend(lanes.pop_front());
        }
        let place = |lane| order.iter().position(|item| *item == lane);
        assert_eq!((place(3), place(7)), (Some(10), Some(21)));
    }

    #[test]
    fn one_who_comes_back_stands_where_it_stood() {
        let mut lanes = Lanes::default();
        for item in [1, 3, 5] {
            put(&mut lanes, 3, item);
        }
        lanes.insert(3, 2, |other| *other <= 2);
        let order: Vec<_> = std::iter::from_fn(|| lanes.pop_front()).collect();
        assert_eq!(order, [1, 2, 3, 5]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled_and_nobody_is_passed_for_ever(
            steps in prop::collection::vec((0u8..8, 0u8..4), 1..400),
        ) {
            let mut lanes = Lanes::default();
            // Urgency, number, and how often others were taken since it was at the head of its lane.
            let mut model: Vec<(u8, usize, u32)> = Vec::new();
            for (number, (urgency, action)) in steps.into_iter().enumerate() {
                match action {
                    0 | 1 => {
                        put(&mut lanes, urgency, (urgency, number));
                        model.push((urgency, number, 0));
                    }
                    2 => {
                        let front = lanes.front().copied();
                        let taken = lanes.pop_front();
                        prop_assert_eq!(front, taken);
                        prop_assert_eq!(taken.is_none(), model.is_empty());
                        let Some((urgency, number)) = taken else { continue };
                        let place = model.iter().position(|m| m.0 == urgency);
                        prop_assert_eq!(place.map(|place| model.remove(place).1), Some(number));
                        for head in &mut model {
                            head.2 += 1;
                        }
                        // Heads of lanes only.
                        let mut seen = [false; LANES];
                        for one in &model {
                            let is_head = !std::mem::replace(&mut seen[usize::from(one.0)], true);
                            let bound = (PASSES + 1) * LANES as u32 * 60;
                            prop_assert!(!is_head || one.2 <= bound);
                        }
                    }
                    _ => {
                        let lost = lanes.cull(|(u, n)| *u == urgency && n % 2 == 0);
                        let before = model.len();
                        model.retain(|m| !(m.0 == urgency && m.1 % 2 == 0));
                        prop_assert_eq!(lost.len(), before - model.len());
                    }
                }
                prop_assert_eq!(lanes.len(), model.len());
                prop_assert_eq!(lanes.iter().count(), model.len());
            }
            prop_assert_eq!(lanes.take_all().len(), model.len());
            prop_assert!(lanes.is_empty() && lanes.front().is_none());
        }
    }
}
