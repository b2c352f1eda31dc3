//! `schema`: the JSON Schema of the configuration.

use crate::config::reference;

/// The schema, as it is kept in `docs`.
pub(super) fn text() -> String {
    let schema = reference::schema();
    format!("{schema:#}\n")
}
