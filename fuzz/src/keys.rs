//! The text of a key, read for every algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wristband::crypto::vm;
use wristband::jose::algorithm::Algorithm;
use wristband::jose::base64url;
use wristband::keys::bundle;
use wristband::keys::{KeyError, Material, PublicKey, looks_like_material};

use super::fixture;

/// The longest text that can be the name of a key.
const LONGEST_NAME: usize = 255;

pub(super) fn run(text: &[u8]) {
    for algorithm in Algorithm::ALL {
        let own = Material::parse(text, algorithm);
        let peers = Material::parse_peers(text, algorithm);
        for material in [&own, &peers] {
            match material {
                Ok(material) => check(material, text),
                Err(error) => check_message(error, text),
            }
        }
        // As one text it is the same key, or several.
        match (&own, bundle::parse(text, algorithm)) {
            (Ok(own), Ok(keys)) => {
                assert_eq!(keys.len(), 1);
                keys.iter().for_each(|key| assert_eq!(public(&key.material), public(own)));
            }
            (Ok(_), Err(error)) => panic!("one key is no bundle: {error}"),
            (Err(_), Ok(_)) => {}
            (Err(_), Err(error)) => check_message(&error, text),
        }
        match (own, peers) {
            (Ok(own), Ok(peers)) => {
                assert_eq!(matches!(own, Material::Private(_)), matches!(peers, Material::Private(_)));
                assert_eq!(public(&own), public(&peers));
            }
            (Err(own), Err(peers)) => assert_eq!(own, peers),
            // They differ in one `use` that only a peer's key may have.
            (Err(_), Ok(_)) => {}
            (Ok(_), Err(error)) => panic!("ours and not a peer's: {error}"),
        }
    }
}

fn public(material: &Material) -> PublicKey {
    match material {
        Material::Private(key) => key.public_key(),
        Material::Public(key) => key.clone(),
    }
}

fn check(material: &Material, text: &[u8]) {
    let key = public(material);
    let algorithm = key.algorithm();
    // Both forms in which it is handed out are its own.
    let jwk = key.to_jwk().to_string();
    for form in [jwk.clone(), STANDARD.encode(key.to_spki().unwrap())] {
        match Material::parse(form, algorithm) {
            Ok(Material::Public(again)) => assert_eq!(again, key),
            other => panic!("{other:?}"),
        }
    }
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"k\""] {
        assert!(!jwk.contains(private));
    }
    let Material::Private(private) = material else { return };
    assert_eq!(format!("{material:?}"), "Private(PrivateKey(..))");
    if text.len() <= LONGEST_NAME && text.iter().all(u8::is_ascii_graphic) {
        assert!(looks_like_material(text), "it could be the name of a key, which is published");
    }
    if let Some(der) = private.to_pkcs8() {
        match Material::parse(STANDARD.encode(&*der), algorithm) {
            Ok(Material::Private(again)) => assert_eq!(again.public_key(), key),
            other => panic!("{other:?}"),
        }
    }
    if let Ok(signature) = vm::sign(private, b"wristband", &mut |_| false) {
        assert!(vm::verifies(&key, b"wristband", &signature));
        assert!(!vm::verifies(&key, b"wristbanD", &signature));
    }
}

fn check_message(error: &KeyError, text: &[u8]) {
    let message = error.to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
    fixture::assert_no_quote(&message, text);
    fixture::assert_no_secret(&message);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = fixture::files("testdata/worthless-keys").into_iter();
    let texts = texts.chain(fixture::files("testdata/worthless-certificates"));
    let encoded = [fixture::A_PEM.into(), private_jwk()].map(|text: Vec<u8>| STANDARD.encode(text).into_bytes());
    let others = [b"{\"kty\":\"oct\",\"k\":\"AA\"}".to_vec(), private_jwk()].into_iter().chain(encoded);
    texts.filter(|text| text.len() <= 2048).flat_map(forms).chain(others).collect()
}

fn private_jwk() -> Vec<u8> {
    let key = fixture::private(fixture::A_PEM, Algorithm::Es256);
    let mut jwk: serde_json::Value = serde_json::from_str(&key.public_key().to_jwk().to_string()).unwrap();
    jwk["d"] = base64url::encode(&key.to_pkcs8().unwrap()[36..68]).into();
    jwk.to_string().into_bytes()
}

/// A key as it stands in its file, as bare base64 of its DER, and the public half as a JWK.
fn forms(text: Vec<u8>) -> Vec<Vec<u8>> {
    let lines = String::from_utf8(text.clone()).unwrap();
    let der: String = lines.lines().filter(|line| !line.contains(['-', ':'])).collect();
    let keys = Algorithm::ALL.into_iter().filter_map(|algorithm| Material::parse(&text, algorithm).ok());
    let jwks: Vec<_> = keys.map(|key| public(&key).to_jwk().to_string().into_bytes()).take(1).collect();
    [text, der.into_bytes()].into_iter().chain(jwks).collect()
}
