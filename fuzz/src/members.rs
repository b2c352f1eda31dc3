//! JSON as a reader sees it that has no opinion on members that stand twice: all of them.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What is in a JSON text.
#[derive(Default)]
pub(super) struct Members {
    texts: RefCell<Vec<String>>,
    doubles: Cell<usize>,
}

impl Members {
    /// `None` when it is no JSON.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let members = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        (&members).deserialize(&mut deserializer).and_then(|()| deserializer.end()).ok()?;
        Some(members)
    }

    /// Every text that is a value.
    pub(super) fn texts(self) -> Vec<String> {
        self.texts.into_inner()
    }

    /// How many members have the name of one before them.
    pub(super) fn doubles(&self) -> usize {
        self.doubles.get()
    }
}

impl<'de> DeserializeSeed<'de> for &Members {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Members {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.texts.borrow_mut().push(text.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(self)?;
            self.doubles.set(self.doubles.get() + usize::from(!names.insert(name)));
        }
        Ok(())
    }
}
