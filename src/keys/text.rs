//! The text of a key as tools write it: PEM, a JWK, or base64 of either or of the bare DER; one key of it.
//!
//! What is refused is refused with what was found and the command that mends it. No message quotes a key.

use std::borrow::Cow;

use pem::Pem;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::material::Material;
use super::recognition::{SMALLEST, base64_decoded, has_block};
use super::{from_der, jwk};
use crate::jose::algorithm::Algorithm;

const UNREADABLE: &str =
    "expected one key as PEM or as a JWK, found neither; put its text here, not the name of its file";

const OPENSSH: &str = "the key is in OpenSSH's own format; convert a copy (ssh-keygen -p -m PKCS8 -f KEY)";

const OPENSSH_PUBLIC: &str = "the key is in OpenSSH's own format; convert it (ssh-keygen -e -m PKCS8 -f KEY)";

const OPENSSH_ED25519: &str = "the key is in OpenSSH's own format, from which not every `ssh-keygen` converts Ed25519; make \
     another (openssl genpkey -algorithm ED25519)";

const TWICE: &str = "base64 of base64; decode it once (base64 -d KEY)";

const BARE: &str = "digits that are no key in DER: a raw scalar or point does not say of which type it is; put the key here as \
     PEM or as a JWK";

const ENCRYPTED_JWK: &str = "the JWK is encrypted (JWE); decrypt it first";

const PRIVATE_AROUND: &str = "the text around the public block has the private key in it, as `openssl ... -text` prints \
     it; put the block alone here (openssl pkey -pubout -in KEY)";

const ESCAPED_LINE_ENDS: &str = "not valid PEM: its lines end with a backslash and an `n` instead of a line end; put line \
     ends there (printf %b \"$KEY\")";

/// The labels of blocks that may have a key in them, whichever it is.
const LABELS: [&str; 9] = [
    "PRIVATE KEY",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
    "PUBLIC KEY",
    "EC PUBLIC KEY",
    "RSA PUBLIC KEY",
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
];

impl Material {
    /// Reads a key of ours: PEM, a JWK (RFC 7517) as JSON, or base64 of one of them or of DER.
    ///
    /// # Errors
    /// Text that is none of these; more than one key; an encrypted key; a key that does not fit `algorithm`, or whose
    /// private and public halves do not belong together.
    pub fn parse(text: impl AsRef<[u8]>, algorithm: Algorithm) -> Result<Self, KeyError> {
        read(text.as_ref(), algorithm, &["sig"], true)
    }

    /// Reads a peer's key, which may be one of a SPIFFE bundle (`use: jwt-svid`).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_peers(text: impl AsRef<[u8]>, algorithm: Algorithm) -> Result<Self, KeyError> {
        read(text.as_ref(), algorithm, &["sig", "jwt-svid"], true)
    }
}

fn read(text: &[u8], algorithm: Algorithm, uses: &[&str], may_be_base64: bool) -> Result<Material, KeyError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii();
    let starts = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start.as_bytes()));
    if text.starts_with(b"{") {
        return jwk::parse(text, algorithm, uses);
    }
    if has_block(text) {
        return from_pem(text, algorithm);
    }
    if starts(&["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "---- BEGIN SSH2 PUBLIC KEY"]) {
        return Err(openssh(text, OPENSSH_PUBLIC));
    }
    if text.starts_with(b"eyJ") && text.iter().filter(|byte| **byte == b'.').count() == 4 {
        return Err(KeyError::new(ENCRYPTED_JWK));
    }
    let Some(decoded) = base64_decoded(text) else {
        return Err(KeyError::new(UNREADABLE));
    };
    match *decoded.as_slice() {
        _ if !may_be_base64 => Err(KeyError::new(if decoded.len() < SMALLEST { UNREADABLE } else { TWICE })),
        _ if is_text(&decoded) => read(&decoded, algorithm, uses, false),
        // A `SEQUENCE`.
        [0x30, ..] => from_der::read(&decoded, algorithm, false),
        // As many bytes as the smallest of raw keys has.
        _ if decoded.len() >= 32 => Err(KeyError::new(BARE)),
        _ => Err(KeyError::new(UNREADABLE)),
    }
}

/// A key in DER always has a byte that no text has.
fn is_text(decoded: &[u8]) -> bool {
    let is_plain = |text: &str| !text.chars().any(|character| character.is_control() && !character.is_whitespace());
    std::str::from_utf8(decoded).is_ok_and(is_plain) || has_block(decoded)
}

/// A key of OpenSSH's. Both words say that it is of Ed25519, the second in base64.
fn openssh(text: &[u8], convert: &'static str) -> KeyError {
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    KeyError::new(if has(b"ssh-ed25519") || has(b"AAAAC3NzaC1lZDI1NTE5") { OPENSSH_ED25519 } else { convert })
}

#[inline(never)]
fn from_pem(text: &[u8], algorithm: Algorithm) -> Result<Material, KeyError> {
    // What stands around a block may be in any encoding.
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let (blocks, mut around, is_encrypted) = blocks_and_rest(&text);
    let invalid = || {
        // As in a file of variables, where a value has no line ends.
        let has_escapes = text.contains("\\n");
        KeyError::new(if has_escapes { ESCAPED_LINE_ENDS } else { "not valid PEM" })
    };
    let mut parsed = pem::parse_many(blocks.as_bytes()).map_err(|_| invalid())?;
    // The reader skips a block that does not end.
    if parsed.len() != blocks.matches("-----BEGIN").count() {
        return Err(invalid());
    }
    parsed.retain(|block| block.tag() != "EC PARAMETERS");
    let block = match (parsed.pop(), parsed.is_empty()) {
        (Some(block), true) => block,
        (None, _) => return Err(KeyError::new(UNREADABLE)),
        (Some(last), false) => {
            parsed.push(last);
            let error = several(parsed.iter());
            parsed.into_iter().for_each(|block| drop(Zeroizing::new(block.into_contents())));
            return Err(error);
        }
    };
    let label = block.tag().to_owned();
    let contents = Zeroizing::new(block.into_contents());
    if is_encrypted || label == "ENCRYPTED PRIVATE KEY" {
        return Err(KeyError::new(from_der::ENCRYPTED));
    }
    match label.as_str() {
        "OPENSSH PRIVATE KEY" => return Err(openssh(&contents, OPENSSH)),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => return Err(KeyError::new(from_der::REQUEST)),
        "PKCS7" => return Err(KeyError::new(from_der::PKCS7)),
        label if LABELS.contains(&label) => {}
        label => return Err(KeyError::new(format!("a PEM block `{}` has no key for this; {EXPECTED}", shown(label)))),
    }
    let material = from_der::read(&contents, algorithm, label == "TRUSTED CERTIFICATE")?;
    around.make_ascii_lowercase();
    let is_private =
        ["priv:", "private key-", "private-key:", "private key:", "private exponent", "privateexponent", "\"d\""]
            .iter()
            .any(|mark| around.contains(mark));
    if is_private && matches!(material, Material::Public(_)) {
        return Err(KeyError::new(PRIVATE_AROUND));
    }
    Ok(material)
}

const EXPECTED: &str = "expected `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`, `PUBLIC KEY`, `RSA PUBLIC KEY` or \
     `CERTIFICATE`";

/// A label as messages show it.
fn shown(label: &str) -> Cow<'_, str> {
    let is_plain =
        label.len() <= 40 && label.bytes().all(|byte| byte.is_ascii_uppercase() || b" 0123456789".contains(&byte));
    if is_plain { label.into() } else { "...".into() }
}

/// The blocks without their headers, all other lines and those headers, and whether a header says that the block is encrypted (RFC 1421,
/// section 4.6.1.1). The reader of PEM knows no lone carriage return as the end of a line.
fn blocks_and_rest(text: &str) -> (Zeroizing<String>, Zeroizing<String>, bool) {
    let capacity = || Zeroizing::new(String::with_capacity(text.len().saturating_add(2)));
    let (mut blocks, mut around, mut is_encrypted, mut is_inside) = (capacity(), capacity(), false, false);
    for line in text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        // A quote or the name of a variable before it is no part of the block.
        let start = line.find("-----BEGIN").unwrap_or_default();
        let (before, line) = line.split_at_checked(start).unwrap_or_default();
        around.push_str(before);
        let begins = line.starts_with("-----BEGIN");
        let is_header = is_inside && line.contains(':');
        is_encrypted |= is_header && line.starts_with("Proc-Type") && line.contains("ENCRYPTED");
        is_inside = (is_inside || begins) && !line.starts_with("-----END");
        let target = if is_header {
            &mut around
        } else if is_inside || line.starts_with("-----") {
            &mut blocks
        } else {
            &mut around
        };
        target.push_str(line);
        target.push('\n');
    }
    (blocks, around, is_encrypted)
}

/// Several blocks: which of them to keep.
fn several<'p>(blocks: impl Iterator<Item = &'p Pem>) -> KeyError {
    let labels: Vec<_> = blocks.map(Pem::tag).collect();
    let count = labels.len();
    let all = |end: &str| labels.iter().all(|label| label.ends_with(end));
    KeyError::new(if all("CERTIFICATE") {
        format!("expected one key, found a chain of {count} certificates; keep the first block, whose key signs")
    } else if all("PUBLIC KEY") {
        format!("expected one key, found {count} of them; give each an entry of its own")
    } else {
        let listed: Vec<_> = labels.iter().map(|label| format!("`{}`", shown(label))).collect();
        let listed = listed.join(", ");
        format!(
            "expected one key, found the blocks {listed}; keep the private one where it signs, a public one elsewhere"
        )
    })
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
        for (name, value) in [("alg", "ES256"), ("use", "sig"), ("kid", "other")] {
            jwk.insert(name.to_owned(), value.into());
        }
        jwk.insert("key_ops".to_owned(), serde_json::json!(["sign", "verify"]));
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
            (form!("secp256k1.pem"), needs("a secp256k1 key")),
            (form!("secp256k1.pub.pem"), needs("a secp256k1 key")),
            (form!("ed25519.pem"), needs("an Ed25519 key")),
            (form!("ed25519.pub.pem"), needs("an Ed25519 key")),
            (r#"{"kty":"oct","k":"AA"}"#, needs("a symmetric key")),
            (r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#, needs("a P-384 key")),
            (form!("encrypted.pem"), from_der::ENCRYPTED.into()),
            (form!("sec1-encrypted.pem"), from_der::ENCRYPTED.into()),
            ("", UNREADABLE.into()),
            (
                "MIGHAgEAMBMGByqGSM49",
                "no key is in there: neither PKCS#8, SEC 1, PKCS#1, SubjectPublicKeyInfo nor a certificate".into(),
            ),
            ("AAAA", UNREADABLE.into()),
            (form!("explicit.pem"), format!("{EXPLICIT} -param_enc named_curve -in KEY)")),
            (form!("explicit-pkcs8.pem"), format!("{EXPLICIT} -param_enc named_curve -in KEY)")),
            (form!("explicit.pub.pem"), format!("{EXPLICIT} -pubin -pubout -param_enc named_curve -in KEY)")),
            (form!("brainpool.pub.pem"), needs("a brainpoolP256r1 key")),
            (form!("rsa-pss-sha256.pub.pem"), needs("one for RSASSA-PSS alone (id-RSASSA-PSS)")),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "no key is in there: neither PKCS#8, SEC 1, PKCS#1, SubjectPublicKeyInfo nor a certificate".into(),
            ),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not valid PEM".into()),
            ("-----BEGIN PUBLIC KEY-----\nAAAA", "not valid PEM".into()),
            (r"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ESCAPED_LINE_ENDS.into()),
            (r#"{"kty":"EC","crv":"P-256"}"#, "the JWK has no `x`".into()),
            (r#"{"kty":"EC"}"#, "the JWK has no `crv`".into()),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
                "the JWK's `x` and `y` are not a point on the curve".into(),
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AA"}"#,
                "the JWK's `x` has 33 bytes, its curve has 32".into(),
            ),
            (r#"{"kty":"EC","crv":"secp256k1"}"#, needs("a secp256k1 key")),
            (r#"{"protected":"e30","ciphertext":"AA"}"#, ENCRYPTED_JWK.into()),
            ("eyJhbGciOiJkaXIifQ..AA.AA.AA", ENCRYPTED_JWK.into()),
            ("ecdsa-sha2-nistp256 AAAAE2VjZHNh me@host", OPENSSH_PUBLIC.into()),
            ("ssh-rsa AAAAB3NzaC1yc2E me@host", OPENSSH_PUBLIC.into()),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", OPENSSH.into()),
            (
                "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----",
                format!("a PEM block `X509 CRL` has no key for this; {EXPECTED}"),
            ),
            (r#"{"crv":"P-256"}"#, "the JWK has no `kty`".into()),
            (r#"{"keys":[]}"#, "a JWK set where one JWK has to stand; take one of its `keys`".into()),
            (r#"{"kty":"EC","kty":"EC"}"#, "the JWK cannot be read: the same member twice".into()),
            (r#"{"kty":"#, "the JWK cannot be read: not valid JSON at line 1, column 7".into()),
        ] {
            assert_eq!(parse(text).err(), Some(expected), "{text}");
        }
    }

    const EXPLICIT: &str = "the curve is written out (explicit parameters) instead of named; name it (openssl ec";

    #[test]
    fn a_key_of_rsassa_pss_is_good_for_the_hash_that_its_parameters_allow() {
        let (private, public) = (form!("rsa-pss-sha256.pem"), form!("rsa-pss-sha256.pub.pem"));
        assert!(matches!(Material::parse(private, Algorithm::Ps256), Ok(Material::Private(_))));
        assert!(matches!(Material::parse(public, Algorithm::Ps256), Ok(Material::Public(_))));
        let error = |algorithm| Material::parse(public, algorithm).err().unwrap().to_string();
        for (algorithm, name) in [(Algorithm::Ps384, "PS384"), (Algorithm::Ps512, "PS512")] {
            let expected =
                format!("the parameters of the RSASSA-PSS key do not allow what `{name}` needs; make another");
            assert_eq!(error(algorithm), expected);
        }
        assert_eq!(error(Algorithm::Rs256), "`RS256` needs an RSA key, found one for RSASSA-PSS alone (id-RSASSA-PSS)");
    }

    /// As the crate `ring` wrote them: the public half is tagged explicitly.
    #[test]
    fn an_old_ed25519_key_is_read() {
        let pkcs8 = pem::parse(form!("ed25519.pem")).unwrap();
        let public = pem::parse(form!("ed25519.pub.pem")).unwrap();
        let (seed, point) = (&pkcs8.contents()[16..], &public.contents()[12..]);
        let old = |point: &[u8]| {
            let start = [0x30, 0x53, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
            let der = [&start[..], seed, &[0xa1, 0x23, 3, 0x21, 0], point].concat();
            Material::parse(pem::encode(&Pem::new("PRIVATE KEY", der)), Algorithm::EdDsa)
        };
        assert!(matches!(old(point), Ok(Material::Private(_))));
        let foreign = old(&[[9; 31].as_slice(), &[0]].concat());
        assert!(foreign.is_err(), "the public half of another key");
    }

    #[test]
    fn one_key_only() {
        let chain = "expected one key, found a chain of 2 certificates; keep the first block, whose key signs";
        let two = "expected one key, found 2 of them; give each an entry of its own";
        let mixed = |labels: &str| {
            format!(
                "expected one key, found the blocks {labels}; keep the private one where it signs, a public one elsewhere"
            )
        };
        for (text, expected) in [
            (format!("{A_PEM}{B_PEM}"), mixed("`PRIVATE KEY`, `PRIVATE KEY`")),
            (format!("{A_PUB}{B_PUB}"), two.to_owned()),
            (format!("{A_PEM}{A_PUB}"), mixed("`PRIVATE KEY`, `PUBLIC KEY`")),
            (format!("{}{A_PEM}", form!("certificate.pem")), mixed("`CERTIFICATE`, `PRIVATE KEY`")),
            (form!("certificate.pem").repeat(2), chain.to_owned()),
        ] {
            assert_eq!(parse(&text).err().unwrap(), expected);
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
        assert_eq!(with("alg", "ES384".into()), "the JWK's `alg` is `ES384`, not `ES256` as `algorithm`");
        assert_eq!(with("alg", 1.into()), "the JWK's `alg` is `...`, not `ES256` as `algorithm`");
        assert_eq!(with("use", "enc".into()), "the JWK's `use` is not `sig`");
        assert_eq!(with("d", jwk_of(B_PEM).remove("d").unwrap()), "the JWK's `d` does not belong to its `x` and `y`");
        assert_eq!(with("x", jwk_of(B_PEM).remove("x").unwrap()), "the JWK's `x` and `y` are not a point on the curve");
        assert_eq!(with("d", "".into()), "the secret scalar is zero, or not below the order of its curve");
        assert_eq!(with("x", "not base64!".into()), "the JWK's `x` is no base64url");
        assert_eq!(with("key_ops", serde_json::json!(["verify"])), "the JWK's `key_ops` does not have `sign`");
        assert_eq!(with("key_ops", "sign".into()), "the JWK's `key_ops` does not have `sign`");
        assert_eq!(with("use", "jwt-svid".into()), "the JWK's `use` is not `sig`");
    }

    #[test]
    fn what_tools_really_write_is_read() {
        let expected = public(parse(A_PUB).unwrap());
        let relabel = |text: &str, from: &str, to: &str| text.replace(from, to);
        let base64 = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("-----"));
            lines.collect::<String>()
        };
        let of_secret = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        let mut with_null = jwk_of(A_PEM);
        with_null.insert("d".to_owned(), Value::Null);
        let x = format!("{}=", with_null["x"].as_str().unwrap());
        with_null.insert("x".to_owned(), x.into());
        let with_null = Value::Object(with_null).to_string();
        for text in [
            relabel(A_PUB, "PUBLIC KEY", "RSA PUBLIC KEY"),
            relabel(A_PUB, "PUBLIC KEY", "EC PUBLIC KEY"),
            relabel(form!("certificate.pem"), "CERTIFICATE", "X509 CERTIFICATE"),
            relabel(form!("certificate.pem"), "CERTIFICATE", "PUBLIC KEY"),
            base64(A_PUB),
            base64(A_PUB).trim_end_matches('=').to_owned(),
            base64(form!("certificate.pem")),
            of_secret(A_PUB),
            of_secret(&with_null),
            with_null.clone(),
            format!("\u{feff}{with_null}"),
            format!("# ENCRYPTED: no. J\u{fc}rgen's\n{A_PUB}"),
        ] {
            assert!(matches!(parse(&text), Ok(Material::Public(_))), "{text}");
            assert_eq!(public(parse(&text).unwrap()), expected, "{text}");
        }
        for text in [
            relabel(A_PEM, "PRIVATE KEY", "EC PRIVATE KEY"),
            relabel(A_PEM, "PRIVATE KEY", "RSA PRIVATE KEY"),
            relabel(A_PEM, "PRIVATE KEY", "PUBLIC KEY"),
            relabel(form!("sec1.pem"), "EC PRIVATE KEY", "PRIVATE KEY"),
            base64(A_PEM),
            base64(form!("sec1.pem")),
            of_secret(A_PEM),
        ] {
            assert!(matches!(parse(&text), Ok(Material::Private(_))), "{text}");
            assert_eq!(public(parse(&text).unwrap()), expected, "{text}");
        }
        let latin = [b"# J\xfcrgen\n", A_PUB.as_bytes()].concat();
        assert!(matches!(Material::parse(latin, Algorithm::Es256), Ok(Material::Public(_))));
        let pkcs1 = form!("rsa-pkcs1.pub.pem").replace("RSA PUBLIC KEY", "PUBLIC KEY");
        assert!(matches!(Material::parse(pkcs1, Algorithm::Ps256), Ok(Material::Public(_))));
        let trusted = pem::parse(form!("certificate.pem")).unwrap();
        let trusted = pem::encode(&Pem::new("TRUSTED CERTIFICATE", [trusted.contents(), &[0x30, 0]].concat()));
        assert_eq!(public(parse(&trusted).unwrap()), expected);
        let mut bundle = jwk_of(A_PEM);
        bundle.remove("d");
        bundle.insert("use".to_owned(), "jwt-svid".into());
        assert!(Material::parse_peers(Value::Object(bundle).to_string(), Algorithm::Es256).is_ok());
        // A private key in what `openssl ec -text` prints around the public one.
        for around in [
            "Private-Key: (256 bit)\npriv:\n    00:11\npub:\n    04:22\n",
            "----BEGIN EC PRIVATE KEY----\nAAAA\n",
            "# {\"kty\": \"EC\", \"d\": \"AAAA\"}\n",
        ] {
            let inside = A_PUB.replacen("-----\n", &format!("-----\nComment: {}\n\n", around.replace('\n', " ")), 1);
            for printed in [format!("{around}{A_PUB}"), format!("{A_PUB}{around}"), inside] {
                assert_eq!(parse(&printed).err().as_deref(), Some(PRIVATE_AROUND), "{printed}");
            }
        }
        for (name, value) in [
            ("pem", Value::from(A_PEM)),
            ("x5c", serde_json::json!([A_PEM])),
            ("private", serde_json::json!({"kty": "EC", "d": "AAAA"})),
        ] {
            let mut jwk = jwk_of(A_PEM);
            jwk.remove("d");
            jwk.insert(name.to_owned(), value);
            let problem = parse(&Value::Object(jwk).to_string()).err();
            assert_eq!(problem.as_deref(), Some("a member of the JWK has a private key in it; leave it out"), "{name}");
        }
        assert!(parse(&format!("# the private key is with Alice\n{A_PUB}")).is_ok());
    }
}
