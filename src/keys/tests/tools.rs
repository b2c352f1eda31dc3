//! Keys as tools other than OpenSSL write them, and what they write beside keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

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

#[test]
fn what_is_no_key_is_called_by_its_name_with_what_makes_one_of_it() {
    let bare = "digits that are no key in DER: a raw scalar or point does not say of which type it is; put the key here \
                as PEM or as a JWK";
    let request = "a certificate request where a key has to stand; take its key (openssl req -pubkey -noout -in KEY)";
    let pkcs7 =
        "a PKCS#7 bundle where a key has to stand; take one of its certificates (openssl pkcs7 -print_certs -in KEY)";
    let pkcs12 =
        "a PKCS#12 store where a key has to stand; take the key out of it (openssl pkcs12 -nodes -nocerts -in KEY)";
    let of_ed25519 = "the key is in OpenSSH's own format, from which not every `ssh-keygen` converts Ed25519; make another \
                      (openssl genpkey -algorithm ED25519)";
    let of_openssh = "the key is in OpenSSH's own format; convert it (ssh-keygen -e -m PKCS8 -f KEY)";
    let escaped = "not valid PEM: its lines end with a backslash and an `n` instead of a line end; put line ends there \
                   (printf %b \"$KEY\")";
    let jwk = PAIRS[0].jwk();
    let point = [&[4], &bytes(&jwk, "x")[..], &bytes(&jwk, "y")].concat();
    for (text, expected) in [
        (form!("request.pem"), request),
        (&form!("request.pem").replace("BEGIN ", "BEGIN NEW ").replace("END ", "END NEW "), request),
        (&STANDARD.encode(der(form!("request.pem"))), request),
        (form!("pkcs7.pem"), pkcs7),
        (&STANDARD.encode(der(form!("pkcs7.pem"))), pkcs7),
        (form!("pkcs12.base64"), pkcs12),
        (form!("openssh-ed25519.pem"), of_ed25519),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", of_ed25519),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5AAAAIA==\n---- END SSH2 PUBLIC KEY ----", of_ed25519),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAE2VjZHNh\n---- END SSH2 PUBLIC KEY ----", of_openssh),
        (&STANDARD.encode("ecdsa-sha2-nistp256 AAAAE2VjZHNh me"), of_openssh),
        (&STANDARD.encode(bytes(&jwk, "d")), bare),
        (&STANDARD.encode(&point), bare),
        (&hexadecimal(&bytes(&jwk, "d")), bare),
        (&hexadecimal(&der(A_PEM)), bare),
        (&STANDARD.encode(STANDARD.encode(A_PEM)), "base64 of base64; decode it once (base64 -d KEY)"),
        (&Value::from(A_PEM).to_string(), escaped),
    ] {
        assert_eq!(parse(text, Algorithm::Es256).unwrap_err(), expected, "{text}");
    }
}

/// As WebCrypto writes it: whichever of the two names `algorithm` has not.
#[test]
fn the_alg_of_a_jwk_is_shown_with_the_one_that_it_has_to_be() {
    let jwk =
        with(&PAIRS[4].jwk(), &[("alg", &json!("Ed25519")), ("ext", &json!(true)), ("key_ops", &json!(["sign"]))]);
    private(&text(&jwk), Algorithm::Ed25519);
    let problem = parse(&text(&jwk), Algorithm::EdDsa).unwrap_err();
    assert_eq!(problem, "the JWK's `alg` is `Ed25519`, not `EdDSA` as `algorithm`");
    let other = r#"{"kty":"OKP","crv":"Ed448"}"#;
    assert_eq!(parse(other, Algorithm::EdDsa).unwrap_err(), "`EdDSA` needs an Ed25519 key, found an Ed448 key");
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
