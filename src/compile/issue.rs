//! How wristbands are signed and delivered, compiled.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::keys::{NamedKey, Signs};
use crate::config::{ClaimSource, Identity, Issue, Problems, Subject};
use crate::gateway::Delivery;
use crate::host::Setup;
use crate::issue::expression::{Condition, Expression, calls_map_or_filter, is_guarded, iterates};
use crate::issue::{self, Claim, Issuer, Placement, Rules, Signer, Source};
use crate::jose::path::Path;

/// `None` where the key, the identity or an expression cannot be used, which has been said.
#[inline(never)]
pub(super) fn delivery(
    issue: Issue,
    issuer: String,
    duration: u32,
    key: Option<Signs>,
    verifies: bool,
    problems: &Problems,
    setup: &impl Setup,
) -> Option<Delivery> {
    check(&issue, verifies, problems);
    let path = |names: &[&str]| Path::of(&[&["issue"], names].concat());
    let compile = |path: Path, source: &str| expression(&path, source, problems, setup);
    let sources = issue.identity.len();
    let identity = issue.identity.into_iter().enumerate().filter_map(|(index, (path, identity))| match identity {
        Identity::Header(name) => Some(Source::Header(name)),
        Identity::Wristband => Some(Source::Wristband),
        Identity::Expression(source) => {
            let path = path.member("expression");
            let iterates = iterates(&source);
            if iterates && index.saturating_add(1) < sources {
                problems.warn(&path, NEVER_BEHIND);
            }
            compile(path, &source).map(|expression| Source::Expression(expression, iterates))
        }
    });
    let identity: Vec<_> = identity.collect();
    let subject = issue.subject.map(|subject| match subject {
        Subject::Hash => Some(issue::Subject::Hash),
        Subject::Expression(source) => {
            compile(path(&["subject", "expression"]), &source).map(issue::Subject::Expression)
        }
    });
    let condition = |phase: &str, source: Option<String>| {
        source.map(|source| compile(path(&["when", phase]), &source).map(Condition))
    };
    let when_request = condition("request", issue.when_request);
    let when_response = condition("response", issue.when_response);
    let (fixed, computed) = claims(issue.custom_claims, problems, setup);
    // One that is missing would make the next one count.
    if identity.is_empty() || identity.len() < sources {
        return None;
    }
    let signer = Signer::new(&issue.typ, &issuer, &issue.audiences, fixed);
    let rules = Rules {
        issuer,
        duration,
        placement: issue.placement,
        identity,
        backdate: issue.backdate,
        subject: all(subject)?,
        when_request: all(when_request)?,
        when_response: all(when_response)?,
        computed,
        chain: issue.chain,
        bind_client_certificate: issue.bind_client_certificate,
    };
    let issuer = Issuer::new(rules, signer, issue.reuse);
    match key? {
        Signs::Now(NamedKey { name, key }) => issuer.sign_with(Some((&name, Rc::new(key)))),
        Signs::ByCall => {}
    }
    Some(Delivery { issuer, header: issue.header, cookie: issue.cookie, on_failure: issue.on_failure })
}

/// What is absent is absent; what is there has to be usable.
#[expect(clippy::option_option, reason = "absent is one thing and unusable another")]
fn all<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    part.map_or(Some(None), |part| part.map(Some))
}

/// That no field contradicts another.
#[inline(never)]
fn check(issue: &Issue, verifies: bool, problems: &Problems) {
    let error = |names: &[&str], problem: &str| problems.error(&Path::of(&[&["issue"], names].concat()), problem);
    let to_upstream = issue.placement == Placement::Request;
    if to_upstream && issue.when_response.is_some() {
        let problem = "cannot be asked: with `placement: request` the wristband is signed before there is a response";
        error(&["when", "response"], problem);
    }
    if to_upstream && issue.cookie.is_some() {
        error(&["cookie"], "is set with a response; it excludes `placement: request`");
    }
    let mut is_inbound = false;
    for (path, identity) in &issue.identity {
        match identity {
            Identity::Header(name) if to_upstream && issue.header.as_ref() == Some(name) => {
                let problem = "delivers the wristband; what a client writes into it would be its name";
                problems.error(&path.member("header"), problem);
            }
            Identity::Wristband => {
                is_inbound = true;
                if !verifies {
                    problems.error(&path.member("wristband"), "needs `verify`");
                }
            }
            Identity::Header(_) | Identity::Expression(_) => {}
        }
    }
    if issue.chain.is_some() && !issue.identity.is_empty() && !is_inbound {
        error(&["chain"], "needs `identity: {wristband: true}`");
    }
}

const NEVER_BEHIND: &str = "goes through the items of a list, and Envoy gives up on long ones: so that nobody chooses by that \
     whose name he gets, the sources behind it never count; put it last";

const UNGUARDED: &str = "calls `map` or `filter`, for which Envoy takes quadratic time: keep the list short by \
     `size(LIST) <= 256 ? LIST.map(...) : []`, or a condition by `size(LIST) <= 256 && ...`";

fn expression(path: &Path, source: &str, problems: &Problems, setup: &impl Setup) -> Option<Expression> {
    if calls_map_or_filter(source) && !is_guarded(source) {
        problems.warn(path, UNGUARDED);
    }
    let expression = Expression::compile(source, setup);
    if expression.is_none() {
        let problem = "not a CEL expression that Envoy compiles; its log line `expr_create` says why, which it writes at \
             level `info` (`--component-log-level wasm:info`)";
        problems.error(path, problem);
    }
    expression
}

/// The custom claims: those that are the same for everyone, and those that are not.
fn claims(
    sources: Vec<(String, ClaimSource)>,
    problems: &Problems,
    setup: &impl Setup,
) -> (Map<String, Value>, Vec<Claim>) {
    let (mut fixed, mut computed) = (Map::new(), Vec::new());
    for (name, source) in sources {
        match source {
            ClaimSource::Value(value) => drop(fixed.insert(name, value)),
            ClaimSource::Expression { source, required } => {
                let path = Path::of(&["issue", "customClaims", &name, "expression"]);
                let expression = expression(&path, &source, problems, setup);
                // On a long list the host gives up, which looks like no value.
                let required = required || iterates(&source);
                computed.extend(expression.map(|expression| Claim { name, expression, required }));
            }
        }
    }
    (fixed, computed)
}
