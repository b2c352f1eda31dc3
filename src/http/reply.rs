//! Responses that the filter makes itself.

use serde_json::json;

use crate::denial::Denial;
use crate::encoding::pairs;

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
    /// 401 with a challenge (RFC 6750, section 3): the error is named only when there was a credential.
    fn from(denial: Denial) -> Self {
        let text = denial.text();
        let (error, challenge) = match denial {
            Denial::Missing => ("missing_token", String::new()),
            _ => ("invalid_token", format!(", error=\"invalid_token\", error_description=\"{text}\"")),
        };
        let challenge = format!("Bearer realm=\"wristband\"{challenge}");
        Self::new(
            401,
            &[("www-authenticate", &challenge), ("content-type", "application/json")],
            json!({"error": error, "error_description": text}).to_string(),
            format!("wristband_denied{{{}}}", denial.code()),
        )
    }
}
