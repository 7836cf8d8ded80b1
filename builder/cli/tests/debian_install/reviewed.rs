use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use crate::compare::Difference;

/// The reviewed list: rows of `path glob | difference | reason` in the tables of a document.
pub struct Reviewed(Vec<Row>);

struct Row {
    glob: String,
    matcher: GlobMatcher,
    kinds: Vec<String>,
}

impl Reviewed {
    /// Takes the rows whose first cell is a path in backquotes; other tables are for the reader alone.
    pub fn parse(document: &str) -> Reviewed {
        let row = |line: &str| {
            let cells: Vec<&str> = line.strip_prefix("| `/")?.trim_end_matches('|').split(" | ").collect();
            let &[glob, kinds, reason] = cells.as_slice() else {
                panic!("not three cells: {line}");
            };
            assert!(!reason.trim().is_empty(), "no reason: {line}");
            let glob = format!("/{}", glob.strip_suffix('`').unwrap());
            let built =
                GlobBuilder::new(&glob).literal_separator(true).empty_alternates(true).build().unwrap();
            let kinds = kinds.split(", ").map(str::to_owned).collect();
            Some(Row { matcher: built.compile_matcher(), glob, kinds })
        };
        Reviewed(document.lines().filter_map(row).collect())
    }

    /// What is wrong: differences that no row explains, and rows that explain nothing.
    pub fn check(&self, differences: &[Difference]) -> Vec<String> {
        let mut used: BTreeMap<(usize, &str), bool> = BTreeMap::new();
        for (index, row) in self.0.iter().enumerate() {
            used.extend(row.kinds.iter().map(|kind| ((index, kind.as_str()), false)));
        }
        let mut complaints = Vec::new();
        for difference in differences {
            let mut explained = false;
            for (index, row) in self.0.iter().enumerate() {
                let kind = row.kinds.iter().find(|kind| *kind == difference.kind);
                if let Some(kind) = kind.filter(|_| row.matcher.is_match(&difference.path)) {
                    used.insert((index, kind), true);
                    explained = true;
                }
            }
            if !explained {
                complaints.push(format!("unexplained: {difference}"));
            }
        }
        let idle = used.iter().filter(|(_, used)| !**used);
        complaints.extend(
            idle.map(|((index, kind), _)| format!("explains nothing: `{}` | {kind}", self.0[*index].glob)),
        );
        complaints
    }
}
