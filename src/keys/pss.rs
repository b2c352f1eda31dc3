//! Keys that are good for RSASSA-PSS alone (id-RSASSA-PSS), which parameters may bind to one hash.

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use pkcs8::spki::AlgorithmIdentifierRef;

use super::error::KeyError;
use super::oid::{SHA256, SHA384, SHA512};
use crate::jose::algorithm::Algorithm;

/// The hash of PS256 and its like.
pub(super) fn hash_of(algorithm: Algorithm) -> Option<(ObjectIdentifier, u8)> {
    match algorithm {
        Algorithm::Ps256 => Some((SHA256, 32)),
        Algorithm::Ps384 => Some((SHA384, 48)),
        Algorithm::Ps512 => Some((SHA512, 64)),
        _ => None,
    }
}

/// Parameters bind a key of RSASSA-PSS to one hash and the least length of its salt (RFC 4055, section 3.1); without any it
/// is free. JOSE's salt is as long as the hash (RFC 7518, section 3.5).
pub(super) fn check(identifier: &AlgorithmIdentifierRef<'_>, algorithm: Algorithm) -> Result<(), KeyError> {
    let (Some(parameters), Some((hash, length))) = (identifier.parameters, hash_of(algorithm)) else {
        return Ok(());
    };
    let (found, mask, salt) = pss_parameters(parameters)
        .map_err(|_| KeyError::new("the parameters of the RSASSA-PSS key are damaged or cut"))?;
    if found == Some(hash) && mask == Some(hash) && salt <= length {
        return Ok(());
    }
    let name = algorithm.name();
    Err(KeyError::new(format!("the parameters of the RSASSA-PSS key do not allow what `{name}` needs; make another")))
}

/// Hash, hash of the mask, and the least salt; `None` for SHA-1, which is what a hash that is absent stands for.
fn pss_parameters(
    parameters: AnyRef<'_>,
) -> pkcs8::der::Result<(Option<ObjectIdentifier>, Option<ObjectIdentifier>, u8)> {
    const DEFAULT_SALT: u8 = 20;
    let (mut hash, mut mask, mut salt) = (None, None, DEFAULT_SALT);
    parameters.tag().assert_eq(Tag::Sequence)?;
    let mut members = SliceReader::new(parameters.value())?;
    while !members.is_finished() {
        let member = AnyRef::decode(&mut members)?;
        match member.tag() {
            Tag::ContextSpecific { number: TagNumber(0), .. } => {
                hash = Some(AlgorithmIdentifierRef::from_der(member.value())?.oid);
            }
            Tag::ContextSpecific { number: TagNumber(1), .. } => {
                let function = AlgorithmIdentifierRef::from_der(member.value())?;
                // MGF1, whose parameter is its hash.
                mask = function.parameters.map(|of| of.decode_as::<AlgorithmIdentifierRef<'_>>()).transpose()?;
            }
            Tag::ContextSpecific { number: TagNumber(2), .. } => salt = u8::from_der(member.value())?,
            _ => {}
        }
    }
    Ok((hash, mask.map(|mask| mask.oid), salt))
}
