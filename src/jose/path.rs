//! Where something stands in a JSON value.

use std::fmt;

/// A place in a value, from the outside in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Segment>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A member of an object.
    Member(String),
    /// An item of a list, counted from zero.
    Item(usize),
}

impl Path {
    /// The whole value.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// A member of the object at this place.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        self.with(Segment::Member(name.to_owned()))
    }

    /// An item of the list at this place.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.with(Segment::Item(index))
    }

    /// A place inside the one that the names lead to.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Segment::Member((*name).to_owned())).collect())
    }

    /// Its steps.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The object or list that this place is in; `None` for the whole value.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, around) = self.0.split_last()?;
        Some(Self(around.to_vec()))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl FromIterator<Segment> for Path {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for Path {
    /// `signingKeyRefs[1].key`. A name that could be a key by mistake is not shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Member(name) if depth == 0 => formatter.write_str(shown(name))?,
                Segment::Member(name) => write!(formatter, ".{}", shown(name))?,
                Segment::Item(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A name of an operator's choice that messages may show. It may be a key by mistake, so only what is too short for one is
/// shown: a line of PEM has 64 characters, the private part of a P-256 key 43.
#[must_use]
pub fn harmless(name: &str) -> Option<&str> {
    const LONGEST: usize = 40;
    Some(name).filter(|name| name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn shown(name: &str) -> &str {
    harmless(name).unwrap_or("<member>")
}
