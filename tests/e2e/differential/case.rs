//! A token in the making, as text: it is not bound to what a JSON library can write.

use std::fmt;
use std::mem::discriminant;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::Value;

use super::mutations::{MUTATIONS, Row};
use crate::support::http::Answer;
use crate::support::token::{A, B, encode, now, scalar};

/// The keys of the two issuers, by their place.
pub const KEYS: [&str; 2] = ["cluster-a-2026-11", "cluster-b-2026-10"];
pub const ISSUERS: [&str; 2] = [A, B];

/// The kinds of mutation that may hit anything.
pub const ONE_BYTE: &str = "one byte another";

/// Read once: that costs as much as to sign.
static SIGNERS: LazyLock<[(&str, SigningKey); 3]> =
    LazyLock::new(|| [KEYS[0], KEYS[1], "stranger"].map(|name| (name, SigningKey::from_slice(&scalar(name)).unwrap())));

/// Names and values of an object, each as JSON text.
pub type Members = Vec<(String, String)>;

/// A token in the making.
pub struct Draft {
    pub header: Members,
    pub payload: Members,
    /// In place of the object that the members make.
    pub header_text: Option<Vec<u8>>,
    pub payload_text: Option<Vec<u8>>,
    pub issuer: usize,
    pub signer: &'static str,
    pub now: u64,
}

/// What a mutation changes. They are applied in this order.
pub enum Mutation {
    Text(fn(&mut Draft, &mut Rng)),
    Signature(fn(&mut Vec<u8>, &mut Rng)),
    Spelling(fn(&mut String, &mut Rng)),
    Placement(fn(&str, &mut Rng) -> Headers),
}

pub type Headers = Vec<(&'static str, Vec<u8>)>;

/// A request.
pub struct Case {
    /// The mutations of its token; none: it is valid.
    pub kinds: Vec<&'static str>,
    pub headers: Headers,
    token: String,
}

impl Case {
    /// Each mutation in its turn; then as many again by threes: a valid token, two mutations at once, one byte another.
    pub fn generate(number: usize, rng: &mut Rng) -> Self {
        let place = number % (2 * MUTATIONS.len());
        let any = |rng: &mut Rng| MUTATIONS[rng.usize(..MUTATIONS.len())];
        let one_byte: Vec<_> = MUTATIONS.iter().filter(|(kind, _)| kind.ends_with(ONE_BYTE)).collect();
        let chosen = match (place.checked_sub(MUTATIONS.len()), place % 3) {
            (None, _) => vec![MUTATIONS[place]],
            (Some(_), 0) => vec![],
            (Some(_), 1) => vec![*one_byte[rng.usize(..one_byte.len())]],
            (Some(_), _) => loop {
                let pair = [any(rng), any(rng)];
                // Each reckons with what a valid token has.
                if discriminant(&pair[0].1) != discriminant(&pair[1].1) {
                    break pair.to_vec();
                }
            },
        };
        Self::mutate(&chosen, rng)
    }

    fn mutate(chosen: &[&'static Row], rng: &mut Rng) -> Self {
        let mut draft = Draft::valid(rng);
        for (_, mutation) in chosen {
            if let Mutation::Text(change) = mutation {
                change(&mut draft, rng);
            }
        }
        let (input, mut signature) = draft.sign();
        for (_, mutation) in chosen {
            if let Mutation::Signature(change) = mutation {
                change(&mut signature, rng);
            }
        }
        let mut token = format!("{input}.{}", encode(signature));
        for (_, mutation) in chosen {
            if let Mutation::Spelling(change) = mutation {
                change(&mut token, rng);
            }
        }
        let mut headers = anywhere(&token, rng);
        for (_, mutation) in chosen {
            if let Mutation::Placement(place) = mutation {
                headers = place(&token, rng);
            }
        }
        Self { kinds: chosen.iter().map(|(kind, _)| *kind).collect(), headers, token }
    }

    /// Both filters tell the upstream the same subject. A value that cannot stand in a header is left out by ours.
    pub fn check_subjects(&self, answers: &[Answer; 2]) {
        let payload = self.token.trim_matches('.').split('.').nth(1).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let plain = |text: &&str| {
            let ends_line = |character: char| character.is_control() || "\u{2028}\u{2029}".contains(character);
            !text.contains(ends_line) && text.trim_matches(' ') == *text
        };
        let subject = claims.get("sub").map(|sub| sub.as_str().unwrap());
        let received: Vec<_> = answers.iter().map(|answer| answer.received("x-subject")).collect();
        assert_eq!(received[0], subject.filter(plain), "ours: {self}");
        if subject.is_none_or(|subject| plain(&subject)) {
            assert_eq!(received[1], subject, "jwt_authn's: {self}");
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}:", self.kinds)?;
        for part in self.token.split('.').take(2) {
            let text = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            write!(formatter, " {:.600}", String::from_utf8_lossy(&text))?;
        }
        for (name, value) in &self.headers {
            write!(formatter, " | {name}: {:.40}", String::from_utf8_lossy(value))?;
        }
        Ok(())
    }
}

impl Draft {
    /// A valid token, never twice the same.
    fn valid(rng: &mut Rng) -> Self {
        let issuer = rng.usize(..2);
        let now = now();
        let text = |text: &str| Value::from(text).to_string();
        let member = |name: &str, value: String| (text(name), value);
        let mut header = vec![member("alg", text("ES256")), member("kid", text(KEYS[issuer]))];
        if rng.bool() {
            header.push(member("typ", text("JWT")));
        }
        let subject = format!("user-{}", rng.u32(..));
        let mut payload = vec![member("iss", text(ISSUERS[issuer])), member("sub", text(&subject))];
        payload.push(member("exp", (now + rng.u64(60..100_000)).to_string()));
        for name in ["iat", "nbf"] {
            if rng.bool() {
                payload.push(member(name, (now - rng.u64(0..100_000)).to_string()));
            }
        }
        if rng.bool() {
            payload.push(member("jti", text(&format!("{:032x}", rng.u128(..)))));
        }
        if rng.bool() {
            payload.push(member("roles", text("admin")));
        }
        rng.shuffle(&mut header);
        rng.shuffle(&mut payload);
        Self { header, payload, header_text: None, payload_text: None, issuer, signer: KEYS[issuer], now }
    }

    fn sign(&self) -> (String, Vec<u8>) {
        let part = |text: &Option<Vec<u8>>, members| text.clone().unwrap_or_else(|| object(members).into_bytes());
        let header = encode(part(&self.header_text, &self.header));
        let input = format!("{header}.{}", encode(part(&self.payload_text, &self.payload)));
        let (_, key) = SIGNERS.iter().find(|(name, _)| *name == self.signer).unwrap();
        let signature: Signature = key.sign(input.as_bytes());
        (input, signature.to_bytes().to_vec())
    }

    /// Some point in time, so many seconds from now.
    pub fn at(&self, offset: i64) -> String {
        self.now.checked_add_signed(offset).unwrap().to_string()
    }
}

pub fn object(members: &Members) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

pub fn anywhere(token: &str, rng: &mut Rng) -> Headers {
    if rng.bool() {
        vec![("x-wristband-token", token.into())]
    } else {
        vec![("authorization", format!("Bearer {token}").into())]
    }
}
