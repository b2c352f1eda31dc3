//! Everything that is wrong with a configuration, and everything that a person should know of it: found in one pass, so that
//! nobody mends a file mistake by mistake.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use crate::jose::path::Path;

/// What an operator has to change or to know, and where. It never quotes a text of the configuration: that may be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place; empty for the whole configuration.
    pub path: Path,
    /// What is wrong there, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.segments().is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// What was found so far. Whoever reads or compiles adds to it and goes on with what there is.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Found>,
}

#[derive(Debug, Default)]
struct Found {
    errors: Vec<Problem>,
    places: HashSet<Path>,
    warnings: Vec<Problem>,
}

impl Problems {
    /// Adds an error: with one, no configuration comes into force. A place has one error, and what is inside of a place with
    /// one has none of its own, since it would only follow from it.
    pub fn error(&self, path: &Path, message: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        let mut around = Some(path.clone());
        while let Some(place) = around {
            // Of the whole configuration something is said that does not touch its parts.
            if found.places.contains(&place) && (!place.segments().is_empty() || place == *path) {
                return;
            }
            around = place.parent();
        }
        found.places.insert(path.clone());
        found.errors.push(Problem { path: path.clone(), message: message.into() });
    }

    /// Adds what does not keep a configuration from coming into force.
    pub fn warn(&self, path: &Path, message: impl Into<String>) {
        self.found.borrow_mut().warnings.push(Problem { path: path.clone(), message: message.into() });
    }

    /// Whether there is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        !self.found.borrow().errors.is_empty()
    }

    /// The errors and the warnings, in the order in which they were found.
    #[must_use]
    pub fn into_found(self) -> (Vec<Problem>, Vec<Problem>) {
        let Found { errors, warnings, .. } = self.found.into_inner();
        (errors, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_error_and_what_is_inside_has_none() {
        let problems = Problems::default();
        let (a, b) = (Path::of(&["a"]), Path::of(&["b"]));
        for (path, message) in [(&a, "1"), (&a, "2"), (&a.item(0).member("x"), "3"), (&b.item(1), "4"), (&b, "5")] {
            problems.error(path, message);
        }
        problems.error(&Path::root(), "6");
        problems.error(&Path::of(&["c"]), "7");
        let errors: Vec<_> = problems.into_found().0.iter().map(ToString::to_string).collect();
        assert_eq!(errors, ["a: 1", "b[1]: 4", "b: 5", "6", "c: 7"]);
    }
}
