//! What is compared. Each variant is a listener; the requests to it, and what has to come of them, belong to it.

use std::path::Path;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde_json::{Value, json};
use ureq::http::HeaderMap;

use crate::floor::{self, Deed};
use crate::listeners::{OF_ENVOY, answering, ext_authz, jwt_authn, lua, ours};
use crate::load::{Load, TOKEN, USER};
use crate::rig::{Expected, Outcome, Plan, Rig, SIGNING_KEY, VARIABLE};
use crate::support::config::{allow_fetching, jwks, private, public};
use crate::support::http::{self, Answer};
use crate::support::token::{A, B, encode};
use crate::tokens::{Folder, KEY};

/// The listeners without a filter: for requests with a token, and for the shorter ones without.
pub const BARE: &str = "bare";
pub const BARE_WITHOUT_TOKEN: &str = "bare-without-token";
const BARE_COOKIES: &str = "bare-cookies";

/// Before the name of a variant: with the other module.
pub const BESIDE: &str = "beside-";
/// The module that `make build` makes, as the listeners name it.
const MODULE: &str = "target/wristband.wasm";

const CERTS: &str = "/.well-known/openid-connect/certs";

/// One row of the table.
pub struct Variant {
    /// Its listener, and its name in the statistics.
    pub name: &'static str,
    pub title: &'static str,
    /// What is subtracted.
    pub bare: &'static str,
    pub load: Load,
    pub expected: Expected,
    /// Whether every answer brings a wristband.
    brings: bool,
}

impl Variant {
    /// Our filter counts every request under this name.
    fn counts(&mut self, counter: &'static str) -> &mut Self {
        self.expected.counter = Some(counter);
        self
    }

    /// Whether an answer is what the variant is there for. The statistics know the status alone.
    fn check(&self, rig: &Rig) {
        let tokens = self.load.tokens.as_ref().map(|file| std::fs::read_to_string(file).unwrap());
        let mut headers: Vec<_> = self.load.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(tokens.as_ref().map(|tokens| (TOKEN, tokens.lines().next().unwrap())));
        let answer = http::get_with(&(rig.url(self.name) + self.load.path), &headers);
        let status = if self.expected.outcome == Outcome::Passes { 200 } else { 401 };
        assert_eq!(answer.status, status, "{}: {answer:?}", self.name);
        assert_eq!(answer.wristband().is_some(), self.brings, "{}: {answer:?}", self.name);
        assert!(self.load.path != CERTS || answer.json()["keys"].is_array(), "{}: {answer:?}", self.name);
    }
}

/// Listeners and variants while they become more.
struct Builder<'f> {
    folder: &'f Folder,
    plan: Plan,
    variants: Vec<Variant>,
}

impl Builder<'_> {
    fn add(&mut self, name: &'static str, title: &'static str, filters: Vec<Value>, load: Load) -> &mut Variant {
        self.answers(name, title, filters, load, None)
    }

    fn answers(
        &mut self,
        name: &'static str,
        title: &'static str,
        filters: Vec<Value>,
        load: Load,
        answer: Option<&Answer>,
    ) -> &mut Variant {
        self.beside(name, title, &filters, &load);
        self.plan.listen(name, |port| answering(name, port, filters, answer));
        let bare = if load.tokens.is_some() { BARE } else { BARE_WITHOUT_TOKEN };
        self.variants.push(Variant { name, title, bare, load, expected: Expected::PASSES, brings: false });
        self.variants.last_mut().unwrap()
    }

    /// The same with the module that `BESIDE` names, just before the one that is built here.
    fn beside(&mut self, name: &str, title: &str, filters: &[Value], load: &Load) {
        let Some(module) = std::env::var_os("BESIDE").filter(|module| !module.is_empty()) else {
            return;
        };
        let module = std::fs::canonicalize(module).expect("BESIDE is a module");
        let text = json!(filters).to_string();
        let Some(filters) = text.contains(MODULE).then(|| text.replace(MODULE, module.to_str().unwrap())) else {
            return;
        };
        let filters: Vec<Value> = serde_json::from_str(&filters).unwrap();
        let (name, title): (&str, &str) = (format!("{BESIDE}{name}").leak(), format!("{title}, other module").leak());
        let load = Load::new(self.folder.path(), name, load.path, load.headers.clone(), load.tokens.as_deref());
        self.plan.listen(name, |port| answering(name, port, filters, None));
        let bare = if load.tokens.is_some() { BARE } else { BARE_WITHOUT_TOKEN };
        self.variants.push(Variant { name, title, bare, load, expected: Expected::PASSES, brings: false });
    }

    /// With a token from this file.
    fn verifies(&mut self, name: &'static str, title: &'static str, filter: Value, tokens: &Path) -> &mut Variant {
        let load = Load::new(self.folder.path(), name, "/", Vec::new(), Some(tokens));
        self.add(name, title, vec![filter], load)
    }

    /// With a token from this file, which may not pass.
    fn refuses(&mut self, name: &'static str, title: &'static str, filter: Value, tokens: &Path) -> &mut Variant {
        let variant = self.verifies(name, title, filter, tokens);
        variant.expected.outcome = Outcome::IsRefused;
        variant
    }

    /// With a user who is somebody.
    fn signs(&mut self, name: &'static str, title: &'static str, plugin: &Value) -> &mut Variant {
        let headers = vec![(USER, "alice".to_owned())];
        let load = Load::new(self.folder.path(), name, "/", headers, None);
        let variant = self.add(name, title, vec![ours(name, plugin)], load).counts("issued");
        variant.brings = true;
        variant
    }
}

/// A verifier of one peer with these further fields of `verify`.
pub fn verifier(crypto: &str, verify: &Value) -> Value {
    let mut plugin = json!({
        "crypto": crypto,
        "peers": [{"issuer": A, "keys": [public(KEY)]}],
        "verify": {"fromHeaders": [{"name": TOKEN}], "mode": "require"},
    });
    plugin["verify"].as_object_mut().unwrap().extend(verify.as_object().unwrap().clone());
    plugin
}

pub fn signer(crypto: &str, issue: &Value) -> Value {
    json!({"issuer": B, "signingKeyRefs": [private(SIGNING_KEY, VARIABLE)], "crypto": crypto, "issue": issue})
}

/// Starts one Envoy with all of them.
pub fn start(folder: &Folder) -> (Rig, Vec<Variant>) {
    let mut builder = Builder { folder, plan: Plan::default(), variants: Vec::new() };
    let load = |name, path, tokens| Load::new(folder.path(), name, path, Vec::new(), tokens);

    builder.add(BARE, "no filter", vec![], load(BARE, "/", Some(&folder.unique)));
    builder.add(BARE_WITHOUT_TOKEN, "no filter, request without a token", vec![], load(BARE_WITHOUT_TOKEN, "/", None));
    floors(&mut builder);
    builder.verifies("lua", "Lua that reads one header", lua(), &folder.unique);
    builder.plan.listen("authorizer", |port| answering("authorizer", port, vec![], None)).offer("authorizer");
    builder.verifies(
        "ext-authz",
        "`ext_authz` over HTTP, authorizer included",
        ext_authz("authorizer"),
        &folder.unique,
    );

    verifiers(&mut builder);
    many(&mut builder);
    signers(&mut builder);
    refusers(&mut builder);
    cookies(&mut builder);

    let document = json!({"issuer": B, "signingKeyRefs": [public(SIGNING_KEY)], "verify": {}});
    builder.add("jwks", "JWKS", vec![ours("jwks", &document)], load("jwks", CERTS, None)).counts("discovery");
    let published = published(&document);
    let direct = load("jwks-direct", CERTS, None);
    builder.answers("jwks-direct", "`direct_response` of the same", vec![], direct, Some(&published));

    let (rig, mut variants) = (builder.plan.start("1"), builder.variants);
    for index in 1..variants.len() {
        if variants[index - 1].name.starts_with(BESIDE) {
            (variants[index - 1].expected, variants[index - 1].brings) =
                (variants[index].expected, variants[index].brings);
        }
    }
    variants.iter().for_each(|variant| variant.check(&rig));
    let [ours, direct] = ["jwks", "jwks-direct"].map(|name| without_envoys(http::get(&(rig.url(name) + CERTS))));
    assert_eq!(ours, direct);
    (rig, variants)
}

/// The headers but for those of Envoy, and the body.
fn without_envoys(mut answer: Answer) -> (HeaderMap, String) {
    OF_ENVOY.iter().for_each(|name| _ = answer.headers.remove(*name));
    (answer.headers, answer.body)
}

fn floors(builder: &mut Builder<'_>) {
    let folder = builder.folder;
    let floor = |deed| floor::filter(folder.path(), deed);
    builder.verifies("nothing", "wasm that does nothing, without an SDK", floor(Deed::Nothing), &folder.unique);
    let title = "wasm that only reads a header and has the host verify";
    builder.verifies("only-verify", title, floor(Deed::Verify), &folder.unique);
    for (name, title, deed) in [
        ("only-sign", "wasm that only makes the host calls of a wristband", Deed::Sign),
        ("only-hand-out", "wasm that only makes the host calls of a wristband that is there already", Deed::HandOut),
    ] {
        let load = Load::new(folder.path(), name, "/", vec![(USER, "alice".to_owned())], None);
        builder.add(name, title, vec![floor(deed)], load).brings = true;
    }
    for (name, title, deed) in [
        ("only-accept", "wasm that only makes the host calls of a remembered token", Deed::Accept),
        ("only-verify-and-accept", "wasm that only makes the host calls of a new token", Deed::VerifyAndAccept),
        ("only-exchange", "wasm that only makes the host calls of a new token and a wristband", Deed::Exchange),
    ] {
        builder.verifies(name, title, floor(deed), &folder.unique).brings = matches!(deed, Deed::Exchange);
    }
    builder.refuses("only-deny", "wasm that only makes the host calls of a refusal", floor(Deed::Deny), &folder.junk);
    let load = Load::new(folder.path(), "only-publish", "/", Vec::new(), None);
    builder.add("only-publish", "wasm that only replies with a document", vec![floor(Deed::Publish)], load);
}

fn verifiers(builder: &mut Builder<'_>) {
    let (unique, rotation) = (&builder.folder.unique, &builder.folder.rotation);
    let cache = json!({"jwt_cache_size": 20_000});
    let natives = [
        ("native", "`jwt_authn`, no cache, unique tokens", json!({}), unique),
        (
            "native-cached",
            "`jwt_authn`, cache of 20,000, 5,000 in rotation",
            json!({"jwt_cache_config": cache}),
            rotation,
        ),
        // What our filter always does: the claims are there for the filters behind.
        (
            "native-metadata",
            "`jwt_authn` with `payload_in_metadata`, no cache, unique tokens",
            json!({"payload_in_metadata": "claims"}),
            unique,
        ),
        (
            "native-metadata-cached",
            "`jwt_authn` with `payload_in_metadata`, cache of 20,000, 5,000 in rotation",
            json!({"payload_in_metadata": "claims", "jwt_cache_config": cache}),
            rotation,
        ),
    ];
    for (name, title, further, tokens) in natives {
        builder.verifies(name, title, jwt_authn(A, KEY, &further), tokens);
    }
    let variants = [
        ("verify-host", "verify, unique tokens, host", "host", json!({}), unique, "token_cache.miss"),
        ("verify-wasm", "verify, unique tokens, wasm", "wasm", json!({}), unique, "token_cache.miss"),
        ("verify-tables", "verify, unique tokens, tables", "tables", json!({}), unique, "token_cache.miss"),
        ("verify-cached", "verify, 5,000 in rotation", "host", json!({}), rotation, "token_cache.hit"),
        (
            "verify-no-cache",
            "verify, `cache: {tokens: 0}`",
            "host",
            json!({"cache": {"tokens": 0}}),
            unique,
            "verified",
        ),
    ];
    for (name, title, crypto, verify, tokens, counter) in variants {
        builder.verifies(name, title, ours(name, &verifier(crypto, &verify)), tokens).counts(counter);
    }
    for (name, title, crypto) in [
        ("exchange", "verify a unique token and sign, host", "host"),
        ("exchange-tables", "verify a unique token by tables and sign", "tables"),
    ] {
        let mut plugin = verifier(crypto, &json!({}));
        let signer = signer(crypto, &json!({"identity": {"wristband": true}}));
        plugin.as_object_mut().unwrap().extend(signer.as_object().unwrap().clone());
        builder.verifies(name, title, ours(name, &plugin), unique).counts("issued").brings = true;
    }
    fetched(builder);
}

/// The same peer, whose keys are fetched.
fn fetched(builder: &mut Builder<'_>) {
    let set = Answer { status: 200, headers: HeaderMap::new(), body: jwks(KEY).to_string() };
    builder.plan.listen("set", |port| answering("set", port, vec![], Some(&set))).offer("set");
    let mut plugin = verifier("host", &json!({}));
    plugin["peers"] = json!([{"issuer": A, "remoteJwks": {"cluster": "set"}}]);
    let mut filter = ours("verify-remote", &plugin);
    allow_fetching(&mut filter);
    let unique = &builder.folder.unique;
    builder
        .verifies("verify-remote", "verify, unique tokens, keys that are fetched", filter, unique)
        .counts("token_cache.miss");
}

/// A hundred peers with ten keys each, and the one whose tokens come.
fn many(builder: &mut Builder<'_>) {
    let set = |peer: u32| {
        let keys = (0..10).map(|key| {
            let scalar = [&[1; 28][..], &(peer * 10 + key + 1).to_be_bytes()].concat();
            let point = p256::SecretKey::from_slice(&scalar).unwrap().public_key().to_sec1_point(false);
            let (x, y) = (encode(point.x().unwrap()), encode(point.y().unwrap()));
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": format!("{peer}-{key}")})
        });
        json!({"keys": keys.collect::<Vec<_>>()}).to_string()
    };
    let mut plugin = verifier("host", &json!({}));
    let peer = |peer: u32| json!({"issuer": format!("https://{peer}.example"), "jwks": {"inlineString": set(peer)}});
    plugin["peers"].as_array_mut().unwrap().extend((0..100).map(peer));
    let title = "verify, 5,000 in rotation, a hundred more peers with a thousand keys";
    builder
        .verifies("many-cached", title, ours("many-cached", &plugin), &builder.folder.rotation)
        .counts("token_cache.hit");
}

/// The dearest request without a token: cookies, none of which is ours.
fn cookies(builder: &mut Builder<'_>) {
    let folder = builder.folder.path();
    let load = |name| Load::new(folder, name, "/", vec![("cookie", "a=b; ".repeat(11_000))], None);
    let title = "55 KB of cookies, none of which is ours";
    builder.add(BARE_COOKIES, "no filter, 55 KB of cookies", vec![], load(BARE_COOKIES));
    let plugin =
        verifier("host", &json!({"mode": "optional", "fromHeaders": [{"name": TOKEN}], "fromCookies": ["wb"]}));
    builder.add("cookies", title, vec![ours("cookies", &plugin)], load("cookies")).bare = BARE_COOKIES;
}

fn signers(builder: &mut Builder<'_>) {
    let identity = json!({"header": USER});
    builder.signs("sign-host", "sign, host", &signer("host", &json!({"identity": identity})));
    builder.signs("sign-wasm", "sign, wasm", &signer("wasm", &json!({"identity": identity})));
    builder
        .signs("reuse", "sign, `reuse: 60`", &signer("host", &json!({"identity": identity, "reuse": 60})))
        .counts("issue_reuse.hit");
}

fn refusers(builder: &mut Builder<'_>) {
    let folder = builder.folder;
    let bad = [
        ("junk", "junk refused", "native-junk", "`jwt_authn`, junk refused", &folder.junk, "denied.malformed"),
        (
            "expired",
            "expired refused",
            "native-expired",
            "`jwt_authn`, expired refused",
            &folder.expired,
            "denied.expired",
        ),
        (
            "forged",
            "bad signature refused",
            "native-forged",
            "`jwt_authn`, bad signature refused",
            &folder.bad_signature,
            "denied.bad_signature",
        ),
        (
            "members",
            "700 members refused",
            "native-members",
            "`jwt_authn`, 700 members refused",
            &folder.members,
            "denied.expired",
        ),
        (
            "numbers",
            "210 numbers refused",
            "native-numbers",
            "`jwt_authn`, 210 numbers refused",
            &folder.numbers,
            "denied.expired",
        ),
    ];
    for (name, title, native, native_title, tokens, counter) in bad {
        builder.refuses(name, title, ours(name, &verifier("host", &json!({}))), tokens).counts(counter);
        builder.refuses(native, native_title, jwt_authn(A, KEY, &json!({})), tokens);
    }
}

/// What the filter with this configuration publishes.
fn published(plugin: &Value) -> Answer {
    let mut plan = Plan::default();
    plan.listen("jwks", |port| answering("jwks", port, vec![ours("jwks", plugin)], None));
    let rig = plan.start("1");
    http::get(&(rig.url("jwks") + CERTS))
}
