//! What is left of a deadline, and the time of day as S3 wants it.

use std::time::{Duration, Instant, SystemTime};

/// When a question must be answered.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Deadline(Instant::now() + time)
    }

    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// `20130524T000000Z`
pub fn basic(time: SystemTime) -> String {
    // `Fri, 24 May 2013 00:00:00 GMT`, whose fields have fixed places (RFC 9110 section 5.6.7).
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = httpdate::fmt_http_date(time);
    let month = MONTHS.find(&text[8..11]).unwrap_or_default() / 3 + 1;
    let clock = text[17..25].replace(':', "");
    format!("{}{month:02}{}T{clock}Z", &text[12..16], &text[5..7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (4_102_444_800, "21000101T000000Z"),
        ] {
            assert_eq!(basic(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
