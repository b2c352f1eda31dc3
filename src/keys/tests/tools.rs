//! Keys as tools other than OpenSSL write them, and what they write beside keys.

use super::*;

/// The second version of PKCS#8 (RFC 5958) has it, beside the private key.
#[test]
fn the_public_half_of_another_key_is_refused_in_pkcs8_of_every_type() {
    let foreign = "the private key comes with the public half of another key; export it again";
    for pair in PAIRS {
        let pkcs8 = der(pair.private[0]);
        let info = PrivateKeyInfoRef::try_from(&pkcs8[..]).unwrap();
        let with_half = |spki: &[u8]| {
            let public = pkcs8::spki::SubjectPublicKeyInfoRef::try_from(spki).unwrap().subject_public_key;
            let info = PrivateKeyInfoRef { public_key: Some(public), ..info.clone() };
            parse(&block("PRIVATE KEY", info.to_der().unwrap()), pair.algorithms[0])
        };
        assert!(with_half(&der(pair.public[0])).is_ok(), "{}", pair.name);
        let other = without(&pair.foreign(), &["d", "p", "q", "dp", "dq", "qi", "alg", "kid"]);
        let other = public(&text(&other), pair.algorithms[0]).to_spki().unwrap();
        assert_eq!(with_half(&other).err().as_deref(), Some(foreign), "{}", pair.name);
    }
}
