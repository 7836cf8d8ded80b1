//! Figures of all rounds.

use std::fmt::Write as _;

use super::round::Round;
use crate::table::figure;

pub struct Row {
    pub lease: &'static str,
    pub fault: &'static str,
    pub rounds: Vec<Round>,
}

/// Milliseconds: to the first acknowledged write after the fault, and without an acknowledged write.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| lease | fault | median ms | p99 ms | without: median ms | without: p99 ms | n |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    for Row { lease, fault, rounds } in rows {
        let since: Vec<u64> = rounds.iter().map(|round| round.since).collect();
        let without: Vec<u64> = rounds.iter().map(|round| round.without).collect();
        let [median, most] = [50, 99].map(|percent| figure(&since, percent));
        let [median_without, most_without] = [50, 99].map(|percent| figure(&without, percent));
        let n = rounds.len();
        let _ = writeln!(
            out,
            "| {lease} | {fault} | {median} | {most} | {median_without} | {most_without} | {n} |"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Host;

    #[test]
    fn a_row_for_each_lease_and_fault() {
        let round = |since, without| Round { led: Host::A, leads: Some(Host::B), since, without };
        let rounds = vec![round(30, 31), round(10, 11), round(20, 19)];
        let rows =
            [Row { lease: "x", fault: "y", rounds }, Row { lease: "x", fault: "z", rounds: Vec::new() }];
        let table = table(&rows);
        assert!(
            table.ends_with("| x | y | 20 | 30 | 19 | 31 | 3 |\n| x | z | - | - | - | - | 0 |\n"),
            "{table}"
        );
    }
}
