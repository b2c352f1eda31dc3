//! Tokens: `t` and a whole token, or the letter of who signs, `=`, and header and payload with a line end between them. With
//! anything else in the place of `=` a bit of the signature is wrong.

use serde_json::{Value, json};
use wristband::denial::{Cause, Denial};
use wristband::gateway::Gateway;
use wristband::jose::base64url;
use wristband::jose::token::Untrusted;
use wristband::time::Timestamp;
use wristband::verify::{NotVerified, Verified};

use super::fixture::{self, A, A_PUB, B, C, ENDED_PUB, NOW, Signer, peers};
use super::host::Stage;
use super::input::Input;

const MOST: usize = 8192;

/// What nobody is told who cannot sign.
const LEARNED: [Denial; 9] = [
    Denial::WrongType,
    Denial::WrongAudience,
    Denial::WrongSubject,
    Denial::TooLongLived,
    Denial::WrongBinding,
    Denial::WrongCertificate,
    Denial::Revoked,
    Denial::Replayed,
    Denial::ReplayFull,
];

struct Fixture {
    gateway: Gateway,
    /// What the good tokens' signatures cover.
    signed: Vec<String>,
}

thread_local! {
    static FIXTURE: Fixture = Fixture {
        gateway: fixture::load(&configuration(json!({"revoked": [{"jti": "revoked"}]})), &Stage::default()),
        signed: fixture::tokens().iter().map(|token| token.rsplit_once('.').unwrap().0.to_owned()).collect(),
    };
}

fn configuration(verify: Value) -> Value {
    let mut ended = fixture::key("o", "ES256", ENDED_PUB);
    ended["notAfter"] = "2027-01-15T07:59:59Z".into();
    json!({
        "issuer": A, "signingKeyRefs": [fixture::key("a", "ES256", A_PUB), ended], "peers": peers(), "verify": verify, "crypto": "wasm",
    })
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let letter = input.byte();
    if letter == b't' {
        FIXTURE.with(|fixture| whole(fixture, input.rest()));
        return;
    }
    let Some(signer) = Signer::by(letter) else { return };
    let flip = input.byte();
    let (header, payload) = (input.until(b'\n'), input.rest());
    let (signed, mut signature) = signer.sign(header, payload);
    if flip != b'=' {
        let index = usize::from(flip) % signature.len();
        signature[index] ^= 1 << (flip % 8);
    }
    let token = format!("{signed}.{}", base64url::encode(&signature));
    match FIXTURE.with(|fixture| verdict(&fixture.gateway, token.as_bytes())) {
        Ok(verified) => {
            assert_eq!(flip, b'=', "a wrong signature is verified");
            let issuer = signer.issuer.expect("nobody trusts this key");
            may_pass(&verified, signer, issuer, header, payload);
            let has_name = verified.claims().get("jti").is_some_and(Value::is_string);
            once(token.as_bytes(), has_name, verified.expires());
        }
        Err(denial) if flip != b'=' || signer.issuer.is_none() => {
            assert!(!LEARNED.contains(&denial), "{denial:?} is learned without a signature");
        }
        Err(_) => {}
    }
}

/// A token as it came: it is good only if it is one of ours.
fn whole(fixture: &Fixture, token: &[u8]) {
    if let Ok(parsed) = Untrusted::parse(token, MOST, &mut ()) {
        // One spelling.
        let [header, payload, signature] =
            std::str::from_utf8(token).unwrap().split('.').collect::<Vec<_>>()[..].try_into().unwrap();
        assert_eq!(base64url::encode(&parsed.signature), signature);
        for part in [header, payload] {
            assert_eq!(base64url::encode(base64url::decode(part).unwrap()), part);
        }
        assert_eq!(Untrusted::parse(token, token.len() - 1, &mut ()).err().unwrap().cause, Cause::TooLong);
    }
    let is_ours = |token: &str| fixture.signed.iter().any(|signed| token.rsplit_once('.').unwrap().0 == signed);
    match verdict(&fixture.gateway, token) {
        Ok(_) => assert!(is_ours(std::str::from_utf8(token).unwrap()), "nobody has signed it"),
        Err(denial) if LEARNED.contains(&denial) => assert!(is_ours(std::str::from_utf8(token).unwrap()), "{denial:?}"),
        Err(_) => {}
    }
}

/// Why a token is not accepted. Whoever has not signed it is not counted under a name, and what it says is fit for a log.
fn told(refused: &NotVerified) -> Denial {
    let denial = refused.cause.denial();
    assert_eq!(
        refused.signer.is_some(),
        LEARNED.contains(&denial) && refused.cause != Cause::KeyRevoked || refused.cause == Cause::NoId
    );
    for text in [&refused.hearsay.issuer, &refused.hearsay.key_id].into_iter().flatten() {
        assert!(text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    }
    denial
}

/// What is said of a token, twice.
fn verdict(gateway: &Gateway, token: &[u8]) -> Result<Verified, Denial> {
    let (verifier, ring, host) = (&gateway.verification.as_ref().unwrap().verifier, gateway.ring(), Stage::default());
    let verdict = || verifier.verify(token, &ring, NOW, &host).map_err(|refused| told(&refused));
    let (verdict, again) = (verdict(), verdict());
    match (&verdict, &again) {
        (Ok(verified), Ok(again)) => {
            assert_eq!(verified.claims(), again.claims());
            let remembered = verifier.verify_again(verified.facts(), token, &ring, NOW, &host);
            assert_eq!(remembered.is_some(), verified.facts().are_worth_remembering());
            if let Some(remembered) = remembered {
                assert_eq!(remembered.claims(), verified.claims());
                assert_eq!(remembered.payload(), verified.payload());
                assert_eq!(remembered.principal(), verified.principal());
            }
        }
        (Err(denial), Err(again)) => assert_eq!(denial, again),
        _ => panic!("yes and no"),
    }
    verdict
}

/// The rules once more, by another reader of JSON, for what is accepted.
fn may_pass(verified: &Verified, signer: &Signer, issuer: &str, header: &[u8], payload: &[u8]) {
    let (header, payload): (Value, Value) =
        (serde_json::from_slice(header).unwrap(), serde_json::from_slice(payload).unwrap());
    assert_eq!(header["alg"], signer.algorithm.name());
    assert!(header.get("kid").is_none_or(|kid| *kid == char::from(signer.letter).to_string()));
    assert!(header.get("crit").is_none() && header.get("b64").is_none());
    assert_eq!(payload["iss"], issuer);
    let (now, expires) = (NOW.seconds(), payload["exp"].as_f64().unwrap());
    let most = if issuer == C { 600.0 } else { 86_400.0 };
    assert!(expires > now - 30.0);
    assert!(issuer == A || expires <= now + 30.0 + most);
    for name in ["nbf", "iat"] {
        assert!(payload.get(name).is_none_or(|date| date.as_f64().unwrap() <= now + 30.0));
    }
    assert!(payload["jti"] != "revoked");
    let audiences = match &payload["aud"] {
        Value::Null => Vec::new(),
        Value::Array(audiences) => audiences.clone(),
        audience => vec![audience.clone()],
    };
    assert!(match issuer {
        B => payload.get("aud").is_none() || audiences.contains(&"us".into()),
        C => audiences.contains(&"c".into()),
        _ => payload.get("aud").is_none(),
    });
    let typ = header.get("typ").map(|typ| typ.as_str().unwrap().to_ascii_lowercase());
    let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    assert!(typ.is_none_or(|typ| typ == if issuer == C { "at+jwt" } else { "jwt" }));
    let binding = payload.get("cnf").map(|binding| binding.as_object().unwrap());
    assert!(binding.is_none_or(|members| members.keys().all(|name| name == "x5t#S256")));
    if issuer == C {
        let subject = payload["sub"].as_str().unwrap();
        assert!(subject == "root" || subject.starts_with("user-"));
        const PASSED: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "act", "roles"];
        assert!(verified.claims().keys().all(|name| PASSED.contains(&name.as_str())));
    } else {
        assert_eq!(Value::Object(verified.claims().clone()), payload);
    }
    assert_eq!(verified.is_own(), issuer == A);
    let subject = payload["sub"].as_str().filter(|subject| !subject.is_empty());
    assert_eq!(verified.principal(), subject.map(|subject| format!("{issuer}#{subject}")));
}

/// Where each token is accepted once, it is accepted once.
fn once(token: &[u8], has_name: bool, expires: Timestamp) {
    thread_local! {
        static GATEWAY: Gateway =
            fixture::load(&configuration(json!({"replay": {"cache": 8}})), &Stage::default());
    }
    GATEWAY.with(|gateway| {
        let host = Stage::default();
        let verifier = &gateway.verification.as_ref().unwrap().verifier;
        let verdict = |now| verifier.verify(token, &gateway.ring(), now, &host).err().map(|refused| told(&refused));
        let expected = if has_name { [None, Some(Denial::Replayed)] } else { [Some(Denial::Malformed); 2] };
        let first = verdict(NOW);
        // With it a token may live a day at most, whoever signs.
        if first != Some(Denial::TooLongLived) {
            assert_eq!([first, verdict(NOW)], expected);
            // In its last second it is remembered, and after that it has expired.
            for last in [29, 30] {
                assert!(verdict(expires.after(last)).is_some(), "it is accepted once more");
            }
        }
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let signed = fixture::claims().into_iter().flat_map(|(letter, header, payload)| {
        let text = |flip: u8| [&[letter, flip][..], format!("{header}\n{payload}").as_bytes()].concat();
        [text(b'='), text(b'x')]
    });
    let whole = fixture::tokens().into_iter().chain(published());
    signed.chain(whole.map(|token| [b"t", token.as_bytes()].concat())).collect()
}

/// The tokens that the RFCs print.
fn published() -> Vec<String> {
    let examples = std::fs::read(fixture::folder("testdata").join("rfc.json")).unwrap();
    let (mut values, mut found) = (vec![serde_json::from_slice::<Value>(&examples).unwrap()], Vec::new());
    while let Some(value) = values.pop() {
        match value {
            Value::Object(members) => values.extend(members.into_iter().map(|(_, value)| value)),
            Value::Array(items) => values.extend(items),
            Value::String(text) if text.starts_with("eyJ") => found.push(text),
            _ => {}
        }
    }
    found
}
