//! A configuration value that knows its own path, so that every error names its place.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::encoding::protobuf;
use crate::jose::json::{self, kind};

/// What an operator has to change, and where. It never quotes a string value: that may be a key.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    problem: String,
}

impl ConfigError {
    /// A problem at `path` (`signingKeyRefs[1].key`), or of the whole configuration if that is empty.
    pub fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.problem);
        }
        write!(formatter, "{}: {}", self.path, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// One value of the configuration and its path.
pub struct Node<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Node<'a> {
    /// The whole configuration.
    #[must_use]
    pub fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// Where this value stands.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value as written.
    #[must_use]
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// A problem of this very value.
    pub fn error(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::at(self.path.as_str(), problem)
    }

    fn expected(&self, what: &str) -> ConfigError {
        self.error(format!("expected {what}, found {}", kind(self.value)))
    }

    /// The value as an object all of whose members are in `known`.
    ///
    /// # Errors
    /// Another type, an unknown member, and a member that is null: `verify:` with nothing behind it reads as null,
    /// and taking that for "absent" would switch verification off for the operator who meant the defaults.
    pub fn object(&self, known: &[&str]) -> Result<Object<'a>, ConfigError> {
        let Value::Object(members) = self.value else {
            return Err(self.expected("an object"));
        };
        for (name, value) in members {
            let path = join(&self.path, name);
            if !known.contains(&name.as_str()) {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                let expected = known.join(", ");
                return Err(ConfigError::at(path, format!("unknown field, expected one of {expected}")));
            }
            if value.is_null() {
                return Err(ConfigError::at(path, "is null; leave the field out or give it a value"));
            }
        }
        Ok(Object { path: self.path.clone(), members })
    }

    /// The items of an array that is not empty.
    ///
    /// # Errors
    /// Another type, or no item: an empty list never means what leaving it out means.
    pub fn items(&self) -> Result<impl Iterator<Item = Node<'a>> + use<'a>, ConfigError> {
        let Value::Array(items) = self.value else {
            return Err(self.expected("an array"));
        };
        if items.is_empty() {
            return Err(self.error("is empty; list at least one"));
        }
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(index, value)| Node { path: format!("{path}[{index}]"), value }))
    }

    /// The members of an object whose names the operator chooses.
    ///
    /// # Errors
    /// Another type.
    pub fn members(&self) -> Result<impl Iterator<Item = (&'a str, Node<'a>)> + use<'a>, ConfigError> {
        let Value::Object(members) = self.value else {
            return Err(self.expected("an object"));
        };
        let path = self.path.clone();
        Ok(members.iter().map(move |(name, value)| {
            let path = join(&path, name);
            (name.as_str(), Node { path, value })
        }))
    }

    /// A string that is not empty.
    ///
    /// # Errors
    /// Another type, or an empty string.
    pub fn string(&self) -> Result<&'a str, ConfigError> {
        match self.value {
            Value::String(text) if text.is_empty() => Err(self.error("is empty")),
            Value::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// Another type.
    pub fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    /// A whole number within `range`, `300.0` and `3e2` among them: a `Struct` does not tell them from `300`.
    ///
    /// # Errors
    /// Another type, a fraction, or a number out of range.
    pub fn integer(&self, range: RangeInclusive<u32>) -> Result<u32, ConfigError> {
        let Value::Number(number) = self.value else {
            let hint = if self.value.is_string() { "; write it without unit, fraction and quotes" } else { "" };
            return Err(self.error(format!("expected a whole number, found {}{hint}", kind(self.value))));
        };
        number
            .as_f64()
            .and_then(protobuf::number)
            .and_then(|number| u32::try_from(number.as_u64()?).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (from, to) = (range.start(), range.end());
                self.error(format!("expected a whole number from {from} to {to}, found {number}"))
            })
    }
}

/// An object of which every member is known.
pub struct Object<'a> {
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// A member that may be left out.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.members.get(name).map(|value| Node { path: join(&self.path, name), value })
    }

    /// A member that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &str) -> Result<Node<'a>, ConfigError> {
        self.optional(name).ok_or_else(|| ConfigError::at(join(&self.path, name), "is missing"))
    }

    /// The one member that is there: for objects of which each member is a way to say the same thing.
    ///
    /// # Errors
    /// None, or more than one.
    pub fn one_of(&self, known: &[&'static str]) -> Result<(&'static str, Node<'a>), ConfigError> {
        let mut found = known.iter().filter_map(|name| Some((*name, self.optional(name)?)));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            _ => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                Err(ConfigError::at(self.path.as_str(), format!("expected exactly one of {}", known.join(", "))))
            }
        }
    }
}

/// The path of a member.
#[must_use]
pub fn join(path: &str, name: &str) -> String {
    let name = json::shown(name);
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}
