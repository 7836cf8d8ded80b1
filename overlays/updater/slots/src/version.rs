//! The order of versions by which systemd-boot sorts (UAPI.10, Version Format Specification).

use std::cmp::Ordering;

/// Compares two versions. A release that does not compare as greater would stay behind the running one in the boot
/// loader's list, whatever its number means to people: `1.0-rc1` is greater than `1.0`, `1.0~rc1` is smaller.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (skip(a), skip(b));
        for mark in [b'~', b'-', b'^', b'.'] {
            // The end is greater than a tilde, smaller than all else.
            if mark == b'-' && (a.is_empty() || b.is_empty()) {
                return a.len().min(1).cmp(&b.len().min(1));
            }
            match (a.first() == Some(&mark), b.first() == Some(&mark)) {
                (true, true) => (a, b) = (&a[1..], &b[1..]),
                (true, false) => return Ordering::Less,
                (false, true) => return Ordering::Greater,
                (false, false) => {}
            }
        }
        let digits = a.first().is_some_and(u8::is_ascii_digit) || b.first().is_some_and(u8::is_ascii_digit);
        let (left, right) = (run(&mut a, digits), run(&mut b, digits));
        let order = if digits { numeric(left, right) } else { left.cmp(right) };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Leaves out what is no part of a version.
fn skip(text: &[u8]) -> &[u8] {
    let known = |b: &u8| b.is_ascii_alphanumeric() || b"~-^.".contains(b);
    &text[text.iter().position(known).unwrap_or(text.len())..]
}

/// Takes the digits, or the letters, at the beginning.
fn run<'a>(text: &mut &'a [u8], digits: bool) -> &'a [u8] {
    let of = |b: &u8| if digits { !b.is_ascii_digit() } else { !b.is_ascii_alphabetic() };
    let (head, tail) = text.split_at(text.iter().position(of).unwrap_or(text.len()));
    *text = tail;
    head
}

fn numeric(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |n: &'_ [u8]| n.iter().skip_while(|d| **d == b'0').copied().collect::<Vec<u8>>();
    let (short, long) = (plain(a), plain(b));
    a.is_empty().cmp(&b.is_empty()).reverse().then(short.len().cmp(&long.len())).then(short.cmp(&long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        let ascending = [
            "~1",
            "",
            "1~rc1",
            "1",
            "1-1",
            "1^post1",
            "1.1",
            "2",
            "11",
            "122.1",
            "123~rc1-1",
            "123",
            "123-a",
            "123-a.1",
            "123-1",
            "123-1.1",
            "123^post1",
            "123.a-1",
            "123.1-1",
            "123a-1",
            "124-1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        // What `systemd-analyze compare-versions` says.
        let more = [
            ("1.0", "1.0-rc1"),
            ("1.0~rc1", "1.0"),
            ("1-1", "1^a"),
            ("1", "1."),
            ("1", "1-"),
            ("a", "1"),
            ("1", "1a"),
            ("1..1", "1.1"),
            ("1-^", "1^-"),
        ];
        for (less, greater) in more {
            assert_eq!(compare(less, greater), Ordering::Less, "{less} {greater}");
            assert_eq!(compare(greater, less), Ordering::Greater, "{less} {greater}");
        }
        for equal in [("1", "01"), ("1_", "1"), ("", ""), ("1.0", "1.0")] {
            assert_eq!(compare(equal.0, equal.1), Ordering::Equal, "{equal:?}");
        }
    }
}
