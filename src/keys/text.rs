//! The text of a key: PEM or JWK, one key of it.

use zeroize::Zeroizing;

use super::error::KeyError;
use super::key_type::KeyType;
use super::material::Material;
use super::{from_der, jwk};
use crate::jose::algorithm::Algorithm;

const UNREADABLE: &str =
    "expected one key as PEM or as a JWK, found neither; put its text here, not the name of its file";

const NO_SUCH_BLOCK: &str = "expected a PEM block `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`, `PUBLIC KEY`, \
     `RSA PUBLIC KEY` or `CERTIFICATE`";

const OPENSSH: &str = "the key is in OpenSSH's own format; make one with `openssl genpkey`";

const SEVERAL: &str = "expected one key, found more than one PEM block; of a certificate chain, put the first one here";

const ESCAPED_LINE_ENDS: &str = r"not valid PEM: its lines end with a backslash and an `n` instead of a line end";

impl Material {
    /// Reads a key: PEM of one of the forms that `openssl` writes, or a JWK (RFC 7517) as JSON.
    ///
    /// # Errors
    /// Text that is neither; more than one key; an encrypted key; a key that does not fit `algorithm`, or whose private
    /// and public halves do not belong together.
    pub fn parse(text: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') {
            return jwk::parse(text, algorithm);
        }
        from_pem(text, algorithm)
    }
}

#[inline(never)]
fn from_pem(text: &str, algorithm: Algorithm) -> Result<Material, KeyError> {
    // Both PKCS#8 and the older `Proc-Type` header say so in this word.
    if text.contains("ENCRYPTED") {
        return Err(KeyError::new("the key is encrypted; decrypt it first (openssl pkey)"));
    }
    // The reader knows no lone carriage return as the end of a line and takes what stands before an empty one for headers.
    let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
    let text = Zeroizing::new(lines.collect::<Vec<_>>().join("\n"));
    let invalid = || {
        // As in a file of variables, where a value has no line ends.
        let has_escapes = text.contains("\\n");
        KeyError::new(if has_escapes { ESCAPED_LINE_ENDS } else { "not valid PEM" })
    };
    let mut blocks = pem::parse_many(text.as_bytes()).map_err(|_| invalid())?;
    // The reader skips a block that does not end.
    if blocks.len() != text.matches("-----BEGIN").count() {
        return Err(invalid());
    }
    if matches!(blocks.as_slice(), [parameters, key] if parameters.tag() == "EC PARAMETERS" && key.tag() == "EC PRIVATE KEY")
    {
        blocks.remove(0);
    }
    let block = match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => block,
        (None, _) => return Err(KeyError::new(UNREADABLE)),
        (Some(_), false) => return Err(KeyError::new(SEVERAL)),
    };
    let tag = block.tag().to_owned();
    let contents = &Zeroizing::new(block.into_contents());
    match tag.as_str() {
        "PRIVATE KEY" => from_der::from_pkcs8(contents, algorithm),
        "EC PRIVATE KEY" => from_der::from_sec1(contents, algorithm),
        "RSA PRIVATE KEY" => KeyType::Rsa.check(algorithm).and_then(|()| from_der::from_pkcs1(contents, algorithm)),
        "PUBLIC KEY" => from_der::from_spki(contents, algorithm),
        "RSA PUBLIC KEY" => {
            KeyType::Rsa.check(algorithm).and_then(|()| from_der::from_pkcs1_public(contents, algorithm))
        }
        "CERTIFICATE" => from_der::from_certificate(contents, algorithm),
        "OPENSSH PRIVATE KEY" => Err(KeyError::new(OPENSSH)),
        _ => Err(KeyError::new(NO_SUCH_BLOCK)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::jose::json;
    use crate::testing::{A_PEM, A_PUB, B_PEM, B_PUB};

    macro_rules! form {
        ($name:literal) => {
            include_str!(concat!("../../testdata/worthless-keys/forms/", $name))
        };
    }

    fn public(material: Material) -> String {
        match material {
            Material::Private(key) => key.public_key().to_jwk().to_string(),
            Material::Public(key) => key.to_jwk().to_string(),
        }
    }

    fn parse(text: &str) -> Result<Material, String> {
        Material::parse(text, Algorithm::Es256).map_err(|error| error.to_string())
    }

    fn jwk_of(private: &str) -> serde_json::Map<String, Value> {
        let pem = pem::parse(private).unwrap();
        let secret = <p256::SecretKey as p256::pkcs8::DecodePrivateKey>::from_pkcs8_der(pem.contents()).unwrap();
        let mut jwk = json::parse_object(public(parse(private).unwrap()).as_bytes()).unwrap();
        jwk.insert("d".to_owned(), crate::jose::base64url::encode(secret.to_bytes()).into());
        jwk
    }

    #[test]
    fn every_form_that_openssl_writes_is_read_with_any_line_ends() {
        let expected = public(parse(A_PUB).unwrap());
        let private = [A_PEM, form!("sec1.pem"), form!("sec1-with-parameters.pem")];
        let publics = [A_PUB, form!("compressed.pub.pem"), form!("certificate.pem")];
        let ends: [fn(&str) -> String; 6] = [
            str::to_owned,
            |text| text.replace('\n', "\r\n"),
            |text| text.replace('\n', "\r"),
            |text| text.trim_end().to_owned(),
            |text| text.replace('\n', "\n\n  "),
            |text| format!("Bag Attributes\n    friendlyName: a\n{text}\n\n"),
        ];
        for end in ends {
            for text in private {
                let material = parse(&end(text)).unwrap();
                assert!(matches!(material, Material::Private(_)), "{text}");
                assert_eq!(public(material), expected);
            }
            for text in publics {
                let material = parse(&end(text)).unwrap();
                assert!(matches!(material, Material::Public(_)), "{text}");
                assert_eq!(public(material), expected);
            }
        }
    }

    #[test]
    fn a_jwk_is_private_if_it_says_anything_private() {
        let mut jwk = jwk_of(A_PEM);
        let text = |jwk: &serde_json::Map<String, Value>| Value::Object(jwk.clone()).to_string();
        assert!(matches!(parse(&text(&jwk)), Ok(Material::Private(_))));
        for (name, value) in [("alg", "ES256"), ("use", "sig"), ("kid", "other"), ("key_ops", "x")] {
            jwk.insert(name.to_owned(), value.into());
        }
        assert!(matches!(parse(&format!("\n {}\n", text(&jwk))), Ok(Material::Private(_))));
        jwk.remove("d");
        assert!(matches!(parse(&text(&jwk)), Ok(Material::Public(_))));
        // A member that is private in other key types must not slip through as something public.
        jwk.insert("p".to_owned(), "AA".into());
        assert!(parse(&text(&jwk)).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_was_found() {
        let needs = |found| format!("`ES256` needs a P-256 key, found {found}");
        for (text, expected) in [
            (form!("rsa.pem"), needs("an RSA key")),
            (form!("rsa.pub.pem"), needs("an RSA key")),
            (form!("rsa-pkcs1.pem"), needs("an RSA key")),
            (form!("rsa-pkcs1.pub.pem"), needs("an RSA key")),
            (form!("rsa-certificate.pem"), needs("an RSA key")),
            (form!("p384.pem"), needs("a P-384 key")),
            (form!("p384-sec1.pem"), needs("a P-384 key")),
            (form!("p384.pub.pem"), needs("a P-384 key")),
            (form!("p521.pub.pem"), needs("a P-521 key")),
            (form!("secp256k1.pem"), needs("a key of another type")),
            (form!("secp256k1.pub.pem"), needs("a key of another type")),
            (form!("ed25519.pem"), needs("an Ed25519 key")),
            (form!("ed25519.pub.pem"), needs("an Ed25519 key")),
            (r#"{"kty":"oct","k":"AA"}"#, needs("a key of another type")),
            (r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#, needs("a P-384 key")),
            (form!("encrypted.pem"), "the key is encrypted; decrypt it first (openssl pkey)".into()),
            (form!("sec1-encrypted.pem"), "the key is encrypted; decrypt it first (openssl pkey)".into()),
            ("", UNREADABLE.into()),
            ("MIGHAgEAMBMGByqGSM49", UNREADABLE.into()),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "the key inside the PEM block cannot be read".into(),
            ),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not valid PEM".into()),
            ("-----BEGIN PUBLIC KEY-----\nAAAA", "not valid PEM".into()),
            (r"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ESCAPED_LINE_ENDS.into()),
            (
                r#"{"kty":"EC","crv":"P-256"}"#,
                "the JWK lacks a member of its key type or has one of the wrong form".into(),
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
                "the JWK lacks a member of its key type or has one of the wrong form".into(),
            ),
            (r#"{"crv":"P-256"}"#, "the JWK has no `kty`".into()),
            (r#"{"keys":[]}"#, "a JWK set where one JWK has to stand; take one of its `keys`".into()),
            (r#"{"kty":"EC","kty":"EC"}"#, "the JWK is the same member twice".into()),
            (r#"{"kty":"#, "the JWK is not valid JSON at line 1, column 7".into()),
        ] {
            assert_eq!(parse(text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn one_key_only() {
        for text in [
            format!("{A_PEM}{B_PEM}"),
            format!("{A_PUB}{B_PUB}"),
            format!("{A_PEM}{A_PUB}"),
            format!("{}{A_PEM}", form!("certificate.pem")),
        ] {
            assert_eq!(parse(&text).err().unwrap(), SEVERAL);
        }
        // What begins and does not end is not overlooked.
        assert_eq!(parse(&format!("{A_PUB}-----BEGIN PRIVATE KEY-----\nAA")).err().unwrap(), "not valid PEM");
    }

    #[test]
    fn a_jwk_that_contradicts_its_entry_or_itself_is_refused() {
        let with = |name: &str, value: Value| {
            let mut jwk = jwk_of(A_PEM);
            jwk.insert(name.to_owned(), value);
            parse(&Value::Object(jwk).to_string()).err().unwrap()
        };
        assert_eq!(with("alg", "ES384".into()), "the JWK's `alg` is not `ES256`");
        assert_eq!(with("alg", 1.into()), "the JWK's `alg` is not `ES256`");
        assert_eq!(with("use", "enc".into()), "the JWK's `use` is not `sig`");
        assert_eq!(with("d", jwk_of(B_PEM).remove("d").unwrap()), "the JWK's `d` does not belong to its `x` and `y`");
        assert_eq!(with("x", jwk_of(B_PEM).remove("x").unwrap()), "the JWK's `x` and `y` are not a point on the curve");
        let incomplete = "the JWK lacks a member of its key type or has one of the wrong form";
        assert_eq!(with("d", "".into()), incomplete);
        assert_eq!(with("x", "not base64!".into()), incomplete);
    }
}
