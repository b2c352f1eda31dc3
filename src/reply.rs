//! Responses that the filter makes itself.

use serde_json::json;

use crate::denial::Denial;
use crate::issue::Skip;

/// A response, without the parts that Envoy adds.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
    /// Envoy's `RESPONSE_CODE_DETAILS`, for access logs.
    pub details: String,
}

impl Reply {
    /// 503, for those who would rather have no response than one without its wristband.
    #[must_use]
    pub fn cannot_sign(skip: Skip) -> Self {
        Self {
            status: 503,
            headers: vec![("content-type", "application/json".to_owned())],
            body: json!({"error": "server_error", "error_description": "no wristband could be signed"}).to_string(),
            details: format!("wristband_failed{{{}}}", skip.code()),
        }
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
        Self {
            status: 401,
            headers: vec![
                ("www-authenticate", format!("Bearer realm=\"wristband\"{challenge}")),
                ("content-type", "application/json".to_owned()),
            ],
            body: json!({"error": error, "error_description": text}).to_string(),
            details: format!("wristband_denied{{{}}}", denial.code()),
        }
    }
}
