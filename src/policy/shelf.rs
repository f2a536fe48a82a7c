//! What servers have pushed, kept until somebody asks for it or it is too old.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Values that are promised, and then come or do not, each handed out once. Who asks for one on its
/// way may wait for it: one for each.
#[derive(Debug)]
pub(crate) struct Shelf<K, V, W> {
    places: HashMap<K, Place<V, W>>,
    held: u64,
    most: u64,
    keep_for: Duration,
}

#[derive(Debug)]
struct Place<V, W> {
    /// Which of the promises of the same.
    id: u64,
    state: State<V, W>,
}

#[derive(Debug)]
enum State<V, W> {
    Coming(Option<W>),
    Here { value: V, size: u64, since: Instant },
}

impl<K: Clone + Eq + Hash, V, W> Shelf<K, V, W> {
    /// Holds values of `most` bytes together, each for so long.
    pub(crate) fn new(most: u64, keep_for: Duration) -> Self {
        Self {
            places: HashMap::new(),
            held: 0,
            most,
            keep_for,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Those who wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &W> {
        let places = self.places.values();
        places.filter_map(|place| match &place.state {
            State::Coming(waits) => waits.as_ref(),
            State::Here { .. } => None,
        })
    }

    /// Makes a place for what will come; where there is one already, that stays.
    pub(crate) fn promise(&mut self, key: K, id: u64) {
        let state = State::Coming(None);
        self.places.entry(key).or_insert(Place { id, state });
    }

    /// What was promised has come. Who waits gets it; else it is kept, if it is not too much.
    pub(crate) fn arrive(
        &mut self,
        key: &K,
        id: u64,
        (value, size): (V, u64),
        now: Instant,
    ) -> Option<(W, V)> {
        self.expire(now);
        let waits = self.lose(key, id)?;
        if let Some(waits) = waits {
            return Some((waits, value));
        }
        if size <= self.most - self.held {
            self.held += size;
            let state = State::Here {
                value,
                size,
                since: now,
            };
            self.places.insert(key.clone(), Place { id, state });
        }
        None
    }

    /// What was promised will not come, which somebody may wait for. `None`: it is not known.
    pub(crate) fn lose(&mut self, key: &K, id: u64) -> Option<Option<W>> {
        let place = self.places.get_mut(key).filter(|place| place.id == id)?;
        let State::Coming(waits) = &mut place.state else {
            return None;
        };
        let waits = waits.take();
        self.places.remove(key);
        Some(waits)
    }

    /// Takes what is here, if it fits.
    pub(crate) fn take(
        &mut self,
        key: &K,
        fits: impl FnOnce(&V) -> bool,
        now: Instant,
    ) -> Option<V> {
        self.expire(now);
        match &self.places.get(key)?.state {
            State::Here { value, .. } if fits(value) => self.remove(key),
            _ => None,
        }
    }

    /// Waits for what is on its way, if nobody else does; given back otherwise.
    pub(crate) fn wait(&mut self, key: &K, waits: W) -> Option<W> {
        match self.places.get_mut(key).map(|place| &mut place.state) {
            Some(State::Coming(free @ None)) => {
                *free = Some(waits);
                None
            }
            _ => Some(waits),
        }
    }

    /// Takes those out who wait and are to wait no longer.
    pub(crate) fn cull(&mut self, mut is_out: impl FnMut(&W) -> bool) -> Vec<W> {
        let mut out = Vec::new();
        for place in self.places.values_mut() {
            if let State::Coming(waits) = &mut place.state {
                out.extend(waits.take_if(|waits| is_out(waits)));
            }
        }
        out
    }

    /// Forgets what has been kept long enough.
    pub(crate) fn expire(&mut self, now: Instant) {
        let (keep_for, held) = (self.keep_for, &mut self.held);
        self.places.retain(|_, place| match &place.state {
            State::Here { size, since, .. }
                if now.saturating_duration_since(*since) >= keep_for =>
            {
                *held -= size;
                false
            }
            _ => true,
        });
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let State::Here { value, size, .. } = self.places.remove(key)?.state else {
            return None;
        };
        self.held -= size;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEEP: Duration = Duration::from_secs(30);

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Promise(u8),
        Arrive(u8, u64),
        Lose(u8),
        Take(u8),
        Wait(u8),
        Cull,
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0u8..3;
        prop_oneof![
            key.clone().prop_map(Step::Promise),
            (key.clone(), 0u64..60).prop_map(|(key, size)| Step::Arrive(key, size)),
            key.clone().prop_map(Step::Lose),
            key.clone().prop_map(Step::Take),
            key.prop_map(Step::Wait),
            Just(Step::Cull),
            (0u64..20).prop_map(Step::Pass),
        ]
    }

    /// Key, id, who waits, or size and time of arrival.
    type Plain = (u8, u64, Option<u64>, Option<(u64, u64)>);

    /// A shelf, and in the plainest way what happened to each promise and to each who waited.
    struct Pair {
        shelf: Shelf<u8, u64, u64>,
        places: Vec<Plain>,
        start: Instant,
        seconds: u64,
    }

    impl Pair {
        fn new() -> Self {
            Self {
                shelf: Shelf::new(100, KEEP),
                places: Vec::new(),
                start: Instant::now(),
                seconds: 0,
            }
        }

        fn now(&self) -> Instant {
            self.start + Duration::from_secs(self.seconds)
        }

        fn at(&mut self, key: u8) -> Option<&mut Plain> {
            self.places.iter_mut().find(|place| place.0 == key)
        }

        fn coming(&mut self, key: u8) -> Option<Plain> {
            self.at(key).filter(|place| place.3.is_none()).copied()
        }

        fn remove(&mut self, key: u8) {
            self.places.retain(|place| place.0 != key);
        }

        fn expire(&mut self) {
            let now = self.seconds;
            self.places
                .retain(|place| place.3.is_none_or(|(_, at)| now - at < 30));
        }

        fn held(&self) -> u64 {
            self.places.iter().filter_map(|p| p.3).map(|p| p.0).sum()
        }

        fn step(&mut self, step: Step, id: u64) {
            match step {
                Step::Promise(key) => {
                    self.shelf.promise(key, id);
                    if self.at(key).is_none() {
                        self.places.push((key, id, None, None));
                    }
                }
                Step::Arrive(key, size) => self.arrive(key, size),
                Step::Lose(key) => {
                    let place = self.coming(key);
                    let lost = self.shelf.lose(&key, place.map_or(0, |place| place.1));
                    assert_eq!(lost, place.map(|place| place.2));
                    if place.is_some() {
                        self.remove(key);
                    }
                }
                Step::Take(key) => self.take(key),
                Step::Wait(key) => {
                    let place = self.at(key);
                    let free = place.filter(|p| p.3.is_none() && p.2.is_none());
                    let is_let = free.is_some();
                    if let Some(place) = free {
                        place.2 = Some(id);
                    }
                    assert_eq!(self.shelf.wait(&key, id), (!is_let).then_some(id));
                }
                Step::Cull => self.cull(),
                Step::Pass(more) => self.seconds += more,
            }
        }

        fn arrive(&mut self, key: u8, size: u64) {
            self.expire();
            let (held, now, seconds) = (self.held(), self.now(), self.seconds);
            let place = self.coming(key);
            let id = place.map_or(0, |place| place.1);
            let out = self.shelf.arrive(&key, id, (id, size), now);
            let Some((.., waits, _)) = place else {
                return assert_eq!(out, None);
            };
            assert_eq!(out, waits.map(|waits| (waits, id)));
            match self.at(key) {
                Some(place) if waits.is_none() && held + size <= 100 => {
                    place.3 = Some((size, seconds));
                }
                _ => self.remove(key),
            }
        }

        fn take(&mut self, key: u8) {
            self.expire();
            let now = self.now();
            let here = self.at(key).filter(|p| p.3.is_some()).map(|p| p.1);
            assert_eq!(self.shelf.take(&key, |_| false, now), None);
            assert_eq!(self.shelf.take(&key, |_| true, now), here);
            if here.is_some() {
                self.remove(key);
            }
        }

        fn cull(&mut self) {
            let mut out = self.shelf.cull(|waits| waits % 2 == 0);
            let mut culled = Vec::new();
            for place in &mut self.places {
                culled.extend(place.2.take_if(|waits| *waits % 2 == 0));
            }
            out.sort_unstable();
            culled.sort_unstable();
            assert_eq!(out, culled);
        }
    }

    proptest! {
        #[test]
        fn each_value_is_handed_out_once_and_what_is_held_is_bounded(
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut pair = Pair::new();
            for (step, id) in steps.into_iter().zip(1..) {
                pair.step(step, id);
                let sizes = pair.shelf.places.values().map(|place| match place.state {
                    State::Here { size, .. } => size,
                    State::Coming(_) => 0,
                });
                prop_assert_eq!(pair.shelf.held, sizes.sum::<u64>());
                prop_assert!(pair.shelf.held <= 100);
                let waiting = pair.places.iter().filter(|place| place.2.is_some()).count();
                prop_assert_eq!(pair.shelf.waiting().count(), waiting);
            }
        }
    }
}
