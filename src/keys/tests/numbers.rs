//! The numbers that a key consists of: those that belong together, and those that are no key.

#![allow(clippy::arithmetic_side_effects)]

use serde_json::{Value, json};

use super::vm;
use super::{Algorithm, Jwk, PAIRS, block, bytes, der, parse, private, public, rsa_blocks, sign, text, with, without};

const UNRELATED: &str = "the parts of the RSA key do not belong together";

#[test]
fn parts_of_an_rsa_key_that_do_not_belong_together_are_refused() {
    let rsa = &PAIRS[3];
    let (own, foreign) = (rsa.jwk(), rsa.foreign());
    let (one, two, three) = (json!("AQ"), json!("Ag"), json!("Aw"));
    let every = |changes: &[(&str, &Value)]| {
        let changed = with(&own, changes);
        let [pkcs1, pkcs8] = rsa_blocks(&changed);
        [text(&changed), text(&without(&changed, &["dp", "dq", "qi"])), pkcs1, pkcs8]
    };
    for changes in [
        &[("n", &foreign["n"])][..],
        &[("d", &foreign["d"])],
        &[("p", &foreign["p"])],
        &[("q", &foreign["q"])],
        &[("p", &foreign["p"]), ("q", &foreign["q"])],
        &[("n", &foreign["n"]), ("p", &foreign["p"]), ("q", &foreign["q"])],
        &[("e", &three)],
        &[("p", &own["q"])],
        &[("p", &one), ("q", &own["n"])],
        &[("p", &own["n"]), ("q", &one)],
        &[("p", &one), ("q", &one)],
        &[("p", &two)],
        &[("d", &one)],
        &[("d", &two)],
        &[("d", &own["n"])],
    ] {
        let names: Vec<_> = changes.iter().map(|(name, _)| name).collect();
        for form in every(changes) {
            assert_eq!(parse(&form, Algorithm::Rs256).unwrap_err(), UNRELATED, "{names:?}");
        }
    }
    // Without primes they are computed of the rest.
    let (zero, empty) = (json!("AAAA"), json!(""));
    let exponents = [&foreign["d"], &one, &two, &zero, &empty].map(|exponent| [("d", exponent)]);
    for changes in [[("n", &foreign["n"])], [("e", &three)]].into_iter().chain(exponents) {
        let changed = without(&with(&own, &changes), &["p", "q", "dp", "dq", "qi"]);
        assert_eq!(parse(&text(&changed), Algorithm::Rs256).unwrap_err(), UNRELATED, "{}", changes[0].0);
    }
    // Both primes or none, and no other ones; no private member without `d`.
    for (changed, problem) in [
        (without(&own, &["p"]), "the JWK has no `p`"),
        (without(&own, &["q"]), "the JWK has no `q`"),
        (without(&own, &["d"]), "the JWK has no `d`"),
        (with(&own, &[("oth", &one)]), "the JWK has a private `oth`, which keys of its type have not"),
    ] {
        assert_eq!(parse(&text(&changed), Algorithm::Rs256).unwrap_err(), problem);
    }
    let primes = "an RSA key of more than two primes; make one of two (openssl genpkey)";
    assert_eq!(parse(form!("rsa-three-primes.pem"), Algorithm::Rs256).unwrap_err(), primes);
    // What follows from the rest is computed: a wrong one would give a signature away that gives the primes away.
    let changed = with(&own, &[("dp", &own["dq"]), ("dq", &own["dp"]), ("qi", &one)]);
    for form in [text(&changed)].iter().chain(&rsa_blocks(&changed)) {
        let key = private(form, Algorithm::Rs256);
        assert!(vm::verifies(&key.public_key(), b"a", &sign(&key, b"a")));
    }
}

/// A modulus of so many bits, odd. Nobody knows whether it is a product of two primes; nobody checks either.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] = 0xff >> (bits.next_multiple_of(8) - bits);
    modulus
}

#[test]
fn an_rsa_key_has_2048_to_8192_bits_and_an_odd_exponent_that_is_not_one() {
    let own = PAIRS[3].jwk();
    let size = |bits| format!("an RSA key needs 2048 to 8192 bits, found {bits}");
    let of_size = |bits| with(&own, &[("n", &crate::jose::base64url::encode(modulus(bits)).into())]);
    for bits in [1, 512, 1024, 2047, 8193, 8208, 16384] {
        let changed = of_size(bits);
        for form in [text(&changed)].iter().chain(&rsa_blocks(&changed)) {
            assert_eq!(parse(form, Algorithm::Ps512).unwrap_err(), size(bits));
        }
        let public = without(&changed, &["d", "p", "q", "dp", "dq", "qi"]);
        assert_eq!(parse(&text(&public), Algorithm::Ps512).unwrap_err(), size(bits));
    }
    let public_of = |jwk: &Jwk| without(jwk, &["d", "p", "q", "dp", "dq", "qi"]);
    for bits in [2048, 2049, 8191, 8192] {
        let key = public(&text(&public_of(&of_size(bits))), Algorithm::Ps512);
        assert_eq!(key.signature_length(), bits.div_ceil(8));
    }
    let problem = "the RSA key has an even modulus or an exponent that cannot be one";
    let even = { [&modulus(2048)[..255], &[0xfe]].concat() };
    for changes in [
        ("n", &even[..]),
        ("e", &[]),
        ("e", &[0]),
        ("e", &[1]),
        ("e", &[2]),
        ("e", &[1, 0, 0]),
        // Beyond 2^33 an exponent does nothing but cost time.
        ("e", &[2, 0, 0, 0, 1]),
        ("e", &modulus(2048)),
    ] {
        let changed = with(&own, &[(changes.0, &crate::jose::base64url::encode(changes.1).into())]);
        for form in [text(&changed), text(&public_of(&changed))] {
            assert_eq!(parse(&form, Algorithm::Rs256).unwrap_err(), problem, "{changes:x?}");
        }
    }
    for exponent in [&[3][..], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        let changed = with(&public_of(&own), &[("e", &crate::jose::base64url::encode(exponent).into())]);
        public(&text(&changed), Algorithm::Rs256);
    }
}

/// With a point of small order as a key, one signature is good for every message (RFC 8032, section 8.5). And a point
/// has one encoding: a number that is not reduced is none (section 5.1.3).
#[test]
fn a_weak_or_second_spelling_of_an_ed25519_point_is_refused() {
    let hex = |digits: &str| -> Vec<u8> {
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let ends = |first: u8, middle: u8, last: u8| [&[first][..], &[middle; 30], &[last]].concat();
    let eighth = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc";
    let other_eighth = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03";
    let mut points = vec![
        // Of order 1, 2, 4 and 4.
        ends(1, 0, 0),
        ends(0xec, 0xff, 0x7f),
        ends(0, 0, 0),
        ends(0, 0, 0x80),
        // The four of order 8.
        hex(&format!("{eighth}05")),
        hex(&format!("{eighth}85")),
        hex(&format!("{other_eighth}7a")),
        hex(&format!("{other_eighth}fa")),
        // Zero with a sign.
        ends(1, 0, 0x80),
        ends(0xec, 0xff, 0xff),
    ];
    // Not reduced, with either sign.
    points.extend((0xed..=0xff).flat_map(|first| [ends(first, 0xff, 0x7f), ends(first, 0xff, 0xff)]));
    // Too short, too long.
    points.extend([ends(3, 0, 0)[..31].to_vec(), [ends(3, 0, 0), vec![0]].concat(), vec![]]);
    let (spki, own) = (der(form!("ed25519.pub.pem")), PAIRS[4].jwk());
    for point in points {
        let jwk = with(&own, &[("x", &crate::jose::base64url::encode(&point).into())]);
        for form in [text(&jwk), text(&without(&jwk, &["d"]))] {
            let weak = "the JWK's `x` is no point of Ed25519, or one with which anything can be signed";
            assert_eq!(parse(&form, Algorithm::EdDsa).unwrap_err(), weak, "{point:x?}");
        }
        if point.len() == 32 {
            let form = block("PUBLIC KEY", [&spki[..12], &point].concat());
            let weak = "the public point is none of Ed25519, or one with which anything can be signed";
            assert_eq!(parse(&form, Algorithm::EdDsa).unwrap_err(), weak, "{point:x?}");
        }
    }
}

#[test]
fn a_point_that_is_not_on_its_curve_is_refused() {
    for pair in PAIRS.iter().filter(|pair| pair.is_elliptic_curve()) {
        let (own, algorithm) = (without(&pair.jwk(), &["d"]), pair.algorithms[0]);
        let foreign = pair.foreign();
        let mixed = with(&own, &[("y", &foreign["y"])]);
        let problem = "the JWK's `x` and `y` are not a point on the curve";
        assert_eq!(parse(&text(&mixed), algorithm).unwrap_err(), problem, "{}", pair.name);
        let spki = der(pair.public[0]);
        let size = bytes(&own, "y").len();
        let (start, _) = spki.split_at(spki.len() - size);
        let form = block("PUBLIC KEY", [start, &bytes(&foreign, "y")].concat());
        let off = format!("the public point, of {} bytes, is none on the curve of {}", 2 * size + 1, pair.name);
        assert_eq!(parse(&form, algorithm).unwrap_err(), off);
        // Coordinates and secrets are numbers: zeros before them come and go, but nothing else does (RFC 7518, section 6.2).
        for name in ["x", "y", "d"] {
            let value = bytes(&pair.jwk(), name);
            let resize = |resized: Vec<u8>| {
                let changed = with(&pair.jwk(), &[(name, &crate::jose::base64url::encode(&resized).into())]);
                parse(&text(&changed), algorithm).map(drop)
            };
            assert_eq!(resize([&[0], &value[..]].concat()), Ok(()), "{} {name}", pair.name);
            assert_eq!(resize([&[0, 0], &value[..]].concat()), Ok(()), "{} {name}", pair.name);
            let zeros = value.iter().take_while(|byte| **byte == 0).count();
            assert_eq!(resize(value[zeros..].to_vec()), Ok(()), "{} {name}", pair.name);
            for other in [value[zeros + 1..].to_vec(), vec![], [&[1], &[0; 66 - 32][..], &value[..]].concat()] {
                assert!(resize(other).is_err(), "{} {name}", pair.name);
            }
        }
        let (d, x, y) = (bytes(&pair.jwk(), "d"), bytes(&pair.jwk(), "x"), bytes(&pair.jwk(), "y"));
        let point = [&[4], &x[..], &y].concat();
        for form in super::ec_blocks(pair, &[&[0], &d[..]].concat(), &point) {
            private(&form, algorithm);
        }
        for form in super::ec_blocks(pair, &d[1..], &point).iter().filter(|_| d[0] != 0) {
            assert!(parse(form, algorithm).is_err(), "{}", pair.name);
        }
        // Zero, and the order of the group or more.
        let order = "the secret scalar is zero, or not below the order of its curve";
        for byte in [0, 0xff] {
            let changed = with(&pair.jwk(), &[("d", &crate::jose::base64url::encode(vec![byte; size]).into())]);
            assert_eq!(parse(&text(&changed), algorithm).unwrap_err(), order, "{}", pair.name);
        }
    }
}
