//! Figures of all rounds.

use std::fmt::Write as _;

use crate::scenario::Scenario;

pub struct Row {
    pub scenario: Scenario,
    pub gaps: Vec<u64>,
    pub failures: usize,
}

impl Row {
    /// See [`quantile`].
    #[must_use]
    pub fn quantile(&self, percent: usize) -> Option<u64> {
        quantile(&self.gaps, percent)
    }

    /// No round failed, and the figures are as wanted.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let within = |percent, limit| self.quantile(percent).is_some_and(|gap| gap <= limit);
        self.failures == 0
            && self.scenario.wanted.is_none_or(|(median, most)| within(50, median) && within(99, most))
    }
}

/// The value that this share of all does not exceed; the largest of few.
#[must_use]
pub fn quantile(values: &[u64], percent: usize) -> Option<u64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

/// The same, as it stands in a table.
#[must_use]
pub fn figure(values: &[u64], percent: usize) -> String {
    quantile(values, percent).map_or("-".to_owned(), |value| value.to_string())
}

/// Milliseconds from the fault to the first acknowledged write.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out =
        String::from("| trial | median ms | p99 ms | n | failed | wanted |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let wanted = match row.scenario.wanted {
            None => "-".to_owned(),
            Some((median, most)) => format!("{median}, {most}: {}", if row.is_good() { "yes" } else { "NO" }),
        };
        let (name, n, failed) = (row.scenario.name, row.gaps.len(), row.failures);
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {n} | {failed} | {wanted} |",
            figure(&row.gaps, 50),
            figure(&row.gaps, 99)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::all;

    fn row(gaps: &[u64], failures: usize) -> Row {
        Row { scenario: all()[0], gaps: gaps.to_vec(), failures }
    }

    #[test]
    fn quantiles() {
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!((row(&hundred, 0).quantile(50), row(&hundred, 0).quantile(99)), (Some(50), Some(99)));
        assert_eq!((row(&[7, 3], 0).quantile(50), row(&[7, 3], 0).quantile(99)), (Some(3), Some(7)));
        assert_eq!(row(&[], 0).quantile(50), None);
    }

    #[test]
    fn a_row_is_good_if_nothing_failed_and_it_was_quick() {
        for (gaps, failures, good) in [
            (&[5000, 6000, 9999][..], 0, true),
            (&[5000, 6000], 1, false),
            (&[6001], 0, false),
            (&[1, 1, 10_001], 0, false),
            (&[], 0, false),
        ] {
            assert_eq!(row(gaps, failures).is_good(), good, "{gaps:?}");
        }
    }
}
