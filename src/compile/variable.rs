//! What is said of a variable that is not there.

use crate::keys::looks_like_material;

/// The characters of the secret of a P-256 key in base64, the shortest of all.
const LEAST_KEY: usize = 43;

/// The message for a variable that is missing, with its name where that cannot be the key itself: whoever put the key
/// there by mistake would find it in the log.
pub(super) fn missing_variable(name: &str) -> String {
    // No key is so short, and none has an underscore among its capitals.
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let is_variable = name.contains('_') && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    let is_harmless = is_variable || is_word && name.len() < LEAST_KEY;
    let shown = if is_harmless && !looks_like_material(name.as_bytes()) { format!(" `{name}`") } else { String::new() };
    format!(
        "the environment variable{shown} is missing or empty; set it, and list it in \
         `vm_config.environment_variables.host_env_keys`"
    )
}
