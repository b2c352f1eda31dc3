//! A memory of bounded size for what was computed and may be used again. When it is full, what has not been used for the
//! longest time goes first.
//!
//! It belongs to a configuration and ends with it: nothing is remembered across a change of rules. The caller
//! checks whether what it finds still holds.

use std::borrow::Borrow;
use std::hash::{Hash, RandomState};

use lru::LruCache;

/// How much is remembered: as many values as fit both bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Values; none at all when it is zero.
    pub values: usize,
    /// Bytes of memory, as far as they can be told.
    pub bytes: usize,
}

impl Default for Capacity {
    /// 8 MiB are about six thousand common tokens, and little beside the 60 MB that an Envoy takes.
    fn default() -> Self {
        Self { values: 10_000, bytes: 8 << 20 }
    }
}

/// What an entry takes beside what its owner counts: its place in the table and in the order of use.
const OVERHEAD: usize = 96;

/// A bounded memory.
pub struct Cache<K: Hash + Eq, V> {
    /// Keys may be chosen by others, so their hash is keyed with a secret.
    entries: LruCache<K, Entry<V>, RandomState>,
    limits: Capacity,
    bytes: usize,
}

struct Entry<V> {
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// An empty memory.
    #[must_use]
    pub fn new(limits: Capacity) -> Self {
        Self { entries: LruCache::unbounded_with_hasher(RandomState::new()), limits, bytes: 0 }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// What is remembered under a key, which is thereby used.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Remembers a value that takes so many bytes with its key, in place of the one that the key had.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        let bytes = bytes.saturating_add(OVERHEAD);
        // It would drive out all others and find no room itself.
        if bytes > self.limits.bytes {
            return;
        }
        let replaced = self.entries.push(key, Entry { value, bytes });
        let freed = replaced.map_or(0, |(_, entry)| entry.bytes);
        self.bytes = self.bytes.saturating_sub(freed).saturating_add(bytes);
        while self.entries.len() > self.limits.values || self.bytes > self.limits.bytes {
            let Some((_, entry)) = self.entries.pop_lru() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limits: Capacity, entries: &[(u8, usize)]) -> Cache<u8, usize> {
        let mut cache = Cache::new(limits);
        for (number, (key, bytes)) in entries.iter().enumerate() {
            cache.insert(*key, number, *bytes);
        }
        cache
    }

    fn values(cache: &mut Cache<u8, usize>, keys: &[u8]) -> Vec<Option<usize>> {
        keys.iter().map(|key| cache.get(key).copied()).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = filled(Capacity { values: 2, bytes: 10_000 }, &[(b'a', 1), (b'b', 1)]);
        assert_eq!(values(&mut cache, b"a"), [Some(0)]);
        cache.insert(b'c', 2, 1);
        assert_eq!(values(&mut cache, b"abc"), [Some(0), None, Some(2)]);
    }

    #[test]
    fn bytes_are_bounded_whatever_comes_and_goes() {
        let limits = Capacity { values: 100, bytes: 3 * (OVERHEAD + 100) };
        let mut cache = filled(limits, &[(b'a', 100), (b'b', 100), (b'c', 100)]);
        assert_eq!(values(&mut cache, b"abc"), [Some(0), Some(1), Some(2)]);
        // The same key again takes no more room.
        cache.insert(b'c', 3, 100);
        assert_eq!(values(&mut cache, b"abc"), [Some(0), Some(1), Some(3)]);
        cache.insert(b'd', 4, 101);
        assert_eq!(values(&mut cache, b"abcd"), [None, None, Some(3), Some(4)]);
        // What can never fit drives nobody out.
        cache.insert(b'e', 5, 10_000);
        assert_eq!(values(&mut cache, b"cde"), [Some(3), Some(4), None]);
        for number in 0..1000 {
            cache.insert(u8::try_from(number % 7).unwrap(), number, number);
            assert!(cache.bytes <= limits.bytes);
            assert_eq!(cache.bytes, cache.entries.iter().map(|(_, entry)| entry.bytes).sum::<usize>());
        }
    }

    #[test]
    fn nothing_is_remembered_where_nothing_may_be() {
        for limits in [Capacity { values: 0, bytes: 1000 }, Capacity { values: 10, bytes: 0 }] {
            assert_eq!(values(&mut filled(limits, &[(b'a', 1)]), b"a"), [None]);
        }
    }
}
