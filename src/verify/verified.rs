//! An accepted token.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::encoding::protobuf;
use crate::jose::base64url;
use crate::jose::json::{self, Members};
use crate::time::Timestamp;
use crate::trust::{TrustedIssuer, TrustedKey};

/// An accepted token.
pub struct Verified {
    facts: Rc<Facts>,
    /// Read from the payload again where a token is remembered: they take more memory than the token.
    members: OnceCell<Option<Members>>,
    /// Made where somebody asks for what is inside of a claim.
    tree: OnceCell<Map<String, Value>>,
    as_struct: OnceCell<Vec<u8>>,
    has_forgotten: bool,
}

/// All of an accepted token that is worth remembering.
pub struct Facts {
    pub(super) token: Box<[u8]>,
    /// The payload with the claims that are passed on; `None`: all are.
    pub(super) limited: Option<String>,
    pub(super) expires: f64,
    pub(super) not_before: Option<f64>,
    /// Without a `kid`, which key is the only one changes as keys end.
    pub(super) names_its_key: bool,
    /// Who vouched for it, and with which key: it is good only while both are trusted.
    pub(super) issuer: Rc<TrustedIssuer>,
    pub(super) key: Rc<TrustedKey>,
    /// Of the client's certificate that the token is bound to.
    pub(super) thumbprint: Option<String>,
}

impl fmt::Debug for Verified {
    /// Without the token and its claims, which are its bearer's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Verified(..)")
    }
}

impl Facts {
    /// Whether [`Verifier::verify_again`](super::Verifier::verify_again) can say yes to them.
    #[must_use]
    pub fn are_worth_remembering(&self) -> bool {
        self.names_its_key
    }

    /// The bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = [&self.limited, &self.thumbprint].into_iter().flatten().map(String::len);
        texts.fold(self.token.len(), usize::saturating_add).saturating_add(size_of::<Self>())
    }
}

impl Verified {
    pub(super) fn new(facts: Facts, claims: Members, as_struct: Vec<u8>, has_forgotten: bool) -> Self {
        let (members, as_struct) = (OnceCell::from(Some(claims)), OnceCell::from(as_struct));
        Self { facts: Rc::new(facts), members, tree: OnceCell::new(), as_struct, has_forgotten }
    }

    pub(super) fn again(facts: &Rc<Facts>) -> Self {
        let (members, tree, as_struct) = Default::default();
        Self { facts: Rc::clone(facts), members, tree, as_struct, has_forgotten: false }
    }

    /// Who vouched for it.
    #[must_use]
    pub fn issuer(&self) -> &Rc<TrustedIssuer> {
        &self.facts.issuer
    }

    /// The key that it is signed with.
    #[must_use]
    pub fn key(&self) -> &Rc<TrustedKey> {
        &self.facts.key
    }

    /// What is worth remembering.
    #[must_use]
    pub fn facts(&self) -> &Rc<Facts> {
        &self.facts
    }

    /// The payload as it came, base64url without padding; without the claims that are not passed on.
    #[must_use]
    pub fn payload(&self) -> &str {
        let sent = || self.facts.token.split(|byte| *byte == b'.').nth(1);
        let sent = || sent().and_then(|payload| std::str::from_utf8(payload).ok()).unwrap_or_default();
        self.facts.limited.as_deref().unwrap_or_else(sent)
    }

    /// All claims that are passed on.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        let parse = |claims: &Members| json::parse_object(claims.json().as_bytes()).ok();
        self.tree.get_or_init(|| self.members().and_then(parse).unwrap_or_default())
    }

    /// The same as a serialized `google.protobuf.Struct`.
    #[must_use]
    pub fn claims_as_struct(&self) -> &[u8] {
        self.as_struct.get_or_init(|| protobuf::struct_bytes(self.claims()))
    }

    /// The claim of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Value> {
        self.members()?.get(name)
    }

    /// The claim of this name, if it is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.members()?.text(name)
    }

    fn members(&self) -> Option<&Members> {
        self.members.get_or_init(|| Members::read(base64url::decode(self.payload())?, &mut ()).ok()).as_ref()
    }

    /// Whether another token was forgotten, and could be used again, so that this one can be remembered.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// `exp`, rounded down to a second.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        Timestamp::at_or_before(self.facts.expires)
    }

    /// The thumbprint of the client's certificate, if the token is bound to it.
    #[must_use]
    pub fn thumbprint(&self) -> Option<&str> {
        self.facts.thumbprint.as_deref()
    }

    /// Whether it was issued in our own name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.facts.issuer.is_own
    }

    /// Who the token speaks of: issuer and subject, since a subject alone is unique to its issuer only (RFC 7519, section
    /// 4.1.2). An issuer has no `#` in it, so no two pairs look alike. An empty subject is none.
    #[must_use]
    pub fn principal(&self) -> Option<String> {
        let text = |name| self.text(name).filter(|text| !text.is_empty());
        Some(format!("{}#{}", text("iss")?, text("sub")?))
    }

    /// A claim by its JSON Pointer (RFC 6901) if it starts with `/`. Otherwise by its name or, if no claim has that name, by
    /// a dotted path, as Envoy's `claim_to_headers` takes it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some(pointer) = name.strip_prefix('/') {
            let end = pointer.find('/').unwrap_or(pointer.len());
            let (first, rest) = pointer.split_at_checked(end)?;
            return inside(self.value(&first.replace("~1", "/").replace("~0", "~"))?, |value| value.pointer(rest));
        }
        self.value(name).or_else(|| {
            let (first, path) = name.split_once('.')?;
            inside(self.value(first)?, |value| path.split('.').try_fold(value, |value, step| value.get(step)))
        })
    }

    /// The claim of this name. One that has others inside is a part of the tree, which is made once, however many are asked for.
    fn value(&self, name: &str) -> Option<Cow<'_, Value>> {
        let members = self.members()?;
        if members.has_others_inside(name)? {
            self.claims().get(name).map(Cow::Borrowed)
        } else {
            members.get(name).map(Cow::Owned)
        }
    }
}

fn inside<'v>(value: Cow<'v, Value>, find: impl Fn(&Value) -> Option<&Value>) -> Option<Cow<'v, Value>> {
    match value {
        Cow::Borrowed(value) => find(value).map(Cow::Borrowed),
        Cow::Owned(value) => find(&value).cloned().map(Cow::Owned),
    }
}
