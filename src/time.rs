//! Points in time. The core never asks a clock: whoever calls it says what time it is.

use chrono::DateTime;

/// Seconds since 1970-01-01T00:00:00Z: the integer part of a NumericDate (RFC 7519, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// A time as in RFC 3339, fractions of a second cut off.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(time.timestamp()))
    }

    /// The last whole second not after a NumericDate, which may have decimals.
    #[must_use]
    pub fn at_or_before(seconds: f64) -> Self {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturates")]
        Self(seconds.floor() as i64)
    }

    /// As a NumericDate. Exact: dates stay below 2^53.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "dates stay below 2^53")]
        let seconds = self.0 as f64;
        seconds
    }

    /// This many seconds later.
    #[must_use]
    pub fn after(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds.into()))
    }
}
