//! A host that keeps to the rules while a configuration is loaded, and that lies from then on if it is told to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::Signature;
use prost::Message as _;
use wristband::crypto::vm;
use wristband::encoding::pairs;
use wristband::host::{Crypto, ExpressionId, Expressions, Function, Host, Setup, Written};
use wristband::jose::algorithm::Algorithm;
use wristband::keys::Material;
use wristband::time::{Moment, Timestamp};

use super::fixture::{A_PEM, CERTIFICATE, ED_PEM, NOW};
use super::input::Input;

/// How often an expression may be evaluated in a phase: callers choose how deep a value is.
const MOST_EVALUATIONS: usize = 5;

/// A host. Its expressions have no value, and what it says of itself is true, unless it lies.
#[derive(Default)]
pub(super) struct Stage<'d> {
    /// The one value of every expression and the whole metadata, if there are.
    said: RefCell<Option<&'d [u8]>>,
    /// What it says of an expression instead, each time it is asked something else; the last of them ever after.
    in_turn: RefCell<Vec<&'d [u8]>>,
    lies: RefCell<Option<Input<'d>>>,
    /// What it has said of each expression in this phase, and how often.
    evaluated: RefCell<HashMap<u32, Evaluated>>,
    /// How often it was asked for metadata in this phase.
    metadata: Cell<usize>,
    /// Values and their versions; each is there from the beginning.
    shared: RefCell<HashMap<String, (Vec<u8>, u32)>>,
    /// What another worker does before the next write.
    meanwhile: RefCell<Option<Meanwhile>>,
}

type Meanwhile = Box<dyn FnOnce(&Stage<'_>)>;

type Evaluated = (Option<Vec<u8>>, usize);

#[derive(Clone, PartialEq, prost::Message)]
struct VerifyArguments {
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    message: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SignArguments {
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    message: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

/// How Envoy returns a text together with its type.
pub(super) fn typed_text(text: &[u8]) -> Vec<u8> {
    let flags: Vec<_> = (0..8).map(|flag| [u8::from(flag == 0)]).collect();
    let flags = list(&flags.iter().map(|flag| &flag[..]).collect::<Vec<_>>());
    list(&[&flags, text, &[0; 8]])
}

fn list(items: &[&[u8]]) -> Vec<u8> {
    pairs::write(&items.iter().map(|item| (*item, &b""[..])).collect::<Vec<_>>())
}

impl<'d> Stage<'d> {
    /// Answers from now on with what is in the input.
    pub(super) fn lie(&self, input: Input<'d>) {
        self.lies.replace(Some(input));
    }

    /// Answers with the truth again.
    pub(super) fn be_honest(&self) {
        self.lies.replace(None);
    }

    /// Has another worker do this before the next write.
    pub(super) fn meanwhile(&self, act: impl FnOnce(&Stage<'_>) + 'static) {
        self.meanwhile.replace(Some(Box::new(act)));
    }

    pub(super) fn nothing_meanwhile(&self) {
        self.meanwhile.replace(None);
    }

    /// Has this for every expression and as metadata.
    pub(super) fn say(&self, bytes: &'d [u8]) {
        self.said.replace(Some(bytes));
    }

    /// Has one of these after the other for every expression.
    pub(super) fn say_in_turn(&self, answers: Vec<&'d [u8]>) {
        self.in_turn.replace(answers);
    }

    /// From now on expressions may have other values.
    pub(super) fn next_phase(&self) {
        self.evaluated.borrow_mut().clear();
        self.metadata.set(0);
    }

    /// What it says instead of `truth`: that, nothing, or up to 252 bytes of its own.
    fn answer(&self, truth: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut lies = self.lies.borrow_mut();
        let Some(lies) = lies.as_mut() else { return truth() };
        match lies.byte() {
            255 => truth(),
            254 => Some(typed_text(lies.until(0))),
            253 => None,
            length => Some(lies.take(length.into()).to_vec()),
        }
    }
}

/// What Envoy's functions say, of ES256 alone.
fn computed(function: Function, arguments: &[u8]) -> Option<Vec<u8>> {
    let material = |der: &[u8]| Material::parse(STANDARD.encode(der), Algorithm::Es256);
    let answer = match function {
        Function::VerifySignature => {
            let VerifyArguments { key, signature, message } = VerifyArguments::decode(arguments).ok()?;
            let Ok(Material::Public(key)) = material(&key) else { return None };
            let signature = Signature::from_der(&signature);
            let result = signature.is_ok_and(|signature| vm::verifies(&key, &message, &signature.to_bytes()));
            Answer { result, signature: Vec::new() }
        }
        Function::Sign => {
            let SignArguments { key, message } = SignArguments::decode(arguments).ok()?;
            let Ok(Material::Private(key)) = material(&key) else { return None };
            let signature = vm::sign(&key, &message, &mut |_| false).ok()?;
            let signature = Signature::from_slice(&signature).ok()?.to_der().as_bytes().to_vec();
            Answer { result: true, signature }
        }
    };
    Some(answer.encode_to_vec())
}

impl Crypto for Stage<'_> {
    fn call(&self, function: Function, arguments: &[u8]) -> Option<Vec<u8>> {
        self.answer(|| computed(function, arguments))
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        let is_there = self.answer(|| Some(vec![1])).is_some();
        bytes.fill(7);
        is_there
    }
}

impl Setup for Stage<'_> {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            "CLUSTER_A_SIGNING_KEY" => Some(A_PEM.into()),
            "ED25519_SIGNING_KEY" => Some(ED_PEM.into()),
            "EMPTY" => Some(Vec::new()),
            _ => None,
        }
    }

    fn plugin_name(&self) -> String {
        "plugin".to_owned()
    }

    fn reserve(&self, _: &str) -> bool {
        true
    }
}

impl Expressions for Stage<'_> {
    /// All wrappers of an expression are one to it, also where another host has compiled some of them: a gateway outlives
    /// the request that has compiled a wrapper.
    fn compile(&self, source: &str) -> Option<ExpressionId> {
        let inner = source.strip_prefix('[').and_then(|rest| rest.split_once("\n].map(v0, "));
        let mut hasher = DefaultHasher::new();
        inner.map_or(source, |(inner, _)| inner).hash(&mut hasher);
        (!source.contains("broken")).then(|| ExpressionId((hasher.finish() >> 32).try_into().unwrap()))
    }

    fn discard(&self, _: ExpressionId) {}
}

impl Host for Stage<'_> {
    fn moment(&self) -> Moment {
        Moment::default()
    }

    /// The same however often it is asked: where to begin with the wrappers of an expression is remembered from other
    /// requests.
    fn evaluate(&self, expression: ExpressionId) -> Option<Vec<u8>> {
        let mut evaluated = self.evaluated.borrow_mut();
        let said = || (self.answer(|| self.said.borrow().map(<[u8]>::to_vec)), 0);
        let (said, times) = evaluated.entry(expression.0).or_insert_with(said);
        *times += 1;
        assert!(*times <= MOST_EVALUATIONS, "an expression is evaluated once more for each level and no more");
        let in_turn = self.in_turn.borrow();
        in_turn.get(*times - 1).or(in_turn.last()).map_or_else(|| said.clone(), |turn| Some(turn.to_vec()))
    }

    fn metadata(&self) -> Option<Vec<u8>> {
        self.metadata.set(self.metadata.get() + 1);
        assert_eq!(self.metadata.get(), 1, "metadata is copied once a phase");
        self.answer(|| self.said.borrow().map(<[u8]>::to_vec))
    }

    fn client_certificate(&self) -> Option<Vec<u8>> {
        self.answer(|| Some(CERTIFICATE.into()))
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        let (value, version) = self.shared.borrow().get(key).cloned().unwrap_or((Vec::new(), 1));
        Some((self.answer(|| Some(value))?, version))
    }

    fn share(&self, key: &str, value: &[u8], version: u32) -> Written {
        match self.answer(|| Some(b"done".to_vec())).as_deref() {
            None => return Written::Refused,
            Some([]) => return Written::Overtaken,
            Some(_) => {}
        }
        let meanwhile = self.meanwhile.take();
        if let Some(act) = meanwhile {
            act(self);
        }
        if self.shared.borrow().get(key).map_or(1, |(_, version)| *version) != version {
            return Written::Overtaken;
        }
        self.shared.borrow_mut().insert(key.to_owned(), (value.to_vec(), version + 1));
        Written::Done
    }
}
