//! Envoy's foreign functions `sign` and `verify_signature`, which take and return protobuf
//! (`envoy.source.extensions.common.wasm.SignArguments` and its siblings).
//!
//! What a key contributes to the arguments, the hash and the key itself, is encoded once. ECDSA signatures are DER there
//! (RFC 3279, section 2.2.3) and two numbers of fixed size in a token (RFC 7518, section 3.4): both ways are strict, so
//! that a signature has one spelling.

use std::cell::RefCell;

use pkcs8::der::asn1::{AnyRef, UintRef};
use pkcs8::der::{Decode as _, Encode as _, Header, Length, Reader as _, SliceReader, Tag};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use zeroize::Zeroizing;

use crate::host::{Crypto, Function};
use crate::jose::algorithm::Algorithm;
use crate::jose::token::MAX_SIZE;
use crate::keys::{PrivateKey, PublicKey};

/// How the host writes a signature.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// As it stands in a token.
    Same,
    /// As a `SEQUENCE` of `r` and `s`.
    Der,
}

/// The name of the hash and the form of signatures; `None` for what the host does not have.
fn scheme(algorithm: Algorithm) -> Option<(&'static str, Form)> {
    match algorithm {
        Algorithm::Es256 => Some(("sha256", Form::Der)),
        Algorithm::Es384 => Some(("sha384", Form::Der)),
        Algorithm::Es512 => Some(("sha512", Form::Der)),
        Algorithm::Rs256 => Some(("sha256", Form::Same)),
        Algorithm::Rs384 => Some(("sha384", Form::Same)),
        Algorithm::Rs512 => Some(("sha512", Form::Same)),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 | Algorithm::EdDsa | Algorithm::Ed25519 => None,
    }
}

/// Appends a field of protobuf.
fn write(arguments: &mut Vec<u8>, field: u32, value: &[u8]) {
    encode_key(field, WireType::LengthDelimited, arguments);
    encode_varint(u64::try_from(value.len()).unwrap_or(u64::MAX), arguments);
    arguments.extend_from_slice(value);
}

/// More than a field needs beside its value.
const FIELD: usize = 16;

/// `hash` and the key, the first two fields of both functions.
fn key_arguments(hash: &str, key: &[u8]) -> Vec<u8> {
    let mut arguments = Vec::with_capacity(hash.len().saturating_add(key.len()).saturating_add(2 * FIELD));
    write(&mut arguments, 1, hash.as_bytes());
    write(&mut arguments, 2, key);
    arguments
}

/// A public key as the host takes it.
#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    form: Form,
    signature_length: usize,
    arguments: Vec<u8>,
}

impl VerifyingKey {
    /// `None` when the host does not have the key's algorithm.
    pub(super) fn new(public: &PublicKey) -> Option<Self> {
        Self::from_spki(public.algorithm(), public.signature_length(), &public.to_spki()?)
    }

    pub(super) fn from_spki(algorithm: Algorithm, signature_length: usize, spki: &[u8]) -> Option<Self> {
        let (hash, form) = scheme(algorithm)?;
        Some(Self { form, signature_length, arguments: key_arguments(hash, spki) })
    }

    /// Whether a signature as it stands in a token is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8], host: &dyn Crypto) -> bool {
        if signature.len() != self.signature_length {
            return false;
        }
        match self.form {
            Form::Same => self.accepts(message, signature, host),
            Form::Der => to_der(signature).is_some_and(|signature| self.accepts(message, &signature, host)),
        }
    }

    /// Whether the host takes a signature, in the host's form, for this key's. No answer and one that cannot be read are
    /// a no.
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8], host: &dyn Crypto) -> bool {
        let lengths = [self.arguments.len(), signature.len(), message.len(), 2 * FIELD];
        let mut arguments = Vec::with_capacity(lengths.into_iter().fold(0, usize::saturating_add));
        arguments.extend_from_slice(&self.arguments);
        write(&mut arguments, 3, signature);
        write(&mut arguments, 4, message);
        let answer = host.call(Function::VerifySignature, &arguments);
        answer
            .and_then(|bytes| VerifySignatureResult::decode(bytes.as_slice()).ok())
            .is_some_and(|answer| answer.result)
    }
}

/// A private key as the host takes it.
pub(super) struct SigningKey {
    form: Form,
    signature_length: usize,
    /// As they are at every call, and behind them the last message, which is no secret: its signature is not there. It has
    /// room for every message, since what grows leaves a copy of the key behind.
    arguments: RefCell<Zeroizing<Vec<u8>>>,
    /// How much of them is the same every time.
    fixed: usize,
}

/// What the longest message takes.
const LONGEST: usize = MAX_SIZE + FIELD;

impl SigningKey {
    /// `None` when the host does not have the key's algorithm.
    pub(super) fn new(private: &PrivateKey) -> Option<Self> {
        let public = private.public_key();
        let (hash, form) = scheme(public.algorithm())?;
        let key = Zeroizing::new(key_arguments(hash, &private.to_pkcs8()?));
        let fixed = key.len();
        let mut arguments = Zeroizing::new(Vec::with_capacity(fixed.saturating_add(LONGEST)));
        arguments.extend_from_slice(&key);
        let arguments = RefCell::new(arguments);
        Some(Self { form, signature_length: public.signature_length(), arguments, fixed })
    }

    /// A signature as it stands in a token; `None` when the host makes none, or one of another form, and for a message
    /// that no token is long enough for.
    pub(super) fn sign(&self, message: &[u8], host: &dyn Crypto) -> Option<Vec<u8>> {
        if message.len() > MAX_SIZE {
            return None;
        }
        let mut arguments = self.arguments.try_borrow_mut().ok()?;
        arguments.truncate(self.fixed);
        write(&mut arguments, 3, message);
        let answer = SignResult::decode(host.call(Function::Sign, &arguments)?.as_slice()).ok()?;
        if !answer.result {
            return None;
        }
        let signature = match self.form {
            Form::Same => answer.signature,
            Form::Der => from_der(&answer.signature, self.signature_length)?,
        };
        (signature.len() == self.signature_length).then_some(signature)
    }
}

/// `r` and `s`, of equal size, as DER.
pub(super) fn to_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    let mut numbers = Vec::with_capacity(signature.len().saturating_add(FIELD));
    for number in [r, s] {
        UintRef::new(number).ok()?.encode(&mut numbers).ok()?;
    }
    AnyRef::new(Tag::Sequence, &numbers).ok()?.to_der().ok()
}

/// `r` and `s` from DER, each filled up with zeros to half of `length`.
pub(super) fn from_der(der: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    if header.tag() != Tag::Sequence || header.length() != reader.remaining_len() {
        return None;
    }
    let (r, s) = (UintRef::decode(&mut reader).ok()?, UintRef::decode(&mut reader).ok()?);
    if reader.remaining_len() != Length::ZERO {
        return None;
    }
    let mut signature = Vec::with_capacity(length);
    for number in [r.as_bytes(), s.as_bytes()] {
        let zeros = (length / 2).checked_sub(number.len())?;
        signature.resize(signature.len().saturating_add(zeros), 0);
        signature.extend_from_slice(number);
    }
    Some(signature)
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`.
#[derive(Clone, PartialEq, prost::Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}

/// `envoy.source.extensions.common.wasm.SignResult`.
#[derive(Clone, PartialEq, prost::Message)]
struct SignResult {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Material;

    /// Keeps the arguments of its last call.
    struct Listener(RefCell<Vec<u8>>);

    impl Crypto for Listener {
        fn call(&self, _: Function, arguments: &[u8]) -> Option<Vec<u8>> {
            *self.0.borrow_mut() = arguments.to_vec();
            Some(SignResult { result: true, signature: to_der(&[1; 64]).unwrap() }.encode_to_vec())
        }

        fn random(&self, _: &mut [u8]) -> bool {
            false
        }
    }

    #[test]
    fn the_key_stays_where_it_is_and_one_message_goes_to_the_host() {
        let pem = include_str!("../../testdata/worthless-keys/cluster-a-2026-11.pem");
        let Ok(Material::Private(key)) = Material::parse(pem, Algorithm::Es256) else { panic!() };
        let key = SigningKey::new(&key).unwrap();
        let host = Listener(RefCell::default());
        let place = || (key.arguments.borrow().as_ptr(), key.arguments.borrow().capacity());
        let before = place();
        for length in [MAX_SIZE, 1, MAX_SIZE, 0] {
            let message = vec![b'x'; length];
            assert_eq!(key.sign(&message, &host), Some(vec![1; 64]), "{length}");
            let mut expected = key.arguments.borrow()[..key.fixed].to_vec();
            write(&mut expected, 3, &message);
            assert_eq!(*host.0.borrow(), expected, "{length}");
            assert_eq!(place(), before, "{length}");
        }
        host.0.borrow_mut().clear();
        assert_eq!(key.sign(&[b'x'; MAX_SIZE + 1], &host), None);
        assert!(host.0.borrow().is_empty());
    }

    #[test]
    fn a_signature_has_one_spelling_in_der() {
        let (zeros, ones) = ([0; 32], [1; 32]);
        for (r, s) in [(ones, [0xff; 32]), (zeros, zeros), ([0x7f; 32], ones)] {
            let signature = [r, s].concat();
            let der = to_der(&signature).unwrap();
            assert_eq!(from_der(&der, 64).unwrap(), signature);
            // Neither cut nor continued.
            for length in 0..der.len() {
                assert_eq!(from_der(&der[..length], 64), None, "{length}");
            }
            assert_eq!(from_der(&[&der[..], &[0]].concat(), 64), None);
        }
        assert_eq!(
            to_der(&[&[0; 31][..], &[1], &[0; 31], &[0x80]].concat()).unwrap(),
            [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]
        );
        for der in [
            // Larger than the curve; shorter or longer than it says; negative; with a zero too many; empty; of another type.
            &[&[0x30, 38, 2, 33][..], &[1; 33], &[2, 1, 1]].concat()[..],
            &[0x30, 7, 2, 1, 1, 2, 1, 1],
            &[0x30, 5, 2, 1, 1, 2, 1, 1],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x31, 6, 2, 1, 1, 2, 1, 1],
            // A third number.
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
        ] {
            assert_eq!(from_der(der, 64), None, "{der:x?}");
        }
    }
}
