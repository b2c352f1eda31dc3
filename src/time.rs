//! Points in time. The core never asks a clock: whoever calls it says what time it is.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Timelike as _};

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

    /// As in RFC 3339, in UTC; `None` beyond the year 9999.
    #[must_use]
    pub fn to_rfc3339(self) -> Option<String> {
        let time = DateTime::from_timestamp(self.0, 0)?;
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        (0..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    /// What a clock shows, as the time since 1970. One that shows a time before this filter was written is broken; then it
    /// is the end of time, at which every token has expired.
    #[must_use]
    pub fn of_clock(elapsed: Option<Duration>) -> Self {
        const WRITTEN: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z
        let seconds = elapsed.and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok());
        Self(seconds.filter(|seconds| *seconds >= WRITTEN).unwrap_or(i64::MAX))
    }

    /// The last whole second not after a NumericDate, which may have decimals.
    #[must_use]
    pub fn at_or_before(seconds: f64) -> Self {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "saturates")]
        Self(seconds.floor() as i64)
    }

    /// As a NumericDate, exact up to 2^53, far beyond any date.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounded where no date is")]
        let seconds = self.0 as f64;
        seconds
    }

    /// This many seconds earlier.
    #[must_use]
    pub fn before(self, seconds: u32) -> Self {
        Self(self.0.saturating_sub(seconds.into()))
    }

    /// This many seconds later.
    #[must_use]
    pub fn after(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds.into()))
    }
}

/// A point on a clock that nobody sets, in milliseconds since it began. Spans are measured by it: what is fetched, and how
/// long a request waits, does not depend on what time somebody thinks it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// This much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// How long ago an earlier one was.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// What both clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The one that people set.
    pub time: Timestamp,
    /// The one that nobody sets.
    pub moment: Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for text in ["1970-01-01T00:00:00Z", "2026-12-01T23:59:59Z", "9999-12-31T23:59:59Z"] {
            let time = Timestamp::from_rfc3339(text).unwrap();
            assert_eq!(time.to_rfc3339().as_deref(), Some(text));
        }
        assert_eq!([Timestamp(253_402_300_800), Timestamp(i64::MAX)].map(Timestamp::to_rfc3339), [None, None]);
    }

    #[test]
    fn a_broken_clock_shows_the_end_of_time() {
        let clock = |seconds: u64| Timestamp::of_clock(Some(Duration::from_millis(seconds * 1000 + 999)));
        assert_eq!(clock(1_767_225_600), Timestamp(1_767_225_600));
        for broken in
            [clock(0), clock(1_767_225_599), Timestamp::of_clock(Some(Duration::MAX)), Timestamp::of_clock(None)]
        {
            assert_eq!(broken, Timestamp(i64::MAX));
        }
    }
}
