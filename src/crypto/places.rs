//! Which keys have something made for them that takes room and time: those that go on being used.
//!
//! A key gets nothing before it has been used repeatedly, and sixteen keys at most have something. One that finds no room takes a use
//! from the key that was not used for the longest time, and with the last one its place. So a key that is used keeps what it has, whatever
//! comes and goes beside it; one that has been replaced loses it; and of many keys in turn none gets anything, which costs nothing.

/// How many keys there are at most.
const MOST: usize = 16;

/// How often a key has to be used before something is made for it.
const PATIENCE: u8 = 16;

/// Keys, and what has been made for each.
pub(super) struct Places<K, T> {
    /// The one that was used last comes first.
    taken: Vec<Place<K, T>>,
}

struct Place<K, T> {
    key: K,
    /// How often it was used, less what keys that found no room have taken of that.
    uses: u8,
    made: T,
}

impl<K, T> Default for Places<K, T> {
    fn default() -> Self {
        Self { taken: Vec::new() }
    }
}

impl<K: Clone + PartialEq, T: Default> Places<K, T> {
    /// What has been made for a key. It is not thereby used.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut T> {
        self.taken.iter_mut().find(|place| place.key == *key).map(|place| &mut place.made)
    }

    /// Takes note of a key that is used, whose signature was accepted. If it has been used repeatedly, there is what to make more of.
    pub(super) fn used(&mut self, key: &K) -> Option<&mut T> {
        let Some(index) = self.taken.iter().position(|place| place.key == *key) else {
            self.take_up(key);
            return None;
        };
        self.taken.get_mut(..=index)?.rotate_right(1);
        let place = self.taken.first_mut()?;
        place.uses = place.uses.saturating_add(1);
        (place.uses > PATIENCE).then_some(&mut place.made)
    }

    /// A key more, if there is room or the last one gives up its own.
    fn take_up(&mut self, key: &K) {
        if let Some(last) = self.taken.get_mut(MOST.saturating_sub(1)) {
            last.uses = last.uses.saturating_sub(1);
            if last.uses > 0 {
                return;
            }
            self.taken.pop();
        }
        self.taken.insert(0, Place { key: key.clone(), uses: 1, made: T::default() });
    }
}

#[cfg(test)]
impl<K, T> Places<K, T> {
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &T> {
        self.taken.iter().map(|place| &place.made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys for which a number is made: how often there was what to make more of.
    #[derive(Default)]
    struct Numbers(Places<u32, u32>);

    impl Numbers {
        fn used(&mut self, key: u32) {
            if let Some(number) = self.0.used(&key) {
                *number = number.saturating_add(1);
            }
        }

        fn of(&mut self, key: u32) -> Option<u32> {
            self.0.get(&key).map(|number| *number)
        }
    }

    #[test]
    fn a_key_gets_something_when_it_has_been_used_repeatedly() {
        let mut numbers = Numbers::default();
        for (uses, expected) in [(16, 0), (1, 1), (300, 301)] {
            (0..uses).for_each(|_| numbers.used(7));
            assert_eq!(numbers.of(7), Some(expected));
        }
        assert_eq!(numbers.of(8), None);
    }

    #[test]
    fn a_key_that_is_used_keeps_its_place_and_one_that_is_not_loses_it() {
        let mut numbers = Numbers::default();
        (0..16).for_each(|key| (0..20).for_each(|_| numbers.used(key)));
        // However many come, as long as all of them are used in between.
        for number in 0..1_000 {
            numbers.used(100 + number);
            numbers.used(number % 16);
        }
        assert!((0..16).all(|key| numbers.of(key).is_some_and(|made| made > 4)));
        // The last one is not, and had some 80 uses.
        for _ in 0..100 {
            (0..15).for_each(|key| numbers.used(key));
            numbers.used(50);
        }
        assert_eq!((numbers.of(15), numbers.of(50).is_some()), (None, true));
        assert!((0..15).all(|key| numbers.of(key).is_some()));
    }

    #[test]
    fn of_many_keys_in_turn_none_gets_anything() {
        let mut numbers = Numbers::default();
        (0..10).for_each(|_| (0..10_000).for_each(|key| numbers.used(key)));
        assert_eq!(numbers.0.all().len(), 16);
        assert!(numbers.0.all().all(|made| *made == 0));
    }
}
