use std::fmt;

/// A moment in seconds since 1970, printed as `2026-11-22 19:58:57 UTC`.
pub(crate) struct Utc(pub u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        // Days to civil date by 400-year eras of 146097 days, years beginning in March
        // (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let march = (5 * day + 2) / 153;
        let day = day - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = era * 400 + year + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Reads a date as Release files have it: `Sun, 22 Nov 2026 19:58:57 UTC` (RFC 5322, always in UTC).
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let &[_weekday, day, month, year, time, zone] = words.as_slice() else { return None };
    if !["UTC", "GMT", "Z", "+0000", "-0000"].contains(&zone) {
        return None;
    }
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| -> Option<u64> {
        let plain = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let (day, year) = (number(day, 1..=2)?, number(year, 4..=4)?);
    let month = MONTHS.iter().position(|m| *m == month)? as u64 + 1;
    let clock: Vec<u64> = time.split(':').map(|part| number(part, 1..=2)).collect::<Option<_>>()?;
    let &[hour, minute, second] = clock.as_slice() else { return None };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1970 || day == 0 || day > length || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Civil date to days, the reverse of the above.
    let march_year = if month <= 2 { year - 1 } else { year };
    let march = (month + 9) % 12;
    let in_era = march_year % 400;
    let day_of_era = in_era * 365 + in_era / 4 - in_era / 100 + (153 * march + 2) / 5 + day - 1;
    let days = (march_year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_release_files_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0, "1970-01-01 00:00:00 UTC"),
            ("Sun, 22 Nov 2026 19:58:57 UTC", 1_795_377_537, "2026-11-22 19:58:57 UTC"),
            ("Thu, 29 Feb 2024 23:59:59 +0000", 1_709_251_199, "2024-02-29 23:59:59 UTC"),
            ("Sun,  1 Mar 2026 00:00:00 GMT", 1_772_323_200, "2026-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(parse_date(text), Some(seconds), "{text}");
            assert_eq!(Utc(seconds).to_string(), shown);
        }
    }

    #[test]
    fn other_dates_are_refused() {
        for text in [
            "",
            "Sun, 22 Nov 2026 19:58:57",
            "Sun, 22 Nov 2026 19:58:57 CET",
            "Sun, 29 Feb 2026 00:00:00 UTC",
            "Sun, 00 Nov 2026 00:00:00 UTC",
            "Sun, 22 Nov 1969 00:00:00 UTC",
            "Sun, 22 Nov 99999999999999999999 00:00:00 UTC",
            "Sun, 22 Nov 2026 24:00:00 UTC",
            "Sun, 22 Nov 2026 1:2 UTC",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
