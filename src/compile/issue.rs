//! How wristbands are signed and delivered, compiled.

use serde_json::{Map, Value};

use super::keys::NamedKey;
use crate::config::{ClaimSource, ConfigError, Identity, Issue, Subject, join};
use crate::gateway::Delivery;
use crate::host::Setup;
use crate::issue::expression::{Condition, Expression};
use crate::issue::{self, Claim, Issuer, Placement, Rules, Signer, Source};

#[inline(never)]
pub(super) fn delivery(
    issue: Issue,
    issuer: &str,
    duration: u32,
    key: NamedKey,
    verifies: bool,
    setup: &impl Setup,
) -> Result<Delivery, ConfigError> {
    check(&issue, verifies)?;
    let (fixed, computed) = claims(issue.custom_claims, setup)?;
    let signer = Signer::new(&key.name, key.key, &issue.typ, issuer, &issue.audiences, fixed);
    let condition = |path: &str, source: Option<String>| {
        source.map(|source| expression(path, &source, setup).map(Condition)).transpose()
    };
    let rules = Rules {
        issuer: issuer.to_owned(),
        duration,
        placement: issue.placement,
        identity: identity(issue.identity, setup)?,
        subject: issue.subject.map(|subject| self::subject(subject, setup)).transpose()?,
        when_request: condition("issue.when.request", issue.when_request)?,
        when_response: condition("issue.when.response", issue.when_response)?,
        computed,
        chain: issue.chain,
        bind_client_certificate: issue.bind_client_certificate,
    };
    Ok(Delivery {
        issuer: Issuer::new(rules, signer, issue.reuse),
        header: issue.header,
        cookie: issue.cookie,
        on_failure: issue.on_failure,
    })
}

/// That no field contradicts another.
#[inline(never)]
fn check(issue: &Issue, verifies: bool) -> Result<(), ConfigError> {
    let to_upstream = issue.placement == Placement::Request;
    let is_inbound = matches!(issue.identity, Identity::Wristband);
    if to_upstream && issue.when_response.is_some() {
        return Err(ConfigError::at(
            "issue.when.response",
            "cannot be asked: with `placement: request` the wristband is signed before there is a response",
        ));
    }
    if to_upstream && issue.cookie.is_some() {
        return Err(ConfigError::at("issue.cookie", "is set with a response; it excludes `placement: request`"));
    }
    if let Identity::Header(name) = &issue.identity
        && to_upstream
        && issue.header.as_ref() == Some(name)
    {
        let problem = "delivers the wristband; what a client writes into it would be its name";
        return Err(ConfigError::at("issue.identity.header", problem));
    }
    if is_inbound && !verifies {
        return Err(ConfigError::at("issue.identity.wristband", "needs `verify`"));
    }
    if issue.chain.is_some() && !is_inbound {
        return Err(ConfigError::at("issue.chain", "needs `identity: {wristband: true}`"));
    }
    Ok(())
}

fn expression(path: &str, source: &str, setup: &impl Setup) -> Result<Expression, ConfigError> {
    Expression::compile(source, setup).ok_or_else(|| {
        ConfigError::at(path, "not a CEL expression that Envoy compiles; its log line `expr_create` says why")
    })
}

fn identity(identity: Identity, setup: &impl Setup) -> Result<Source, ConfigError> {
    Ok(match identity {
        Identity::Header(name) => Source::Header(name),
        Identity::Wristband => Source::Wristband,
        Identity::Expression(source) => Source::Expression(expression("issue.identity.expression", &source, setup)?),
    })
}

fn subject(subject: Subject, setup: &impl Setup) -> Result<issue::Subject, ConfigError> {
    Ok(match subject {
        Subject::Hash => issue::Subject::Hash,
        Subject::Expression(source) => {
            issue::Subject::Expression(expression("issue.subject.expression", &source, setup)?)
        }
    })
}

/// The custom claims: those that are the same for everyone, and those that are not.
fn claims(
    sources: Vec<(String, ClaimSource)>,
    setup: &impl Setup,
) -> Result<(Map<String, Value>, Vec<Claim>), ConfigError> {
    let (mut fixed, mut computed) = (Map::new(), Vec::new());
    for (name, source) in sources {
        match source {
            ClaimSource::Value(value) => drop(fixed.insert(name, value)),
            ClaimSource::Expression { source, required } => {
                let path = join(&join("issue.customClaims", &name), "expression");
                let expression = expression(&path, &source, setup)?;
                computed.push(Claim { name, expression, required });
            }
        }
    }
    Ok((fixed, computed))
}
