//! What came of a fetch.

use zeroize::Zeroizing;

/// The largest body that is read, in bytes. Reading one takes its size in memory, for good.
const LARGEST: usize = 1 << 20;

/// What a source has answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A body, which may be that of a private key, and the entity tag that it came with (RFC 9110, section 8.8.3).
    Body(Zeroizing<Vec<u8>>, Option<String>),
    /// The body of before still holds.
    Unchanged,
    /// Nothing that counts, and why.
    Failed(String),
}

impl Outcome {
    /// What an answer with these headers amounts to. Without headers none came, or it broke off. `size` is that of the body, which
    /// `read` reads.
    ///
    /// Only a 200 counts, and a 304 where the caller has sent an entity tag: Envoy itself never answers with either. A redirect
    /// is not followed, since what it leads to is nobody's word but its own.
    pub fn of(headers: &[(&[u8], &[u8])], size: usize, read: impl FnOnce() -> Option<Vec<u8>>) -> Self {
        let value = |name: &[u8]| headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
        let failed = |why: &str| Self::Failed(why.to_owned());
        let encoding = value(b"content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
        match value(b":status") {
            None => failed("the answer broke off, or never came"),
            Some(b"304") => Self::Unchanged,
            Some(b"200") if size > LARGEST => {
                Self::Failed(format!("the answer has {size} bytes, of {LARGEST} at most"))
            }
            Some(b"200") if encoding.is_some() => failed("the answer has a `content-encoding`"),
            Some(b"200") => match read() {
                Some(body) => Self::Body(Zeroizing::new(body), value(b"etag").and_then(entity_tag)),
                None => failed("the answer cannot be read"),
            },
            Some(status) => {
                let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
                let shown = if is_status { String::from_utf8_lossy(status) } else { "unknown".into() };
                Self::Failed(format!("the answer has status {shown}"))
            }
        }
    }
}

/// An entity tag that can be sent back as it is.
fn entity_tag(value: &[u8]) -> Option<String> {
    let is_plain = value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_plain.then(|| String::from_utf8_lossy(value).into_owned())
}
