//! Times as TUF writes them: UTC, to the second (TUF 4.2.3, a profile of ISO 8601).

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixTime = u64;

/// Seconds of a day.
pub const DAY: UnixTime = 86_400;

/// 9999-12-31T23:59:59Z, the last time that four digits of a year can write.
pub const LAST: UnixTime = 253_402_300_799;

/// Of `2026-11-27T12:00:00Z` and of no other way to write it.
pub fn parse(text: &str) -> Option<UnixTime> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let time = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    // Catches 31 February, 25 o'clock, a leap second and wrong signs between the numbers.
    (time <= LAST && format(time) == text).then_some(time)
}

/// `2026-11-27T12:00:00Z`.
pub fn format(time: UnixTime) -> String {
    let time = time.min(LAST);
    let (year, month, day) = date(time / DAY);
    let (hour, minute, second) = (time / 3600 % 24, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`] (civil_from_days there).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-27T12:00:00Z", 1_795_780_800),
            ("2099-01-01T00:00:00Z", 4_070_908_800),
            ("9999-12-31T23:59:59Z", LAST),
        ];
        for (text, time) in cases {
            assert_eq!((parse(text), format(time).as_str()), (Some(time), text));
        }
    }

    #[test]
    fn one_way_to_write_a_time() {
        for wrong in [
            "",
            "2026-11-27",
            "2026-11-27T12:00:00",
            "2026-11-27T12:00:00+00:00",
            "2026-11-27t12:00:00z",
            "2026-11-27 12:00:00Z",
            "2026-11-27T12:00:00.5Z",
            "2026-02-30T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T12:60:00Z",
            "2026-11-27T12:00:60Z",
            "1969-12-31T23:59:59Z",
            "+026-11-27T12:00:00Z",
            "2026-11-27T12:00:00Zé",
            "é026-11-27T12:00:00Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_time_is_read_as_it_is_written(time in 0..=LAST) {
            proptest::prop_assert_eq!(parse(&format(time)), Some(time));
        }
    }
}
