//! What the sources of a wristband say of one request, asked in two phases: attributes of the request are gone when the
//! response comes, and those of later filters are not there before. What has answered is not asked again.

use serde_json::Value;

use super::identity::Identity;
use super::{Rules, Skip, Source, Subject};
use crate::host::Host;
use crate::http::headers::{HeaderName, Headers};
use crate::issue::expression::{Answer, Attributes, Expression};
use crate::verify::Verified;

/// What is known of a request so far.
#[derive(Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Evaluated {
    pub(super) condition: Option<bool>,
    /// Of each source, but for the accepted wristband.
    identity: Vec<Answer>,
    pub(super) subject: Answer,
    pub(super) claims: Vec<Answer>,
}

impl Evaluated {
    pub(super) fn on_request(
        rules: &Rules,
        headers: &Headers<'_>,
        inbound: Option<&Verified>,
        host: &impl Host,
    ) -> Self {
        let attributes = Attributes::new(host);
        let identity = rules.identity.iter().map(|source| match source {
            Source::Header(name) => in_header(headers, name),
            Source::Wristband | Source::Expression(..) => Answer::Nothing,
        });
        let mut evaluated = Self {
            condition: rules.when_request.as_ref().map(|condition| condition.holds(&attributes)),
            identity: identity.collect(),
            subject: Answer::Nothing,
            claims: rules.computed.iter().map(|_| Answer::Nothing).collect(),
        };
        if !inbound.is_some_and(Verified::is_own) {
            evaluated.ask(rules, &attributes);
        }
        evaluated
    }

    pub(super) fn on_response(&mut self, rules: &Rules, host: &impl Host) {
        let attributes = Attributes::new(host);
        if let Some(condition) = &rules.when_response {
            self.condition = Some(self.condition.unwrap_or(true) && condition.holds(&attributes));
        }
        self.ask(rules, &attributes);
    }

    /// Asks every expression that has said nothing yet, as far as it can still count.
    fn ask(&mut self, rules: &Rules, attributes: &Attributes<'_, impl Host>) {
        if self.condition == Some(false) {
            return;
        }
        let fill = |answer: &mut Answer, expression: &Expression| {
            if *answer == Answer::Nothing {
                *answer = expression.answer(attributes);
            }
        };
        // A hash is of all of it.
        let asks_for_name = !matches!(rules.subject, Some(Subject::Hash));
        for (answer, source) in self.identity.iter_mut().zip(&rules.identity) {
            match source {
                Source::Expression(expression, _) if asks_for_name && *answer == Answer::Nothing => {
                    *answer = expression.name(attributes);
                }
                Source::Expression(expression, _) => fill(answer, expression),
                Source::Header(_) | Source::Wristband => {}
            }
            if !is_nobody(answer) {
                // Those behind it do not count.
                break;
            }
        }
        if let Some(Subject::Expression(expression)) = &rules.subject {
            fill(&mut self.subject, expression);
        }
        for (answer, claim) in self.claims.iter_mut().zip(&rules.computed) {
            fill(answer, &claim.expression);
        }
    }

    /// What the first source says that says anything. One that cannot be read is somebody, and nobody knows who: it does not
    /// make those behind it count.
    pub(super) fn identity<'v>(&'v self, rules: &Rules, inbound: Option<&'v Verified>) -> Result<Identity<'v>, Skip> {
        for (source, answer) in rules.identity.iter().zip(&self.identity) {
            match (source, answer) {
                (Source::Wristband, _) => {
                    // It has an issuer, or it could not be read again.
                    if let Some(inbound) = inbound.filter(|inbound| inbound.text("iss").is_some()) {
                        return Ok(Identity::Wristband(inbound));
                    }
                }
                (Source::Expression(_, true), answer) if is_nobody(answer) => break,
                (_, answer) if is_nobody(answer) => {}
                (_, Answer::Value(value)) => return Ok(Identity::Value(value)),
                (_, Answer::TooLarge) => return Err(Skip::ClaimTooLarge),
                (_, Answer::Unreadable | Answer::Nothing) => return Err(Skip::NoIdentity),
            }
        }
        // With the inbound wristband among the sources, what has kept it from counting is said, and not that it is there.
        let asks_inbound = rules.identity.iter().any(|source| matches!(source, Source::Wristband));
        Err(if inbound.is_some() && !asks_inbound { Skip::PeerWristband } else { Skip::NoIdentity })
    }
}

/// Whether a source says of nobody who it is: nothing, or what an earlier filter left behind that had nobody.
fn is_nobody(answer: &Answer) -> bool {
    match answer {
        Answer::Nothing => true,
        Answer::Value(value) => Identity::Value(value).is_nobody(),
        Answer::TooLarge | Answer::Unreadable => false,
    }
}

/// What a header says that stands once. Two are as good as none to whoever has to choose, and not the same as none.
fn in_header(headers: &Headers<'_>, name: &HeaderName) -> Answer {
    let mut values = headers.values(name);
    match (values.next(), values.next()) {
        (None | Some(b""), None) => Answer::Nothing,
        (Some(value), None) => {
            std::str::from_utf8(value).map_or(Answer::Unreadable, |text| Answer::Value(Value::from(text)))
        }
        (_, Some(_)) => Answer::Unreadable,
    }
}
