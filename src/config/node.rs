//! A configuration value that knows its own path, so that every error names its place.
//!
//! `None` always means that a value cannot be read as what was asked for, and that this has been said.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::fields::{self, Fields};
use super::problems::Problems;
use crate::encoding::protobuf;
use crate::jose::json::kind;
use crate::jose::path::Path;

/// One value of the configuration and its path.
#[derive(Clone)]
pub(super) struct Node<'a> {
    path: Path,
    value: &'a Value,
    problems: &'a Problems,
}

/// Several names, as messages list them.
fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl<'a> Node<'a> {
    /// The whole configuration. What is wrong with it goes to `problems`.
    #[must_use]
    pub(super) fn root(value: &'a Value, problems: &'a Problems) -> Self {
        Self { path: Path::root(), value, problems }
    }

    /// Where this value stands.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The value as written.
    #[must_use]
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// Says what is wrong with this very value.
    pub(super) fn fail<T>(&self, problem: impl Into<String>) -> Option<T> {
        self.problems.error(&self.path, problem);
        None
    }

    /// Says what is wrong with something inside of it.
    pub(super) fn fail_at<T>(&self, member: &str, problem: impl Into<String>) -> Option<T> {
        self.problems.error(&self.path.member(member), problem);
        None
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.fail(format!("expected {what}, found {}", kind(self.value)))
    }

    fn inside(&self, path: Path, value: &'a Value) -> Self {
        Self { path, value, problems: self.problems }
    }

    /// The value as an object. What is not one of the fields is an error, and so is a member that is null: `verify:` with
    /// nothing behind it reads as null, and taking that for "absent" would switch verification off for the operator who
    /// meant the defaults. Of a value of another type no field is there.
    pub(super) fn object(&self, known: &'static Fields) -> Object<'a> {
        let members = self.value.as_object();
        if members.is_none() {
            self.expected::<()>("an object");
        }
        for (name, value) in members.into_iter().flatten() {
            if !known.names.contains(&name.as_str()) {
                let hint = fields::hint(known, name).map(|hint| format!("; {hint}")).unwrap_or_default();
                let expected = listed(known.names);
                self.fail_at::<()>(name, format!("unknown field, expected one of {expected}{hint}"));
            } else if value.is_null() {
                self.fail_at::<()>(name, "is null; leave the field out or give it a value");
            }
        }
        Object { node: self.clone(), known, members }
    }

    /// The items of an array that is not empty: an empty list never means what leaving it out means.
    pub(super) fn items(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let items = match self.value {
            Value::Array(items) => items.as_slice(),
            _ => self.expected("an array").unwrap_or_default(),
        };
        if items.is_empty() {
            self.fail::<()>("is empty; list at least one");
        }
        let list = self.clone();
        items.iter().enumerate().map(move |(index, value)| list.inside(list.path.item(index), value))
    }

    /// The members of an object whose names the operator chooses.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let members = self.value.as_object();
        if members.is_none() {
            self.expected::<()>("an object");
        }
        let object = self.clone();
        let members = members.into_iter().flatten();
        members.map(move |(name, value)| (name.as_str(), object.inside(object.path.member(name), value)))
    }

    /// A string that is not empty.
    #[must_use]
    pub(super) fn string(&self) -> Option<&'a str> {
        match self.value {
            Value::String(text) if text.is_empty() => self.fail("is empty"),
            Value::String(text) => Some(text),
            _ => self.expected("a string"),
        }
    }

    /// True or false.
    #[must_use]
    pub(super) fn boolean(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.expected("true or false"))
    }

    /// A whole number within `range`, `300.0` and `3e2` among them: a `Struct` does not tell them from `300`.
    #[must_use]
    pub(super) fn integer(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let Value::Number(number) = self.value else {
            let hint = if self.value.is_string() { "; write it without unit, fraction and quotes" } else { "" };
            return self.fail(format!("expected a whole number, found {}{hint}", kind(self.value)));
        };
        let whole = number.as_f64().and_then(protobuf::number).and_then(|number| u32::try_from(number.as_u64()?).ok());
        whole.filter(|number| range.contains(number)).or_else(|| {
            let (from, to) = (range.start(), range.end());
            self.fail(format!("expected a whole number from {from} to {to}, found {number}"))
        })
    }

    /// One of a few words.
    #[must_use]
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        words.iter().find_map(|(word, meaning)| (*word == text).then_some(*meaning)).or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.fail(format!("expected one of {}", listed(&words)))
        })
    }
}

/// An object whose members are fields.
pub(super) struct Object<'a> {
    node: Node<'a>,
    known: &'static Fields,
    /// `None` when it is no object.
    members: Option<&'a Map<String, Value>>,
}

impl<'a> Object<'a> {
    /// A member that may be left out.
    #[must_use]
    pub(super) fn optional(&self, name: &str) -> Option<Node<'a>> {
        let value = self.members?.get(name)?;
        Some(self.node.inside(self.node.path.member(name), value))
    }

    /// What can be read of a member that may be left out.
    pub(super) fn read<T>(&self, name: &str, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<T> {
        read(&self.optional(name)?)
    }

    /// A member with a default, which also stands for one that cannot be read.
    pub(super) fn or<T>(&self, name: &str, default: T, read: impl FnOnce(&Node<'a>) -> Option<T>) -> T {
        self.read(name, read).unwrap_or(default)
    }

    /// What can be read of a list that may be left out.
    pub(super) fn list<T>(&self, name: &str, read: impl FnMut(Node<'a>) -> Option<T>) -> Vec<T> {
        self.optional(name).into_iter().flat_map(|node| node.items()).filter_map(read).collect()
    }

    /// Members that are no fields, of which it has been said.
    fn unknown(&self) -> impl Iterator<Item = &'a str> {
        let names = self.members.into_iter().flat_map(|members| members.keys());
        names.map(String::as_str).filter(|name| !self.known.names.contains(name))
    }

    /// A member that has to be there.
    #[must_use]
    pub(super) fn required(&self, name: &str) -> Option<Node<'a>> {
        let is_misspelt = self.unknown().any(|unknown| fields::near(self.known, unknown) == Some(name));
        let missing = || if is_misspelt { None } else { self.node.fail_at(name, "is missing") };
        self.members?;
        self.optional(name).or_else(missing)
    }

    /// The one member that is there: for objects of which each member is a way to say the same thing.
    #[must_use]
    pub(super) fn one_of(&self, known: &[&'static str]) -> Option<(&'static str, Node<'a>)> {
        self.members?;
        let has_unknown = self.unknown().next().is_some();
        let mut found = known.iter().filter_map(|name| Some((*name, self.optional(name)?)));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            // One of them may be what was meant.
            _ if has_unknown => None,
            _ => self.node.fail(format!("expected exactly one of {}", listed(known))),
        }
    }
}
