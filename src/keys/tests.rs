//! What holds for keys of every type, in every form. Text that is no key at all is a matter of [`super::text`].

use pem::Pem;
use pkcs1::{RsaPrivateKeyRef, UintRef};
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use serde_json::{Map, Value, json};

use super::private::PrivateKey;
use super::{Material, PublicKey};
use crate::crypto::vm;
use crate::jose::algorithm::Algorithm;
use crate::jose::json;
use crate::testing::{A_PEM, A_PUB};

/// A key pair, as OpenSSL writes it.
struct Pair {
    /// What a key of this type is called.
    name: &'static str,
    algorithms: &'static [Algorithm],
    /// PKCS#8 first, then the older form.
    private: [&'static str; 2],
    /// `SubjectPublicKeyInfo` first.
    public: &'static [&'static str],
}

macro_rules! form {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/worthless-keys/forms/", $name))
    };
}

mod numbers;
mod tools;

const PAIRS: [Pair; 5] = [
    Pair {
        name: "a P-256 key",
        algorithms: &[Algorithm::Es256],
        private: [A_PEM, form!("sec1.pem")],
        public: &[A_PUB, form!("compressed.pub.pem"), form!("certificate.pem")],
    },
    Pair {
        name: "a P-384 key",
        algorithms: &[Algorithm::Es384],
        private: [form!("p384.pem"), form!("p384-sec1.pem")],
        public: &[form!("p384.pub.pem"), form!("p384-compressed.pub.pem"), form!("p384-certificate.pem")],
    },
    Pair {
        name: "a P-521 key",
        algorithms: &[Algorithm::Es512],
        private: [form!("p521.pem"), form!("p521-sec1.pem")],
        public: &[form!("p521.pub.pem"), form!("p521-compressed.pub.pem"), form!("p521-certificate.pem")],
    },
    Pair {
        name: "an RSA key",
        algorithms: &[
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ],
        private: [form!("rsa.pem"), form!("rsa-pkcs1.pem")],
        public: &[form!("rsa.pub.pem"), form!("rsa-pkcs1.pub.pem"), form!("rsa-certificate.pem")],
    },
    Pair {
        name: "an Ed25519 key",
        algorithms: &[Algorithm::EdDsa],
        private: [form!("ed25519.pem"), form!("ed25519.pem")],
        public: &[form!("ed25519.pub.pem"), form!("ed25519-certificate.pem")],
    },
];

fn parse(text: &str, algorithm: Algorithm) -> Result<Material, String> {
    Material::parse(text, algorithm).map_err(|error| error.to_string())
}

fn private(text: &str, algorithm: Algorithm) -> PrivateKey {
    match parse(text, algorithm) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn public(text: &str, algorithm: Algorithm) -> PublicKey {
    match parse(text, algorithm) {
        Ok(Material::Public(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn der(pem: &str) -> Vec<u8> {
    pem::parse(pem).unwrap().into_contents()
}

fn block(label: &str, der: impl Into<Vec<u8>>) -> String {
    pem::encode(&Pem::new(label, der))
}

type Jwk = Map<String, Value>;

fn text(jwk: &Jwk) -> String {
    Value::Object(jwk.clone()).to_string()
}

fn with(jwk: &Jwk, changes: &[(&str, &Value)]) -> Jwk {
    let mut changed = jwk.clone();
    changed.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
    changed
}

fn without(jwk: &Jwk, names: &[&str]) -> Jwk {
    let mut changed = jwk.clone();
    changed.retain(|name, _| !names.contains(&name.as_str()));
    changed
}

fn bytes(jwk: &Jwk, name: &str) -> Vec<u8> {
    crate::jose::base64url::decode(jwk[name].as_str().unwrap()).unwrap()
}

fn public_jwk(key: &PublicKey) -> Jwk {
    json::parse_object(key.to_jwk().to_string().as_bytes()).unwrap()
}

impl Pair {
    fn is_rsa(&self) -> bool {
        self.algorithms.len() > 1
    }

    fn is_elliptic_curve(&self) -> bool {
        self.private[1].contains("EC PRIVATE KEY")
    }

    /// The private key as a JWK with all of its members.
    fn jwk(&self) -> Jwk {
        let mut jwk = public_jwk(&public(self.public[0], self.algorithms[0]));
        let pkcs8 = der(self.private[0]);
        let octets = PrivateKeyInfoRef::try_from(&pkcs8[..]).unwrap().private_key.as_bytes();
        let secret = if self.is_rsa() {
            let key = RsaPrivateKeyRef::from_der(octets).unwrap();
            for (name, number) in [
                ("p", &key.prime1),
                ("q", &key.prime2),
                ("dp", &key.exponent1),
                ("dq", &key.exponent2),
                ("qi", &key.coefficient),
            ] {
                jwk.insert(name.to_owned(), crate::jose::base64url::encode(number.as_bytes()).into());
            }
            key.private_exponent.as_bytes()
        } else if self.is_elliptic_curve() {
            EcPrivateKey::try_from(octets).unwrap().private_key
        } else {
            <&OctetStringRef>::from_der(octets).unwrap().as_bytes()
        };
        jwk.insert("d".to_owned(), crate::jose::base64url::encode(secret).into());
        jwk
    }

    /// Another key of the same type.
    fn foreign(&self) -> Jwk {
        if self.is_rsa() {
            let all: Value = serde_json::from_str(include_str!("../../testdata/rfc.json")).unwrap();
            return all["RFC 7515, A.2"]["jwk"].as_object().unwrap().clone();
        }
        let algorithm = self.algorithms[0];
        let mut secret = vec![0; bytes(&self.jwk(), "d").len()];
        secret[31] = 7;
        let key = PrivateKey::from_scalar(algorithm, &secret).or_else(|| PrivateKey::from_seed(algorithm, &secret));
        let jwk = public_jwk(&key.unwrap().public_key());
        with(&jwk, &[("d", &crate::jose::base64url::encode(&secret).into())])
    }

    /// Every form of the private key.
    fn private_forms(&self) -> Vec<String> {
        let jwk = self.jwk();
        let mut forms: Vec<_> = self.private.map(str::to_owned).into();
        forms.push(text(&jwk));
        if self.is_rsa() {
            forms.push(text(&without(&jwk, &["p", "q", "dp", "dq", "qi"])));
            forms.push(text(&without(&jwk, &["dp", "dq", "qi"])));
        } else if self.is_elliptic_curve() {
            let (parameters, _) = form!("sec1-with-parameters.pem").split_once("-----BEGIN EC PRIVATE KEY").unwrap();
            forms.push(format!("{parameters}{}", self.private[1]));
            forms.push(self.without_a_curve());
        } else {
            forms.push(ed25519_with_public_half(&bytes(&jwk, "d"), &bytes(&jwk, "x")));
        }
        forms
    }

    /// SEC 1 that does not say on which curve it is.
    fn without_a_curve(&self) -> String {
        let der = der(self.private[1]);
        let key = EcPrivateKey::try_from(&der[..]).unwrap();
        block("EC PRIVATE KEY", EcPrivateKey { parameters: None, ..key }.to_der().unwrap())
    }

    /// Every form of the public key.
    fn public_forms(&self) -> Vec<String> {
        let jwk = without(&self.jwk(), &["d", "p", "q", "dp", "dq", "qi"]);
        self.public.iter().map(|text| (*text).to_owned()).chain([text(&jwk)]).collect()
    }
}

/// PKCS#8 in its second version (RFC 5958), which OpenSSL reads and does not write.
fn ed25519_with_public_half(seed: &[u8], public: &[u8]) -> String {
    let octets = OctetStringRef::new(seed).unwrap().to_der().unwrap();
    let algorithm =
        pkcs8::AlgorithmIdentifierRef { oid: ObjectIdentifier::new_unwrap("1.3.101.112"), parameters: None };
    let info = PrivateKeyInfoRef {
        public_key: Some(BitStringRef::from_bytes(public).unwrap()),
        ..PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&octets).unwrap())
    };
    block("PRIVATE KEY", info.to_der().unwrap())
}

/// PKCS#1 and PKCS#8 with the numbers of a JWK.
fn rsa_blocks(jwk: &Jwk) -> [String; 2] {
    let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| bytes(jwk, name));
    let [n, e, d, p, q, dp, dq, qi] = numbers.each_ref().map(|number| UintRef::new(number).unwrap());
    let key = RsaPrivateKeyRef {
        modulus: n,
        public_exponent: e,
        private_exponent: d,
        prime1: p,
        prime2: q,
        exponent1: dp,
        exponent2: dq,
        coefficient: qi,
        other_prime_infos: None,
    };
    let pkcs1 = key.to_der().unwrap();
    let pkcs8 = der(form!("rsa.pem"));
    let algorithm = PrivateKeyInfoRef::try_from(&pkcs8[..]).unwrap().algorithm;
    let pkcs8 = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&pkcs1).unwrap()).to_der().unwrap();
    [block("RSA PRIVATE KEY", pkcs1), block("PRIVATE KEY", pkcs8)]
}

/// The same for an elliptic curve, SEC 1 and PKCS#8.
fn ec_blocks(pair: &Pair, scalar: &[u8], point: &[u8]) -> [String; 2] {
    let (sec1, pkcs8) = (der(pair.private[1]), der(pair.private[0]));
    let parameters = EcPrivateKey::try_from(&sec1[..]).unwrap().parameters;
    let key = EcPrivateKey { private_key: scalar, parameters, public_key: Some(point) }.to_der().unwrap();
    let algorithm = PrivateKeyInfoRef::try_from(&pkcs8[..]).unwrap().algorithm;
    let pkcs8 = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&key).unwrap()).to_der().unwrap();
    [block("EC PRIVATE KEY", key), block("PRIVATE KEY", pkcs8)]
}

#[test]
fn every_form_of_every_type_is_read_and_private_stays_private() {
    for pair in PAIRS {
        let (privates, publics) = (pair.private_forms(), pair.public_forms());
        for algorithm in pair.algorithms {
            let expected = public(pair.public[0], *algorithm).to_jwk();
            for (index, text) in privates.iter().enumerate() {
                let Ok(Material::Private(key)) = parse(text, *algorithm) else { panic!("{}: {index}", pair.name) };
                assert_eq!(key.public_key().to_jwk(), expected, "{}: {index}", pair.name);
                assert_eq!(key.public_key().algorithm(), *algorithm);
            }
            for text in &publics {
                assert_eq!(public(text, *algorithm).to_jwk(), expected, "{text}");
            }
        }
    }
}

#[test]
fn what_hosts_read_is_what_openssl_writes() {
    for pair in PAIRS {
        let algorithm = pair.algorithms[0];
        let key = private(pair.private[0], algorithm);
        assert_eq!(key.public_key().to_spki().unwrap(), der(pair.public[0]), "{}", pair.name);
        // No host signs with Ed25519.
        let expected = (algorithm != Algorithm::EdDsa).then(|| der(pair.private[0]));
        assert!(key.to_pkcs8().map(|der| der.to_vec()) == expected, "{}", pair.name);
    }
}

#[test]
fn a_key_with_an_algorithm_of_another_type_is_refused_with_what_was_found() {
    let mut refused = 0;
    for (pair, needed) in PAIRS.iter().flat_map(|pair| PAIRS.iter().map(move |needed| (pair, needed))) {
        if pair.name == needed.name {
            continue;
        }
        for algorithm in needed.algorithms {
            let expected = format!("`{}` needs {}, found {}", algorithm.name(), needed.name, pair.name);
            for text in pair.private_forms().iter().chain(&pair.public_forms()) {
                if pair.is_elliptic_curve() && *text == pair.without_a_curve() {
                    // It may be of any curve, and its size says that it is not of this one.
                    let other = format!("`{}` needs {}, found an EC key", algorithm.name(), needed.name);
                    let point = bytes(&pair.jwk(), "x").len() * 2 + 1;
                    let off = format!("the public point, of {point} bytes, is none on the curve of {}", needed.name);
                    let expected = if needed.is_elliptic_curve() { off } else { other };
                    assert_eq!(parse(text, *algorithm).unwrap_err(), expected);
                } else {
                    assert_eq!(parse(text, *algorithm).unwrap_err(), expected);
                }
                refused += 1;
            }
        }
    }
    // Curves have 9 forms and meet 9 foreign algorithms each, RSA has 9 and meets 4, Ed25519 has 7 and meets 9.
    assert_eq!(refused, 3 * 9 * 9 + 9 * 4 + 7 * 9);
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    for pair in PAIRS.iter().filter(|pair| !pair.is_rsa()) {
        let (own, foreign) = (pair.jwk(), pair.foreign());
        let algorithm = pair.algorithms[0];
        let mixed = with(&own, &[("d", &foreign["d"])]);
        let forms = if pair.is_elliptic_curve() {
            assert_eq!(
                parse(&text(&mixed), algorithm).unwrap_err(),
                "the JWK's `d` does not belong to its `x` and `y`"
            );
            let point = |jwk| [&[4], &bytes(jwk, "x")[..], &bytes(jwk, "y")].concat();
            // Not for how they are made: with the own point they are read.
            for form in ec_blocks(pair, &bytes(&own, "d"), &point(&own)) {
                private(&form, algorithm);
            }
            ec_blocks(pair, &bytes(&own, "d"), &point(&foreign)).to_vec()
        } else {
            assert_eq!(parse(&text(&mixed), algorithm).unwrap_err(), "the JWK's `d` does not belong to its `x`");
            vec![ed25519_with_public_half(&bytes(&own, "d"), &bytes(&foreign, "x"))]
        };
        for form in forms {
            let foreign = "the private key comes with the public half of another key; export it again";
            assert_eq!(parse(&form, algorithm).unwrap_err(), foreign, "{}", pair.name);
        }
    }
}

#[test]
fn every_cut_of_a_key_is_an_error_and_no_key() {
    for pair in PAIRS {
        let algorithm = pair.algorithms[0];
        for form in pair.private_forms().iter().chain(&pair.public_forms()) {
            if form.starts_with('{') {
                for length in 0..form.len() {
                    assert!(parse(form.get(..length).unwrap(), algorithm).is_err(), "{} {length}", pair.name);
                }
                continue;
            }
            let block = pem::parse_many(form).unwrap().pop().unwrap();
            let encode = |der: &[u8]| pem::encode(&Pem::new(block.tag(), der));
            assert!(parse(&encode(block.contents()), algorithm).is_ok());
            for length in 0..block.contents().len() {
                let cut = encode(&block.contents()[..length]);
                assert!(parse(&cut, algorithm).is_err(), "{} {} {length}", pair.name, block.tag());
            }
            let longer = encode(&[block.contents(), b"\0"].concat());
            assert!(parse(&longer, algorithm).is_err(), "{} {}", pair.name, block.tag());
        }
    }
}

fn sign(key: &PrivateKey, message: &[u8]) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    vm::sign(key, message, &mut |bytes| {
        random.fill(bytes);
        true
    })
    .unwrap()
}

#[test]
fn a_signature_is_of_one_algorithm_one_key_one_message_and_one_form() {
    for pair in PAIRS {
        for algorithm in pair.algorithms {
            let key = private(pair.private[0], *algorithm);
            let (own, signature) = (key.public_key(), sign(&key, b"a"));
            let name = algorithm.name();
            assert!(vm::verifies(&own, b"a", &signature), "{name}");
            assert_eq!(signature.len(), own.signature_length(), "{name}");
            for other in pair.algorithms.iter().filter(|other| *other != algorithm) {
                assert!(!vm::verifies(&public(pair.public[0], *other), b"a", &signature), "{name} {}", other.name());
            }
            let foreign = public(&text(&without(&pair.foreign(), &["d", "p", "q", "dp", "dq", "qi"])), *algorithm);
            assert!(!vm::verifies(&foreign, b"a", &signature), "{name}");
            assert!(!vm::verifies(&own, b"b", &signature) && !vm::verifies(&own, b"", &signature), "{name}");
            for (index, _) in signature.iter().enumerate().step_by(if pair.is_rsa() { 8 } else { 1 }) {
                let mut flipped = signature.clone();
                flipped[index] ^= 1 << (index % 8);
                assert!(!vm::verifies(&own, b"a", &flipped), "{name} {index}");
            }
            for length in 0..signature.len() {
                assert!(!vm::verifies(&own, b"a", &signature[..length]), "{name} {length}");
            }
            for longer in [[&signature[..], &[0]].concat(), [&[0], &signature[..]].concat(), signature.repeat(2)] {
                assert!(!vm::verifies(&own, b"a", &longer), "{name}");
            }
        }
    }
}

#[test]
fn without_randomness_only_what_needs_none_is_signed() {
    for pair in PAIRS {
        for algorithm in pair.algorithms {
            let key = private(pair.private[0], *algorithm);
            assert_eq!(vm::sign(&key, b"a", &mut |_| false).is_ok(), !pair.is_rsa(), "{}", algorithm.name());
        }
    }
}

#[test]
fn debug_shows_nothing_of_a_private_key() {
    for pair in PAIRS {
        assert_eq!(format!("{:?}", parse(pair.private[0], pair.algorithms[0]).unwrap()), "Private(PrivateKey(..))");
    }
}

/// Every member that is private in some type of key, in a key that says nothing private otherwise.
#[test]
fn a_jwk_with_any_private_member_is_not_public() {
    for pair in PAIRS {
        let own = without(&pair.jwk(), &["d", "p", "q", "dp", "dq", "qi"]);
        // RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1.
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let changed = with(&own, &[(name, &json!("AQ"))]);
            assert!(parse(&text(&changed), pair.algorithms[0]).is_err(), "{} {name}", pair.name);
        }
    }
}

/// Case 2 of "Taming the many EdDSAs" (2020), where R is a point of small order: the equation of RFC 8032, section 5.1.7
/// holds, and most libraries accept it.
#[test]
fn a_signature_with_a_point_of_small_order_is_none() {
    let hex = |text: &str| -> Vec<u8> {
        let digits = text.as_bytes().chunks(2).map(|digits| std::str::from_utf8(digits).unwrap());
        digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
    };
    let message = hex("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab");
    let key = hex("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43");
    let signature = hex(concat!(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"
    ));
    let holds = ed25519_dalek::VerifyingKey::try_from(&key[..]).unwrap();
    let parsed = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    assert!(signature::Verifier::verify(&holds, &message, &parsed).is_ok());
    let key = PublicKey::from_ed25519(Algorithm::EdDsa, &key).unwrap();
    assert!(!vm::verifies(&key, &message, &signature));
}

#[test]
fn a_certificate_has_three_members_and_no_more() {
    let mut der = der(form!("certificate.pem"));
    assert!(parse(&block("CERTIFICATE", der.clone()), Algorithm::Es256).is_ok());
    // One more, a NULL, inside of the outermost sequence, whose length stands in its third and fourth bytes.
    der.extend([5, 0]);
    assert_eq!(der[..2], [0x30, 0x82]);
    let length = u16::from_be_bytes([der[2], der[3]]) + 2;
    der[2..4].copy_from_slice(&length.to_be_bytes());
    let damaged = "the certificate in there is damaged or cut; make it again (openssl pkey -in KEY)";
    assert_eq!(parse(&block("CERTIFICATE", der), Algorithm::Es256).unwrap_err(), damaged);
}

/// RFC 9864 names the curve; the keys are the same, and each entry of a configuration has one of the two names.
#[test]
fn an_ed25519_key_has_two_names_for_its_algorithm() {
    let pem = include_str!("../../testdata/worthless-keys/forms/ed25519.pem");
    let key = |algorithm| match Material::parse(pem, algorithm) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    };
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::Ed25519));
    assert_eq!((old.public_key().algorithm(), new.public_key().algorithm()), (Algorithm::EdDsa, Algorithm::Ed25519));
    let signature = vm::sign(&new, b"a", &mut |_| false).unwrap();
    assert!(vm::verifies(&new.public_key(), b"a", &signature));
}
