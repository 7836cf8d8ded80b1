//! The table of bytes, and whether the targets are met.

use std::fmt::Write as _;

/// Bytes of one way.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    /// Root, hash tree, kernel.
    bytes: [u64; 3],
    /// Metadata and indexes.
    other: u64,
}

impl Row {
    pub fn new(name: impl Into<String>, bytes: [u64; 3], other: u64) -> Row {
        Row { name: name.into(), bytes, other }
    }

    fn total(&self) -> u64 {
        self.bytes.iter().sum::<u64>() + self.other
    }
}

#[derive(Default)]
pub struct Table {
    ours: Option<Row>,
    zstd: Option<Row>,
    peers: Vec<Row>,
    lines: Vec<Row>,
    words: Vec<String>,
}

impl Table {
    pub fn ours(&mut self, row: Row) {
        self.ours = Some(row.clone());
        self.lines.push(row);
    }

    pub fn rows(&mut self, rows: Vec<Row>) {
        self.lines.extend(rows);
    }

    pub fn zstd(&mut self, row: Result<Row, String>) {
        self.zstd = self.line(row);
    }

    pub fn peer(&mut self, row: Result<Row, String>) {
        let row = self.line(row);
        self.peers.extend(row);
    }

    fn line(&mut self, row: Result<Row, String>) -> Option<Row> {
        match row {
            Ok(row) => {
                self.lines.push(row.clone());
                Some(row)
            }
            Err(word) => {
                self.words.push(word);
                None
            }
        }
    }

    pub fn print(&self) {
        let Some(ours) = &self.ours else { return };
        println!("| bytes on the wire | root | hash tree | kernel | metadata, indexes | all | ours / it |");
        println!("|---|---:|---:|---:|---:|---:|---:|");
        for row in &self.lines {
            let [root, verity, uki] = row.bytes.map(grouped);
            let ratio = ours.total() as f64 / row.total() as f64;
            let (other, total) = (grouped(row.other), grouped(row.total()));
            println!("| {} | {root} | {verity} | {uki} | {other} | {total} | {ratio:.2} |", row.name);
        }
        let mut targets = String::new();
        for peer in &self.peers {
            let ratio = ours.total() as f64 / peer.total() as f64;
            let _ = write!(targets, "\n- {}: {ratio:.2}, target 0.5: {}", peer.name, verdict(ratio <= 0.5));
        }
        if let Some(zstd) = &self.zstd {
            for (what, own, other) in
                [("root alone", ours.bytes[0], zstd.bytes[0]), ("all", ours.total(), zstd.total())]
            {
                let ratio = own as f64 / other as f64;
                let met = verdict(ratio <= 1.3);
                let _ = write!(targets, "\n- {}, {what}: {ratio:.2}, target 1.3: {met}", zstd.name);
            }
        }
        println!("{targets}");
        self.words.iter().for_each(|word| println!("- {word}"));
        println!();
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
