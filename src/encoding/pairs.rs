//! The encoding in which proxy-wasm passes headers and Envoy lists and maps: the number of pairs, all lengths, then each
//! name and value with a NUL behind it; numbers are four bytes, little-endian.

/// One name and its value.
pub type Pair<'b> = (&'b [u8], &'b [u8]);

/// Reads pairs; `None` when the bytes are not what they say. No bytes are no pairs.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = word(bytes)?;
    let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    // As many lengths are there, so that a wrong count cannot ask for much.
    let mut pairs = Vec::with_capacity(count);
    for lengths in lengths.chunks_exact(8) {
        let (name, lengths) = word(lengths)?;
        let (value, _) = word(lengths)?;
        pairs.push((text(&mut rest, name)?, text(&mut rest, value)?));
    }
    Some(pairs)
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn text<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after.strip_prefix(b"\0")?;
    Some(text)
}

/// Writes pairs.
#[must_use]
pub fn write(pairs: &[Pair<'_>]) -> Vec<u8> {
    let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = word(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(word(name.len()));
        bytes.extend(word(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text);
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_they_are_written() {
        let pairs: [Pair<'_>; 3] = [(b"a", b"1"), (b"b", b""), (b"a", b"\xff\0")];
        let bytes = write(&pairs);
        assert_eq!(read(&bytes).unwrap(), pairs);
        for length in 1..bytes.len() {
            assert_eq!(read(&bytes[..length]), None, "{length}");
        }
        assert_eq!(read(b""), Some(Vec::new()));
        assert_eq!(read(&[255; 64]), None);
    }
}
