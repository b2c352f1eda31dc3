//! Keys as tools other than OpenSSL write them, and what they write beside keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

#[test]
fn one_key_is_read_as_every_tool_writes_it() {
    let expected = public(A_PUB, Algorithm::Es256).to_jwk();
    for text in [
        form!("java.pem"),
        form!("java-with-public-half.pem"),
        form!("bouncycastle.pem"),
        form!("without-public-half.pem"),
        form!("hybrid.pem"),
        &format!("KEY=\"{}\"", A_PEM.trim()),
        &format!("key: {A_PEM}"),
        &URL_SAFE.encode(der(A_PEM)),
        &URL_SAFE_NO_PAD.encode(A_PEM),
        &STANDARD.encode(format!("\u{feff}{}", text(&PAIRS[0].jwk()))),
    ] {
        assert_eq!(private(text, Algorithm::Es256).public_key().to_jwk(), expected, "{text}");
    }
    for text in [form!("hybrid.pub.pem"), &URL_SAFE_NO_PAD.encode(der(A_PUB)), &format!("\"{A_PUB}\"")] {
        assert_eq!(public(text, Algorithm::Es256).to_jwk(), expected, "{text}");
    }
}

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

#[test]
fn a_hybrid_point_whose_sign_is_the_other_is_none() {
    let mut spki = der(form!("hybrid.pub.pem"));
    let first = spki.len() - 65;
    assert!([6, 7].contains(&spki[first]));
    spki[first] ^= 1;
    let problem = parse(&block("PUBLIC KEY", spki), Algorithm::Es256).unwrap_err();
    assert_eq!(problem, "the public point, of 65 bytes, is none on the curve of a P-256 key");
}
