//! Responses that the filter makes itself.

use serde_json::json;

use crate::denial::Denial;
use crate::encoding::pairs;

/// Envoy's `RESPONSE_CODE_DETAILS` of all documents.
pub(super) const DETAILS: &str = "wristband_discovery";

/// When to come back for keys that are fetched, in seconds: as long as a fetch may take, unless the configuration says otherwise.
const RETRY_AFTER: &str = "5";

/// A response, without the parts that Envoy adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Its headers, encoded as [`pairs`].
    pub headers: Vec<u8>,
    /// Its body.
    pub body: String,
    /// Envoy's `RESPONSE_CODE_DETAILS`, for access logs.
    pub details: String,
}

impl Reply {
    /// The same with one more header.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut headers = pairs::read(&self.headers).unwrap_or_default();
        headers.push((name.as_bytes(), value.as_bytes()));
        Self { headers: pairs::write(&headers), ..self }
    }

    /// A response, ready to be sent.
    #[must_use]
    pub fn new(status: u16, headers: &[(&str, &str)], body: String, details: String) -> Self {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        Self { status, headers: pairs::write(&headers), body, details }
    }
}

impl From<Denial> for Reply {
    /// A challenge (RFC 6750, section 3), in which the error is named only when there was a credential. It is 401, 400 if not
    /// the credential is wrong but the request, and 503 if neither is.
    fn from(denial: Denial) -> Self {
        let text = denial.text();
        let (status, error) = match denial {
            Denial::Missing => (401, "missing_token"),
            Denial::ForgedHeader => (400, "invalid_request"),
            Denial::ReplayFull | Denial::KeysUnavailable => (503, "invalid_token"),
            _ => (401, "invalid_token"),
        };
        let named = if denial == Denial::Missing {
            String::new()
        } else {
            format!(", error=\"{error}\", error_description=\"{text}\"")
        };
        let challenge = format!("Bearer realm=\"wristband\"{named}");
        let reply = Self::new(
            status,
            &[("www-authenticate", &challenge), ("content-type", "application/json")],
            json!({"error": error, "error_description": text}).to_string(),
            format!("wristband_denied{{{}}}", denial.code()),
        );
        if denial == Denial::KeysUnavailable { reply.with("retry-after", RETRY_AFTER) } else { reply }
    }
}
