//! Maintenance windows: `Mon-Fri 01:00-05:00`, in UTC.

use std::fmt;

use geminios_update_format::UnixTime;
use serde::Deserialize;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES_OF_DAY: u64 = 24 * 60;

/// Days on which it opens, and from when to when. One that ends at or before its start ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Window {
    text: String,
    /// By day of the week, Monday first.
    days: [bool; 7],
    /// Minute of the day.
    start: u64,
    /// Minutes.
    length: u64,
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            let text = text.escape_debug();
            format!(
                "`{text}` is not a window like `Mon-Fri 01:00-05:00`, `Sat,Sun 00:00-24:00` or `daily 22:00-04:00`"
            )
        };
        let (days, times) = text.split_once(' ').ok_or_else(wrong)?;
        let (start, end) = times.split_once('-').ok_or_else(wrong)?;
        let (start, end) = minute(start).zip(minute(end)).ok_or_else(wrong)?;
        let days = week(days).filter(|_| start < MINUTES_OF_DAY).ok_or_else(wrong)?;
        let length = if end > start { end - start } else { end + MINUTES_OF_DAY - start };
        Ok(Window { days, start, length, text })
    }
}

fn minute(text: &str) -> Option<u64> {
    let number = |digits: &str| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if two { digits.parse::<u64>().ok() } else { None }
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= MINUTES_OF_DAY).then_some(hours * 60 + minutes)
}

fn week(text: &str) -> Option<[bool; 7]> {
    if text == "daily" {
        return Some([true; 7]);
    }
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Some(days)
}

impl Window {
    /// Seconds until it closes, if it is open.
    pub fn open_for(&self, now: UnixTime) -> Option<u64> {
        let (day, second) = (now / 86_400, now % 86_400);
        // 1970-01-01 was a Thursday.
        let opens_on = |day: u64| self.days[((day + 3) % 7) as usize];
        let since = |days_ago: u64| (second + days_ago * 86_400).checked_sub(self.start * 60);
        let length = self.length * 60;
        [0, 1]
            .into_iter()
            .filter(|ago| day.checked_sub(*ago).is_some_and(opens_on))
            .find_map(|ago| since(ago).filter(|since| *since < length).map(|since| length - since))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Seconds until the last of the open windows closes; None if all are closed. Without any, `u64::MAX`.
pub fn now_in(windows: &[Window], now: UnixTime) -> Option<u64> {
    if windows.is_empty() {
        return Some(u64::MAX);
    }
    windows.iter().filter_map(|window| window.open_for(now)).max()
}

#[cfg(test)]
mod tests {
    use geminios_update_format::time::parse;

    use super::*;

    fn window(text: &str) -> Window {
        Window::try_from(text.to_owned()).unwrap()
    }

    /// 2026-11-27 is a Friday.
    #[test]
    fn open_and_closed() {
        let table = [
            ("Mon-Fri 01:00-05:00", "2026-11-27T01:00:00Z", Some(4 * 3600)),
            ("Mon-Fri 01:00-05:00", "2026-11-27T04:59:59Z", Some(1)),
            ("Mon-Fri 01:00-05:00", "2026-11-27T05:00:00Z", None),
            ("Mon-Fri 01:00-05:00", "2026-11-28T02:00:00Z", None),
            ("Fri 22:00-04:00", "2026-11-28T03:00:00Z", Some(3600)),
            ("Fri 22:00-04:00", "2026-11-27T03:00:00Z", None),
            ("Sat,Sun 00:00-24:00", "2026-11-28T23:59:00Z", Some(60)),
            ("Sat-Mon 00:00-24:00", "2026-11-30T12:00:00Z", Some(12 * 3600)),
            ("daily 00:00-00:00", "1970-01-01T00:00:00Z", Some(86_400)),
            ("Wed 23:00-02:00", "1970-01-01T01:00:00Z", None),
        ];
        for (text, now, expected) in table {
            assert_eq!(window(text).open_for(parse(now).unwrap()), expected, "{text} at {now}");
        }
        let two = [window("Fri 01:00-05:00"), window("daily 02:00-03:00")];
        assert_eq!(now_in(&two, parse("2026-11-27T02:30:00Z").unwrap()), Some(9000));
        assert_eq!(now_in(&[], 0), Some(u64::MAX));
    }

    #[test]
    fn what_is_no_window() {
        for wrong in [
            "",
            "Mon",
            "Mon 1:00-2:00",
            "Mon 01:00",
            "Mon 01:00-25:00",
            "Mon 24:00-01:00",
            "Mo 01:00-02:00",
            "Mon-Fr 01:00-02:00",
            "Mon,, 01:00-02:00",
            "mon 01:00-02:00",
            "Mon 01:60-02:00",
            "Mon  01:00-02:00",
            "Mon 01:00-02:00 ",
            "Mon 01:00-24:01",
        ] {
            assert!(Window::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
