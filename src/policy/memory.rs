//! What is remembered of origins beyond their connections, for a bounded number of them: a crawl
//! meets more origins than it can keep.

use std::hash::Hash;
use std::num::NonZeroUsize;

use foldhash::fast::RandomState;
use lru::LruCache;

/// A map that forgets what was touched longest ago when it is full.
#[derive(Debug)]
pub(crate) struct Memory<K: Eq + Hash, V> {
    cache: LruCache<K, V, RandomState>,
}

impl<K: Eq + Hash, V> Memory<K, V> {
    /// For at most `capacity` entries; 0 counts as 1, so that there is always one to hand out.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        // It grows as it fills: most engines meet far fewer origins than they may remember.
        let mut cache = LruCache::unbounded_with_hasher(RandomState::default());
        cache.resize(capacity);
        Self { cache }
    }

    /// What is remembered of `key`. A look is no touch.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.cache.peek(key)
    }

    /// The entry of `key`, touched, and made if there is none; then, if all places are taken,
    /// the entry touched longest ago goes.
    pub(crate) fn entry(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        self.cache.get_or_insert_mut_ref(key, V::default)
    }

    /// Entries remembered.
    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_one_touched_longest_ago_is_forgotten() {
        let mut memory = Memory::<_, u32>::new(2);
        *memory.entry(&"a") = 1;
        *memory.entry(&"b") = 2;
        *memory.entry(&"a") += 10;
        assert_eq!(memory.get(&"b"), Some(&2), "a look, no touch");
        *memory.entry(&"c") = 3;
        assert_eq!(memory.get(&"a"), Some(&11));
        assert_eq!(memory.get(&"b"), None);
        assert_eq!(memory.len(), 2);
    }

    #[test]
    fn without_room_for_any_there_is_room_for_one() {
        let mut memory = Memory::<_, u32>::new(0);
        *memory.entry(&"a") = 1;
        assert_eq!(*memory.entry(&"b"), 0);
        assert_eq!((memory.len(), memory.get(&"a")), (1, None));
    }

    #[test]
    fn room_for_very_many_is_not_taken_at_once() {
        let memory = Memory::<u32, u32>::new(usize::MAX);
        assert_eq!(memory.len(), 0);
    }

    proptest! {
        /// The model: a list, the one touched longest ago first.
        #[test]
        fn it_agrees_with_a_list(
            capacity in 0usize..5, ops in prop::collection::vec((any::<bool>(), 0u8..8), 0..200),
        ) {
            let (mut memory, mut model) = (Memory::<u8, u32>::new(capacity), Vec::<(u8, u32)>::new());
            for (touches, key) in ops {
                let place = model.iter().position(|(k, _)| *k == key);
                if touches {
                    let (_, value) = place.map_or((key, 0), |place| model.remove(place));
                    if model.len() == capacity.max(1) {
                        model.remove(0);
                    }
                    model.push((key, value + 1));
                    let entry = memory.entry(&key);
                    prop_assert_eq!(*entry, value);
                    *entry += 1;
                } else {
                    prop_assert_eq!(memory.get(&key), place.map(|place| &model[place].1));
                }
                prop_assert_eq!(memory.len(), model.len());
            }
        }
    }
}
