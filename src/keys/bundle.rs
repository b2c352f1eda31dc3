//! The text that a gateway's own keys are fetched as: the private one first, and public ones behind it.

use serde_json::Value;

use super::error::KeyError;
use super::jwk;
use super::material::Material;
use crate::jose::algorithm::Algorithm;
use crate::jose::json;

/// A key of a bundle, and its `kid` if it has one.
#[derive(Debug)]
pub struct Bundled {
    /// The `kid`.
    pub name: Option<String>,
    /// The key.
    pub material: Material,
}

/// Reads PEM blocks, a JWK Set, or one key as [`Material::parse`] takes it. In a JWK Set a key's own `alg` holds for it,
/// otherwise every key is for `algorithm`.
///
/// # Errors
/// As those of [`Material::parse`], with the number of the key where there are several; a set that is empty.
pub fn parse(text: &[u8], algorithm: Algorithm) -> Result<Vec<Bundled>, KeyError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii();
    if text.starts_with(b"{") {
        return from_json(text, algorithm);
    }
    let blocks = blocks(text);
    let count = blocks.len();
    let read = |(index, block): (usize, &[u8])| {
        let material = Material::parse(block, algorithm).map_err(|error| numbered(index, count, &error))?;
        Ok(Bundled { name: None, material })
    };
    blocks.into_iter().enumerate().map(read).collect()
}

fn from_json(text: &[u8], algorithm: Algorithm) -> Result<Vec<Bundled>, KeyError> {
    let mut members = json::parse_object(text)
        .map_err(|error| KeyError::new(format!("the JWK cannot be read: {}", error.problem)))?;
    let entries = match members.remove("keys") {
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(KeyError::new("the `keys` of the JWK Set are no array")),
        None => vec![Value::Object(members)],
    };
    if entries.is_empty() {
        return Err(KeyError::new("the JWK Set has no keys"));
    }
    let count = entries.len();
    // All of them, whatever is wrong with one: so that each forgets what is private in it.
    let read: Vec<_> = entries.into_iter().map(|entry| one(entry, algorithm)).collect();
    read.into_iter().enumerate().map(|(index, key)| key.map_err(|error| numbered(index, count, &error))).collect()
}

fn one(entry: Value, algorithm: Algorithm) -> Result<Bundled, KeyError> {
    let Value::Object(members) = entry else {
        return Err(KeyError::new("no JWK"));
    };
    let name = match members.get("kid") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(_) => Err(KeyError::new("its `kid` is no string")),
    };
    let own = members.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
    // The one that signs is for the algorithm of the configuration.
    let algorithm = if jwk::private_member(&members).is_some() { algorithm } else { own.unwrap_or(algorithm) };
    let material = jwk::from_members(members, algorithm, &["sig"])?;
    Ok(Bundled { name: name?, material })
}

fn numbered(index: usize, count: usize, error: &KeyError) -> KeyError {
    let number = index.saturating_add(1);
    KeyError::new(if count > 1 { format!("key {number} of {count}: {error}") } else { error.to_string() })
}

/// The text, cut behind the end of each block of PEM. The parameters that stand before an EC key belong to it.
fn blocks(text: &[u8]) -> Vec<&[u8]> {
    const END: &[u8] = b"-----END ";
    const PARAMETERS: &[u8] = b"-----END EC PARAMETERS";
    let (mut blocks, mut rest, mut start) = (Vec::new(), text, 0_usize);
    while let Some(end) = find(rest, END) {
        let (_, tail) = rest.split_at_checked(end).unwrap_or_default();
        let after_label = find(tail.get(END.len()..).unwrap_or_default(), b"-----").unwrap_or(tail.len());
        let length = END.len().saturating_add(after_label).saturating_add(5).min(tail.len());
        rest = tail.get(length..).unwrap_or_default();
        let end = text.len().saturating_sub(rest.len());
        let block = text.get(start..end).unwrap_or_default();
        if !tail.starts_with(PARAMETERS) && begins_key(block) {
            blocks.push(block);
            start = end;
        }
    }
    let remainder = text.get(start..).unwrap_or_default();
    // A block that does not end is for the reader to refuse, and what stands behind the last one goes with it.
    match blocks.last_mut() {
        Some(last) if !begins_key(remainder) => {
            let begin = start.saturating_sub(last.len());
            *last = text.get(begin..).unwrap_or_default();
        }
        _ => blocks.push(remainder),
    }
    blocks
}

/// Whether a block begins in the text that is more than the parameters of another one.
fn begins_key(text: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN";
    let is_key = |window: &[u8]| window.starts_with(BEGIN) && !window.starts_with(b"-----BEGIN EC PARAMETERS");
    (0..text.len()).any(|start| text.get(start..).is_some_and(is_key))
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{A_PEM, A_PUB, B_PUB};

    #[test]
    fn each_block_is_a_key_and_what_stands_around_them_is_none() {
        let with_parameters = include_str!("../../testdata/worthless-keys/forms/sec1-with-parameters.pem");
        let stray = "-----END PUBLIC KEY-----";
        for (text, count) in [
            (A_PEM.to_owned(), 1),
            (format!("first\n{A_PEM}second\n{A_PUB}{B_PUB}the end\n"), 3),
            (format!("{with_parameters}{B_PUB}"), 2),
            (format!("{A_PUB}{with_parameters}"), 2),
            (format!("{stray}\n{A_PUB}{stray}\n{B_PUB}{stray}\n"), 2),
        ] {
            let keys = parse(text.as_bytes(), Algorithm::Es256).map(|keys| keys.len());
            assert_eq!(keys, Ok(count), "{text}");
        }
        let cut = format!("{A_PEM}{}", A_PUB.split("-----END").next().unwrap_or_default());
        assert!(parse(cut.as_bytes(), Algorithm::Es256).is_err());
    }
}
