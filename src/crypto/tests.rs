//! Hosts that do the arithmetic as Envoy does, and hosts that do not.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::rc::Rc;

use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use prost::Message as _;
use rsa::{BoxedUint, Pkcs1v15Sign};
use sec1::EcPrivateKey;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Arithmetic, Backend, Operation, Preference, SigningFailed, SigningKey, Unusable, VerifyingKey, vm};
use crate::host::{Crypto, Function};
use crate::jose::algorithm::Algorithm;
use crate::keys::{Material, PrivateKey, PublicKey};

/// `envoy.source.extensions.common.wasm.VerifySignatureArguments`.
#[derive(Clone, PartialEq, prost::Message)]
struct Verify {
    #[prost(string, tag = "1")]
    hash: String,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

/// `SignArguments`.
#[derive(Clone, PartialEq, prost::Message)]
struct Sign {
    #[prost(string, tag = "1")]
    hash: String,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    text: Vec<u8>,
}

/// `VerifySignatureResult` without, and `SignResult` with a signature.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

fn answer(result: bool) -> Option<Vec<u8>> {
    Some(Answer { result, signature: Vec::new() }.encode_to_vec())
}

fn signed(signature: impl Into<Vec<u8>>) -> Option<Vec<u8>> {
    Some(Answer { result: true, signature: signature.into() }.encode_to_vec())
}

fn digest(hash: &str, text: &[u8]) -> (Vec<u8>, Pkcs1v15Sign) {
    match hash {
        "sha256" => (Sha256::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha256>()),
        "sha384" => (Sha384::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha384>()),
        "sha512" => (Sha512::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha512>()),
        _ => panic!("{hash}"),
    }
}

const RSA: &str = "1.2.840.113549.1.1.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";

/// What a key is: its algorithm, for an elliptic curve that.
fn identifier(algorithm: &pkcs8::AlgorithmIdentifierRef<'_>) -> String {
    algorithm.parameters_oid().unwrap_or(algorithm.oid).to_string()
}

/// What Envoy does: the key decides between ECDSA, whose signatures are DER, and RSA.
fn verify(Verify { hash, key, signature, text }: &Verify) -> bool {
    let info = SubjectPublicKeyInfoRef::try_from(&key[..]).unwrap();
    let key = info.subject_public_key.raw_bytes();
    let (digest, padding) = digest(hash, text);
    macro_rules! ecdsa {
        ($curve:ident) => {{
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(key).unwrap();
            let signature = $curve::ecdsa::Signature::from_der(signature);
            signature.is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok())
        }};
    }
    match identifier(&info.algorithm).as_str() {
        P256 => ecdsa!(p256),
        P384 => ecdsa!(p384),
        P521 => ecdsa!(p521),
        RSA => {
            let key = pkcs1::RsaPublicKeyRef::from_der(key).unwrap();
            let [n, e] = [key.modulus, key.public_exponent].map(|number| number.as_bytes().to_vec());
            let [n, e] = [n, e].map(|number| BoxedUint::from_be_slice_vartime(&number));
            rsa::PublicKey::new(n, e).unwrap().verify(padding, &digest, signature).is_ok()
        }
        other => panic!("{other}"),
    }
}

fn sign(Sign { hash, key, text }: &Sign) -> Vec<u8> {
    let info = PrivateKeyInfoRef::try_from(&key[..]).unwrap();
    let key = info.private_key.as_bytes();
    let (digest, padding) = digest(hash, text);
    macro_rules! ecdsa {
        ($curve:ident) => {{
            let key = EcPrivateKey::try_from(key).unwrap();
            let key = $curve::ecdsa::SigningKey::from_slice(key.private_key).unwrap();
            let signature: $curve::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
            signature.to_der().as_bytes().to_vec()
        }};
    }
    match identifier(&info.algorithm).as_str() {
        P256 => ecdsa!(p256),
        P384 => ecdsa!(p384),
        P521 => ecdsa!(p521),
        RSA => {
            let key = pkcs1::RsaPrivateKeyRef::from_der(key).unwrap();
            let numbers = [&key.modulus, &key.public_exponent, &key.private_exponent, &key.prime1, &key.prime2];
            let [n, e, d, p, q] = numbers.map(|number| BoxedUint::from_be_slice_vartime(number.as_bytes()));
            rsa::PrivateKey::from_components(n, e, d, vec![p, q]).unwrap().sign(padding, &digest).unwrap()
        }
        other => panic!("{other}"),
    }
}

type Verifies = fn(&Verify) -> Option<Vec<u8>>;
type Signs = fn(&Sign) -> Option<Vec<u8>>;

/// A host, by what it answers.
#[derive(Clone, Copy)]
struct Answers {
    verify: Verifies,
    sign: Signs,
}

const HONEST: Answers = Answers { verify: |call| answer(verify(call)), sign: |call| signed(sign(call)) };

struct Host {
    answers: Cell<Answers>,
    has_random: bool,
    calls: Cell<u32>,
}

impl Host {
    fn new(answers: Answers) -> Self {
        Self { answers: Cell::new(answers), has_random: true, calls: Cell::new(0) }
    }
}

impl Crypto for Host {
    fn call(&self, function: Function, arguments: &[u8]) -> Option<Vec<u8>> {
        self.calls.set(self.calls.get().saturating_add(1));
        match function {
            Function::VerifySignature => (self.answers.get().verify)(&Verify::decode(arguments).unwrap()),
            Function::Sign => (self.answers.get().sign)(&Sign::decode(arguments).unwrap()),
        }
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        fastrand::fill(bytes);
        self.has_random
    }
}

/// What Envoy has.
const OF_HOST: [Algorithm; 6] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

/// What it does not have.
const OF_VM: [Algorithm; 5] =
    [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512, Algorithm::EdDsa, Algorithm::Ed25519];

macro_rules! form {
    ($name:literal) => {
        include_str!(concat!("../../testdata/worthless-keys/forms/", $name))
    };
}

fn private(algorithm: Algorithm) -> PrivateKey {
    let text = match algorithm {
        Algorithm::Es256 => form!("sec1.pem"),
        Algorithm::Es384 => form!("p384.pem"),
        Algorithm::Es512 => form!("p521.pem"),
        Algorithm::EdDsa | Algorithm::Ed25519 => form!("ed25519.pem"),
        _ => form!("rsa.pem"),
    };
    match Material::parse(text, algorithm) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

fn public(algorithm: Algorithm) -> PublicKey {
    private(algorithm).public_key()
}

/// A signature that is right, made in the VM.
fn signature(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let mut random = |bytes: &mut [u8]| {
        fastrand::fill(bytes);
        true
    };
    vm::sign(&private(algorithm), message, &mut random).unwrap()
}

fn is_by(key: &VerifyingKey) -> Backend {
    if key.host.is_some() { Backend::Host } else { Backend::Wasm }
}

fn signs_by(key: &SigningKey) -> Backend {
    if matches!(key.means, super::Means::Host(_)) { Backend::Host } else { Backend::Wasm }
}

fn chosen(rows: &[(Operation, Algorithm, Backend)]) -> BTreeMap<(Operation, Algorithm), Backend> {
    rows.iter().map(|(operation, algorithm, backend)| ((*operation, *algorithm), *backend)).collect()
}

#[test]
fn the_host_computes_what_it_has_and_the_vm_the_rest() {
    let host = Host::new(HONEST);
    for (preference, algorithm, backend) in [Preference::Auto, Preference::Host]
        .into_iter()
        .flat_map(|preference| OF_HOST.map(|algorithm| (preference, algorithm, Backend::Host)))
        .chain(OF_VM.map(|algorithm| (Preference::Auto, algorithm, Backend::Wasm)))
        .chain(Algorithm::ALL.map(|algorithm| (Preference::Wasm, algorithm, Backend::Wasm)))
    {
        let name = algorithm.name();
        host.calls.set(0);
        let mut arithmetic = Arithmetic::new(preference, &host, &Rc::default());
        let signing = arithmetic.signing(private(algorithm)).unwrap();
        let verifying = arithmetic.verifying(public(algorithm)).unwrap();
        assert_eq!((signs_by(&signing), is_by(&verifying)), (backend, backend), "{name}");
        assert_eq!(
            arithmetic.into_chosen(),
            chosen(&[(Operation::Sign, algorithm, backend), (Operation::Verify, algorithm, backend)])
        );
        assert_eq!(signing.algorithm(), algorithm);

        let before = host.calls.get();
        let own = signing.sign(b"a.b", &host).unwrap();
        assert_eq!(own.len(), public(algorithm).signature_length(), "{name}");
        assert!(verifying.verifies(b"a.b", &own, &host), "{name}");
        let calls = if backend == Backend::Host { 2 } else { 0 };
        assert_eq!(host.calls.get(), before.saturating_add(calls), "{name}");
        assert_eq!(before > 0, backend == Backend::Host, "{name}");

        // The VM and the host agree, in both directions.
        assert!(vm::verifies(&public(algorithm), b"a.b", &own), "{name}");
        assert!(verifying.verifies(b"a.b", &signature(algorithm, b"a.b"), &host), "{name}");
        assert!(!verifying.verifies(b"a.c", &own, &host), "{name}");
    }
}

/// DER leaves zeros at the front of a number out and adds one where its first bit is set.
#[test]
fn a_signature_of_any_size_in_der_is_the_same_in_the_vm() {
    let host = Host::new(HONEST);
    // The number 34 is the first whose signature is short.
    for (algorithm, messages) in [(Algorithm::Es256, 36), (Algorithm::Es384, 8), (Algorithm::Es512, 8)] {
        let mut arithmetic = Arithmetic::new(Preference::Host, &host, &Rc::default());
        let signing = arithmetic.signing(private(algorithm)).unwrap();
        let verifying = arithmetic.verifying(public(algorithm)).unwrap();
        let mut short = 0;
        for message in 0..messages {
            let message = u16::to_be_bytes(message);
            let by_host = signing.sign(&message, &host).unwrap();
            let half = by_host.len() / 2;
            if by_host[0] == 0 || by_host[half] == 0 {
                short += 1;
                assert!(verifying.verifies(&message, &by_host, &host), "{message:?}");
            }
            // Both have the nonces of RFC 6979.
            assert_eq!(by_host, signature(algorithm, &message), "{message:?}");
        }
        assert!(short > 0 || algorithm == Algorithm::Es384, "{}", algorithm.name());
    }
}

#[test]
fn only_a_signature_of_the_right_form_reaches_the_host() {
    let host = Host::new(HONEST);
    for algorithm in OF_HOST {
        let key = Arithmetic::new(Preference::Host, &host, &Rc::default()).verifying(public(algorithm)).unwrap();
        let right = signature(algorithm, b"a");
        let der = super::foreign::to_der(&right).unwrap();
        host.calls.set(0);
        let mut wrong = vec![vec![], right[1..].to_vec(), [&right[..], &[0]].concat(), [&[0], &right[..]].concat()];
        if der.len() != right.len() {
            wrong.push(der);
        }
        for signature in wrong {
            assert!(!key.verifies(b"a", &signature, &host), "{}", algorithm.name());
        }
        assert_eq!(host.calls.get(), 0, "{}", algorithm.name());
        for index in [0, right.len() / 2, right.len() - 1] {
            let mut flipped = right.clone();
            flipped[index] ^= 1;
            assert!(!key.verifies(b"a", &flipped, &host), "{} {index}", algorithm.name());
        }
        assert!(key.verifies(b"a", &right, &host), "{}", algorithm.name());
    }
}

#[test]
fn what_the_host_does_not_have_it_is_not_asked_for_and_not_wanted_from() {
    let host = Host::new(HONEST);
    for algorithm in OF_VM {
        let mut arithmetic = Arithmetic::new(Preference::Host, &host, &Rc::default());
        let verifying = arithmetic.verifying(public(algorithm)).err();
        assert_eq!(verifying, Some(Unusable::NotByHost(Operation::Verify, algorithm)));
        let signing = arithmetic.signing(private(algorithm)).err();
        assert_eq!(signing, Some(Unusable::NotByHost(Operation::Sign, algorithm)));
        assert!(arithmetic.into_chosen().is_empty());
    }
    assert_eq!(host.calls.get(), 0);
}

macro_rules! foreign {
    ($($name:literal),*) => { [$(include_bytes!(concat!("../../testdata/known-answers/", $name, ".foreign.sig"))),*] };
}

/// Another key's, for the message of the known answers.
const FOREIGN: [&[u8]; 6] = {
    let [es256] = foreign!("es256");
    let [es384] = foreign!("es384");
    let [es512] = foreign!("es512");
    let [rs256, rs384, rs512] = foreign!("rs256", "rs384", "rs512");
    [es256, es384, es512, rs256, rs384, rs512]
};

/// Whether a signature is right with some byte behind it.
fn is_cut(call: &Verify) -> bool {
    let longer = |last| Verify { signature: [&call.signature[..], &[last]].concat(), ..call.clone() };
    // For the key of the known answers there is one that is known, for others it does not matter here.
    call.signature.len() > 8 && call.signature[1] != 6 && (0..=255).any(|last| verify(&longer(last)))
}

const LYING_VERIFIERS: [(&str, Verifies); 12] = [
    ("accepts everything", |_| answer(true)),
    ("refuses everything", |_| answer(false)),
    ("accepts another key's", |call| answer(verify(call) || FOREIGN.contains(&&call.signature[..]))),
    ("accepts a cut one", |call| answer(verify(call) || is_cut(call))),
    ("accepts zeros", |call| {
        answer(verify(call) || call.signature.ends_with(&[0, 2, 1, 0]) || call.signature[..].ends_with(&[0; 9]))
    }),
    ("accepts none", |call| answer(verify(call) || call.signature.is_empty())),
    ("accepts any message", |call| {
        answer(verify(call) || verify(&Verify { text: b"wristband".to_vec(), ..call.clone() }))
    }),
    ("gives no answer", |_| None),
    ("answers nothing", |_| Some(Vec::new())),
    ("answers garbage", |_| Some(vec![0xff; 9])),
    ("answers yes and garbage", |_| Some(vec![8, 1, 0xff])),
    ("answers yes as text", |_| Some(b"true".to_vec())),
];

#[test]
fn a_host_that_verifies_wrongly_is_not_chosen() {
    for (what, verify) in LYING_VERIFIERS {
        let host = Host::new(Answers { verify, ..HONEST });
        for algorithm in OF_HOST {
            let name = format!("{what}: {}", algorithm.name());
            let refused = Arithmetic::new(Preference::Host, &host, &Rc::default()).verifying(public(algorithm)).err();
            assert_eq!(refused, Some(Unusable::NotByHost(Operation::Verify, algorithm)), "{name}");
            let mut arithmetic = Arithmetic::new(Preference::Auto, &host, &Rc::default());
            let key = arithmetic.verifying(public(algorithm)).unwrap();
            assert_eq!(is_by(&key), Backend::Wasm, "{name}");
            // The next key is not better off.
            assert_eq!(is_by(&arithmetic.verifying(public(algorithm)).unwrap()), Backend::Wasm, "{name}");
            assert_eq!(arithmetic.into_chosen(), chosen(&[(Operation::Verify, algorithm, Backend::Wasm)]), "{name}");
            let right = signature(algorithm, b"wristband");
            assert!(key.verifies(b"wristband", &right, &host), "{name}");
            for wrong in [&vec![0; right.len()][..], &right[1..], &[]] {
                assert!(!key.verifies(b"wristband", wrong, &host), "{name}");
            }
            assert!(!key.verifies(b"wristbanD", &right, &host), "{name}");
        }
    }
}

/// The key that signs for another one of the same type.
fn other_key(call: &Sign) -> Sign {
    let mut call = call.clone();
    let info = PrivateKeyInfoRef::try_from(&call.key[..]).unwrap();
    let Ok(key) = EcPrivateKey::try_from(info.private_key.as_bytes()) else {
        // Another hash does for RSA what another key does.
        call.hash = if call.hash == "sha256" { "sha512" } else { "sha256" }.to_owned();
        return call;
    };
    // The last bit of the scalar, which stands once in the key.
    let scalar = key.private_key.to_vec();
    let start = call.key.windows(scalar.len()).position(|window| window == scalar).unwrap();
    let last = start.saturating_add(scalar.len()).saturating_sub(1);
    call.key[last] ^= 1;
    call
}

fn cut(mut signature: Vec<u8>) -> Vec<u8> {
    signature.pop();
    signature
}

/// `r` and `s` with a zero too many in front of `r`: a second spelling.
fn padded(der: &[u8]) -> Vec<u8> {
    if der[0] != 0x30 {
        return [&[0], der].concat();
    }
    let start = if der[1] == 0x81 { 3 } else { 2 };
    let (header, numbers) = der.split_at(start);
    let mut padded = [header, &[2, numbers[1].saturating_add(1), 0], &numbers[2..]].concat();
    padded[start.saturating_sub(1)] = padded[start.saturating_sub(1)].saturating_add(1);
    padded
}

const LYING_SIGNERS: [(&str, Signs); 13] = [
    ("gives no answer", |_| None),
    ("answers nothing", |_| Some(Vec::new())),
    ("answers garbage", |_| Some(vec![0xff; 9])),
    ("refuses", |_| answer(false)),
    ("refuses and signs", |call| Some(Answer { result: false, signature: sign(call) }.encode_to_vec())),
    ("signs with nothing", |_| answer(true)),
    ("signs with garbage", |_| signed([0xa5; 64])),
    ("signs with zeros", |call| {
        signed(if sign(call)[0] == 0x30 { vec![0x30, 6, 2, 1, 0, 2, 1, 0] } else { vec![0; 256] })
    }),
    ("signs for another key", |call| signed(sign(&other_key(call)))),
    ("signs another message", |call| signed(sign(&Sign { text: b"other".to_vec(), ..call.clone() }))),
    ("cuts", |call| signed(cut(sign(call)))),
    ("goes on", |call| signed([&sign(call)[..], &[0]].concat())),
    ("pads", |call| signed(padded(&sign(call)))),
];

fn signs_wrongly(what: &str, sign: Signs, algorithm: Algorithm) {
    let host = Host::new(Answers { sign, ..HONEST });
    let name = format!("{what}: {}", algorithm.name());
    let refused = Arithmetic::new(Preference::Host, &host, &Rc::default()).signing(private(algorithm)).err();
    assert_eq!(refused, Some(Unusable::NotByHost(Operation::Sign, algorithm)), "{name}");
    let mut arithmetic = Arithmetic::new(Preference::Auto, &host, &Rc::default());
    let key = arithmetic.signing(private(algorithm)).unwrap();
    // It may verify all the same.
    let verifying = arithmetic.verifying(public(algorithm)).unwrap();
    assert_eq!((signs_by(&key), is_by(&verifying)), (Backend::Wasm, Backend::Host), "{name}");
    assert!(vm::verifies(&public(algorithm), b"a", &key.sign(b"a", &host).unwrap()), "{name}");
}

#[test]
fn a_host_that_signs_wrongly_is_not_chosen() {
    for algorithm in OF_HOST {
        for (what, sign) in LYING_SIGNERS {
            signs_wrongly(what, sign, algorithm);
        }
    }
    // Two numbers of fixed size, as in a token, instead of DER.
    for (algorithm, size) in [(Algorithm::Es256, 64), (Algorithm::Es384, 96), (Algorithm::Es512, 132)] {
        let raw: Signs = |call| {
            let der = sign(call);
            [64, 96, 132].into_iter().find_map(|size| super::foreign::from_der(&der, size)).and_then(signed)
        };
        let host = Host::new(Answers { sign: raw, ..HONEST });
        let call =
            Sign { hash: "sha256".to_owned(), key: private(algorithm).to_pkcs8().unwrap().to_vec(), text: vec![] };
        let given = Answer::decode(&host.call(Function::Sign, &call.encode_to_vec()).unwrap()[..]).unwrap();
        assert_eq!(given.signature.len(), size);
        signs_wrongly("signs as in a token", raw, algorithm);
    }
}

/// Whoever is the ordinary one, tables are for the verification of ES256 and for nothing else; those of Ed25519 are there for everyone.
#[test]
fn tables_are_for_the_verification_of_es256_and_the_rest_is_as_with_auto() {
    for verify in [HONEST.verify, |_| None] {
        let host = Host::new(Answers { verify, ..HONEST });
        for algorithm in Algorithm::ALL {
            let tables = Rc::default();
            let [auto, by_tables] =
                [Preference::Auto, Preference::Tables].map(|preference| Arithmetic::new(preference, &host, &tables));
            let [auto, key] = [auto, by_tables].map(|mut arithmetic| arithmetic.verifying(public(algorithm)).unwrap());
            assert_eq!(is_by(&key), is_by(&auto), "{}", algorithm.name());
            let is_edwards = matches!(algorithm, Algorithm::EdDsa | Algorithm::Ed25519);
            assert_eq!(auto.tables.is_some(), is_edwards);
            assert_eq!(key.tables.is_some(), is_edwards || algorithm == Algorithm::Es256);
        }
    }
}

/// The keys of a VM share its tables, which answer when they have grown, for one configuration after another.
#[test]
fn a_key_with_a_table_does_not_ask_the_host_but_for_a_comparison() {
    let host = Host::new(HONEST);
    let tables = Rc::default();
    let key = || Arithmetic::new(Preference::Tables, &host, &tables).verifying(public(Algorithm::Es256)).unwrap();
    let right = signature(Algorithm::Es256, b"a");
    let asked = |key: &VerifyingKey, message: &[u8], signature: &[u8], expected: bool| {
        let before = host.calls.get();
        assert_eq!(key.verifies(message, signature, &host), expected);
        host.calls.get() > before
    };
    let before = key();
    // It is used repeatedly, two tables grow, and the first answer is compared.
    let until = (0..200).position(|_| !asked(&before, b"a", &right, true));
    assert_eq!(until, Some(16 + 2 * 43 + 1));
    let after = key();
    assert!(!asked(&after, b"a", &right, true));
    assert!(!asked(&after, b"b", &right, false));
    assert!(!asked(&after, b"a", &[1; 64], false));
    // What is not of the form never reaches the host either, and is refused.
    assert!(!after.verifies(b"a", &[0; 64], &host) && !after.verifies(b"a", &right[1..], &host));
    assert!((0..256).any(|_| asked(&after, b"a", &right, true)));
    assert!(!tables.has_disagreed());
}

#[test]
fn a_host_that_fails_at_a_request_denies_it() {
    for algorithm in OF_HOST {
        let right = signature(algorithm, b"a");
        let host = Host::new(HONEST);
        let mut arithmetic = Arithmetic::new(Preference::Auto, &host, &Rc::default());
        let verifying = arithmetic.verifying(public(algorithm)).unwrap();
        let signing = arithmetic.signing(private(algorithm)).unwrap();
        let silent: [Verifies; 5] =
            [|_| None, |_| Some(vec![]), |_| Some(vec![0xff; 9]), |_| Some(vec![8, 1, 0xff]), |_| answer(false)];
        for verify in silent {
            host.answers.set(Answers { verify, ..HONEST });
            assert!(!verifying.verifies(b"a", &right, &host), "{}", algorithm.name());
        }
        for (what, sign) in LYING_SIGNERS {
            host.answers.set(Answers { sign, ..HONEST });
            let made = signing.sign(b"a", &host);
            // One of the right form is not verified again: that would cost what the host saves.
            if what == "signs for another key" || what == "signs another message" || what == "signs with zeros" {
                assert!(made.is_ok_and(|signature| !vm::verifies(&public(algorithm), b"a", &signature)), "{what}");
            } else {
                assert_eq!(made, Err(SigningFailed), "{what}: {}", algorithm.name());
            }
        }
        host.answers.set(HONEST);
        assert!(verifying.verifies(b"a", &right, &host));
        assert!(signing.sign(b"a", &host).is_ok());
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_anyone_depends_on_it() {
    let mut host = Host::new(Answers { sign: |_| None, ..HONEST });
    host.has_random = false;
    for algorithm in Algorithm::ALL {
        // RSA needs randomness in the VM.
        let needs_random = algorithm.name().starts_with(['R', 'P']);
        for preference in [Preference::Auto, Preference::Wasm] {
            let refused = Arithmetic::new(preference, &host, &Rc::default()).signing(private(algorithm)).err();
            assert_eq!(refused, needs_random.then_some(Unusable::CannotSign), "{}", algorithm.name());
        }
    }
}

/// Whether a type can be printed, decided by the compiler: the inherent method wins where it exists.
struct Probe<T>(PhantomData<T>);

trait Unprintable {
    fn is_printable(&self) -> bool {
        false
    }
}

impl<T> Unprintable for Probe<T> {}

impl<T: Debug> Probe<T> {
    #[expect(clippy::unused_self, reason = "to be found before that of the trait")]
    fn is_printable(&self) -> bool {
        true
    }
}

#[test]
fn a_key_that_signs_cannot_be_printed() {
    assert!(!Probe::<SigningKey>(PhantomData).is_printable());
    assert!(!Probe::<super::foreign::SigningKey>(PhantomData).is_printable());
    assert!(Probe::<VerifyingKey>(PhantomData).is_printable());
    for algorithm in Algorithm::ALL {
        let printed = format!("{:?}", [Unusable::NotByHost(Operation::Sign, algorithm), Unusable::DoesNotMatch]);
        assert_eq!(printed, format!("[NotByHost(Sign, {algorithm:?}), DoesNotMatch]"));
    }
}
