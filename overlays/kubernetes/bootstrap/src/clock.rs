//! What time it is, on machines that may start in 1970.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use x509_cert::der::DateTime;
use x509_cert::time::Time;

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixTime = u64;

/// Its modification time is when the system was built (systemd(1)).
pub const CLOCK_EPOCH: &str = "/usr/lib/clock-epoch";

/// 2020-01-01T00:00:00Z, from when all certificates are valid: peers may have a clock that is behind.
pub const NOT_BEFORE: UnixTime = 1_577_836_800;

/// Seconds of a day.
pub const DAY: UnixTime = 86_400;

/// The latest of what is known to have passed.
pub fn now(clock: SystemTime, built: Option<SystemTime>) -> UnixTime {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    seconds(clock).max(built.map_or(0, seconds)).max(NOT_BEFORE)
}

/// When the system was built, if a file says so.
pub fn built(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// `2027-11-27`.
pub fn date(time: Time) -> String {
    let date: DateTime = time.to_date_time();
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_latest_of_clock_and_build_is_now() {
        let before_1970 = UNIX_EPOCH - Duration::from_secs(10);
        let cases = [
            (at(1_800_000_000), None, 1_800_000_000),
            (at(1_800_000_000), Some(at(1_700_000_000)), 1_800_000_000),
            (at(100), Some(at(1_700_000_000)), 1_700_000_000),
            (at(100), Some(at(0)), NOT_BEFORE),
            (before_1970, None, NOT_BEFORE),
        ];
        for (clock, built, expected) in cases {
            assert_eq!(now(clock, built), expected, "{clock:?} {built:?}");
        }
    }
}
