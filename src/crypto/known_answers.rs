//! What a host has to know before it is trusted with an algorithm: one right signature, and several that are not.

use super::foreign::VerifyingKey;
use crate::host::Crypto;
use crate::jose::algorithm::Algorithm;

/// `testdata/README.md` says how these were made.
struct Answers {
    spki: &'static [u8],
    /// In the host's form, as the next one.
    signature: &'static [u8],
    /// Another key's for the same message.
    foreign: &'static [u8],
    /// Nothing but zeros.
    zero: &'static [u8],
}

const MESSAGE: &[u8] = b"wristband";

/// `r` and `s` are zero.
const ZERO_DER: &[u8] = &[0x30, 6, 2, 1, 0, 2, 1, 0];

macro_rules! answers {
    ($key:literal, $algorithm:literal, $zero:expr) => {
        Answers {
            spki: include_bytes!(concat!("../../testdata/known-answers/", $key, ".spki")),
            signature: include_bytes!(concat!("../../testdata/known-answers/", $algorithm, ".sig")),
            foreign: include_bytes!(concat!("../../testdata/known-answers/", $algorithm, ".foreign.sig")),
            zero: $zero,
        }
    };
}

fn answers(algorithm: Algorithm) -> Option<Answers> {
    Some(match algorithm {
        Algorithm::Es256 => answers!("es256", "es256", ZERO_DER),
        Algorithm::Es384 => answers!("es384", "es384", ZERO_DER),
        Algorithm::Es512 => answers!("es512", "es512", ZERO_DER),
        Algorithm::Rs256 => answers!("rsa", "rs256", &[0; 256]),
        Algorithm::Rs384 => answers!("rsa", "rs384", &[0; 256]),
        Algorithm::Rs512 => answers!("rsa", "rs512", &[0; 256]),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 | Algorithm::EdDsa | Algorithm::Ed25519 => {
            return None;
        }
    })
}

/// Whether the host accepts what it should and refuses what it should.
pub(super) fn is_passed(algorithm: Algorithm, host: &dyn Crypto) -> bool {
    let Some(answers) = answers(algorithm) else {
        return false;
    };
    let Some(key) = VerifyingKey::from_spki(algorithm, answers.signature.len(), answers.spki) else {
        return false;
    };
    let truncated = answers.signature.split_last().map_or(&[][..], |(_, start)| start);
    let refuses = |message, signature| !key.accepts(message, signature, host);
    key.accepts(MESSAGE, answers.signature, host)
        && refuses(b"wristbanD", answers.signature)
        && refuses(MESSAGE, truncated)
        && refuses(MESSAGE, answers.zero)
        && refuses(MESSAGE, answers.foreign)
        && refuses(MESSAGE, b"")
}
